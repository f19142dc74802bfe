"""NFTs of verified collections: held in real token accounts, described by accounts that Metaplex' library wrote."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf
from streamgate.testing.attacks import attack
from streamgate_auth.solana import layouts, metaplex
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.metaplex import Metaplex, MetaplexReader
from streamgate_auth.solana.programs import metadata_of, to_bytes
from tests.plugins.auth.solana.cluster import METADATA, SPL, SPL_2022, Cluster, address, key, metadata_address
from tests.plugins.auth.solana.conftest import DEVNET, Nodes, Open
from tests.plugins.auth.solana.metaplex import ACCOUNTS, COLLECTION, FOLDER, nft

ALICE, BOB = key("alice"), key("bob")
MEMBERS = ["plain", "programmable", "edition", "legacy"]


async def read(chains: SolanaChains, *wallets: str, collection: str = COLLECTION, **params: Any) -> Reading:
    leaf = Leaf(
        params=Metaplex(chain=DEVNET, collection=collection, **params),
        addresses=wallets or (address("alice"),),
        min_block={},
    )
    return await MetaplexReader(chains).read(leaf)


def data(name: str) -> bytes:
    return base64.b64decode(ACCOUNTS["metadata"][name]["data"])


def test_the_fixture_is_of_the_addresses_that_are_named_here() -> None:
    named = json.loads((FOLDER / "addresses.json").read_text())
    assert {name: address(name) for name in named} == named


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("program", [SPL, SPL_2022], ids=["spl", "token-2022"])
async def test_a_member_counts_while_it_is_held(
    cluster: Cluster, nodes: Nodes, open_chains: Open, name: str, program: Any
) -> None:
    chains = open_chains(*nodes(1))
    mint = nft(cluster, name, ALICE, program=program)
    if name == "programmable":
        cluster.freeze(ALICE.pubkey(), mint)
    held = await read(chains)
    assert (held.outcome, held.held, held.held_by) == ("holds", "1", address("alice"))
    assert held.tokens == (f"{DEVNET}/{COLLECTION}/{mint}",)
    assert (await read(chains, min="2")).outcome == "does_not_hold"
    if name != "programmable":
        cluster.transfer(ALICE, BOB.pubkey(), mint)
        assert (await read(chains)).outcome == "does_not_hold"
        assert (await read(chains, address("bob"))).outcome == "holds"


@attack("B18")
@pytest.mark.parametrize("name", ["unverified", "other", "bare", "parent"])
async def test_an_unverified_collection_is_none(cluster: Cluster, nodes: Nodes, open_chains: Open, name: str) -> None:
    """Same name, symbol, URI and creator; and the collection's own NFT is not of it."""
    nft(cluster, name, ALICE)
    answer = await read(open_chains(*nodes(1)))
    assert (answer.outcome, answer.held) == ("does_not_hold", "0")


@pytest.mark.parametrize(
    ("name", "amount", "decimals"), [("fungible", 1, 0), ("legacy fungible", 1, 1), ("legacy fungible", 2, 0)]
)
async def test_what_can_be_divided_is_no_nft(
    cluster: Cluster, nodes: Nodes, open_chains: Open, name: str, amount: int, decimals: int
) -> None:
    mint = nft(cluster, name, ALICE, amount=amount, decimals=decimals)
    if amount == 2:
        cluster.transfer(ALICE, BOB.pubkey(), mint)
    assert (await read(open_chains(*nodes(1)))).outcome == "does_not_hold"


async def test_an_empty_account_of_a_member_is_nothing(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    cluster.account(BOB.pubkey(), nft(cluster, "plain", ALICE))
    assert (await read(open_chains(*nodes(1)), address("bob"))).outcome == "does_not_hold"


@attack("B18")
async def test_metadata_is_taken_from_its_program_and_of_its_mint_alone(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    chains = open_chains(*nodes(1))
    nft(cluster, "bare", ALICE)
    bare = metadata_address(key("nft bare").pubkey())
    cluster.put(bare, METADATA, data("plain"))  # says that it is of another mint
    assert (await read(chains)).outcome == "does_not_hold"
    own = data("plain").replace(bytes(key("nft plain").pubkey()), bytes(key("nft bare").pubkey()))
    cluster.put(bare, SPL, own)  # another program's account at that address
    assert (await read(chains)).outcome == "does_not_hold"
    cluster.put(bare, METADATA, own)
    assert (await read(chains)).outcome == "holds"


async def test_both_token_programs_must_be_told_unless_one_is_enough(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    (node,) = nodes(1)
    chains = open_chains(node)
    nft(cluster, "plain", ALICE)
    node.errors[str(SPL_2022)] = -32010
    assert (await read(chains)).outcome == "holds"
    short = await read(chains, min="2")
    assert (short.outcome, short.held) == ("unknown", "1")
    assert "error -32010" in short.reason
    assert (await read(chains, address("bob"))).outcome == "unknown"
    node.errors = {str(SPL): -32010}
    assert (await read(chains)).outcome == "unknown"
    node.errors = {"getMultipleAccounts": -32000}
    assert (await read(chains)).outcome == "unknown"
    other = nodes(1)[0]
    node.errors = {str(SPL): -32010}
    assert (await read(open_chains(node, other))).outcome == "holds"


async def test_many_are_read_in_pieces_and_no_further_than_needed(
    cluster: Cluster, nodes: Nodes, open_chains: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metaplex, "MAX_ACCOUNTS", 1)
    monkeypatch.setattr(metaplex, "AT_ONCE", 2)
    (node,) = nodes(1)
    chains = open_chains(node)
    for name in (*MEMBERS, "unverified"):
        nft(cluster, name, ALICE)
    all_of_them = await read(chains, min="4")
    assert (all_of_them.outcome, all_of_them.held, len(all_of_them.tokens)) == ("holds", "4", 4)
    assert list(all_of_them.tokens) == sorted(all_of_them.tokens)
    before = len(node.requests)
    assert len((await read(chains)).tokens) == 1
    assert len(node.requests) - before <= 4
    monkeypatch.setattr(metaplex, "MAX_MINTS", 3)
    too_many = await read(chains, min="5")
    assert (too_many.outcome, too_many.reason) == ("unknown", "the wallet holds more than 3 NFTs")


async def test_with_a_most_what_is_told_in_part_is_unknown(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    (node,) = nodes(1)
    chains = open_chains(node)
    for name in ("plain", "edition"):
        nft(cluster, name, ALICE)
    assert (await read(chains, max="2")).outcome == "holds"
    assert (await read(chains, max="1")).outcome == "does_not_hold"
    node.errors[str(SPL_2022)] = -32010
    assert (await read(chains)).outcome == "holds"
    assert (await read(chains, max="2")).outcome == "unknown"
    assert (await read(chains, max="1")).outcome == "does_not_hold"


async def test_a_gain_may_have_to_be_final(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    chains = open_chains(*nodes(1))
    cluster.finalise()
    mint = nft(cluster, "plain", ALICE)
    assert (await read(chains)).outcome == "holds"
    answer = await read(chains, finality="finalized")
    assert (answer.outcome, answer.reason) == ("unknown", "held, but not final yet")
    cluster.finalise()
    assert (await read(chains, finality="finalized")).outcome == "holds"
    cluster.transfer(ALICE, BOB.pubkey(), mint)
    assert (await read(chains, finality="finalized")).outcome == "does_not_hold"


async def test_its_owner_is_warned_of_what_is_no_collection(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    reader = MetaplexReader(open_chains(*nodes(1)))
    mint, coin = nft(cluster, "parent", ALICE), cluster.mint()
    assert await reader.warn(Metaplex(chain=DEVNET, collection=str(mint))) == ()
    for wrong in (str(coin), address("bob")):
        (said,) = await reader.warn(Metaplex(chain=DEVNET, collection=wrong))
        assert "no Metaplex NFT" in said


# --- the layout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACCOUNTS["metadata"])
def test_metadata_reads_as_it_was_written(name: str) -> None:
    found = layouts.metadata(data(name))
    assert found is not None
    assert found.mint == to_bytes(ACCOUNTS["metadata"][name]["mint"])
    expected = {"unverified": None, "bare": None, "parent": None, "other": address("other collection")}
    wanted = expected.get(name, COLLECTION)
    assert found.collection == (None if wanted is None else to_bytes(wanted))
    standards = {"programmable": 4, "edition": 3, "fungible": 1, "legacy": None, "legacy fungible": None}
    assert found.standard == standards.get(name, 0)
    assert layouts.metadata(data(name) + bytes(200)) == found  # as the program pads it


def test_an_account_that_ends_early_is_of_no_collection() -> None:
    """As the program itself takes old ones; and never anything else than None or that."""
    whole = data("plain")
    cut = [layouts.metadata(whole[:length]) for length in range(len(whole))]
    assert all(found is None or found.collection is None for found in cut[: whole.index(to_bytes(COLLECTION)) + 32])


@given(st.binary(max_size=400))
def test_no_bytes_break_the_layouts(raw: bytes) -> None:
    for start in (b"", b"\x04", b"\x01", data("plain")[:300]):
        layouts.metadata(start + raw)
        layouts.core_asset(start + raw)
        layouts.mint(start + raw)
        layouts.token_account(start + raw)


def test_the_address_of_metadata_is_as_others_derive_it() -> None:
    mint = key("nft plain").pubkey()
    assert metadata_of(str(mint)) == str(metadata_address(mint))
    # As Metaplex' umi derives it for the USDC mint of the main net.
    assert metadata_of("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v") == "5x38Kp4hvdomTCnCrAny4UtMUt5rQBdB6px2K1Ui45Wq"
