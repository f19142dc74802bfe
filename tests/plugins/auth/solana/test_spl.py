"""Amounts of SPL Token and Token-2022, moved by the real programs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from solders.pubkey import Pubkey

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf
from streamgate.testing.attacks import attack
from streamgate.web.structure import FieldFaults
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.spl import Spl, SplReader
from tests.plugins.auth.solana.cluster import SPL, SPL_2022, Cluster, address, associated, key
from tests.plugins.auth.solana.conftest import DEVNET, Nodes, Open

ALICE, BOB = key("alice"), key("bob")
BOTH = pytest.mark.parametrize("program", [SPL, SPL_2022], ids=["spl", "token-2022"])


async def read(
    chains: SolanaChains, mint: Pubkey, *wallets: str, min_slot: int = 0, least: str = "1", **params: Any
) -> Reading:
    leaf = Leaf(
        params=Spl(chain=DEVNET, mint=str(mint), min=least, **params),
        addresses=wallets or (address("alice"),),
        min_block={DEVNET: min_slot},
    )
    return await SplReader(chains).read(leaf)


@BOTH
async def test_a_transfer_takes_it_and_gives_it(
    cluster: Cluster, nodes: Nodes, open_chains: Open, program: Pubkey
) -> None:
    chains = open_chains(*nodes(1))
    mint = cluster.mint(program=program, decimals=6)
    cluster.mint_to(ALICE.pubkey(), mint, 1_500_000)
    held = await read(chains, mint, least="1500000")
    assert (held.outcome, held.held, held.held_text, held.needed_text) == ("holds", "1500000", "1.5", "1.5")
    assert (held.held_by, held.block_number, held.nodes) == (address("alice"), cluster.slot, 1)
    assert (await read(chains, mint, least="1500001")).outcome == "does_not_hold"
    cluster.transfer(ALICE, BOB.pubkey(), mint, 1)
    lost = await read(chains, mint, least="1500000")
    assert (lost.outcome, lost.held) == ("does_not_hold", "1499999")
    assert (await read(chains, mint, address("bob"))).outcome == "holds"


@attack("A7")
@BOTH
async def test_an_empty_account_is_nothing(cluster: Cluster, nodes: Nodes, open_chains: Open, program: Pubkey) -> None:
    """Anybody can make one, for anybody."""
    chains = open_chains(*nodes(1))
    mint = cluster.mint(program=program)
    cluster.account(ALICE.pubkey(), mint)
    empty = await read(chains, mint)
    assert (empty.outcome, empty.held, empty.held_by) == ("does_not_hold", "0", "")
    cluster.mint_to(ALICE.pubkey(), mint)
    cluster.transfer(ALICE, BOB.pubkey(), mint)
    assert (await read(chains, mint)).outcome == "does_not_hold"
    cluster.close(ALICE, mint)
    assert (await read(chains, mint)).outcome == "does_not_hold"


@BOTH
async def test_accounts_of_a_wallet_are_added_up_and_wallets_are_not(
    cluster: Cluster, nodes: Nodes, open_chains: Open, program: Pubkey
) -> None:
    chains = open_chains(*nodes(1))
    mint = cluster.mint(program=program)
    cluster.mint_to(ALICE.pubkey(), mint, 2)
    second = cluster.second_account(ALICE.pubkey(), mint)
    cluster.mint_to(ALICE.pubkey(), mint, 3, account=second)
    cluster.mint_to(BOB.pubkey(), mint, 4)
    both = (address("bob"), address("alice"))
    assert (await read(chains, mint, *both, least="5")).held_by == address("alice")
    none = await read(chains, mint, *both, least="6")
    assert (none.outcome, none.held) == ("does_not_hold", "5")
    cluster.give_away(ALICE, second, BOB.pubkey(), mint)
    assert (await read(chains, mint, least="5")).held == "2"
    assert (await read(chains, mint, address("bob"), least="7")).outcome == "holds"


async def test_what_is_frozen_is_held_and_what_has_another_mint_is_not(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    chains = open_chains(*nodes(1))
    mint, other = cluster.mint(), cluster.mint()
    cluster.mint_to(ALICE.pubkey(), mint)
    cluster.freeze(ALICE.pubkey(), mint)
    assert (await read(chains, mint)).outcome == "holds"
    assert (await read(chains, other)).outcome == "does_not_hold"


async def test_a_mint_that_is_none_is_unknown_and_its_owner_is_warned(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    (node,) = nodes(1)
    chains = open_chains(node)
    mint = cluster.mint()
    cluster.mint_to(ALICE.pubkey(), mint)
    account = associated(ALICE.pubkey(), mint, SPL)
    for wrong in (BOB.pubkey(), account):
        answer = await read(chains, wrong)
        assert (answer.outcome, answer.reason) == ("unknown", "there is no such mint")
        assert len(await SplReader(chains).warn(Spl(chain=DEVNET, mint=str(wrong)))) == 1
    assert await SplReader(chains).warn(Spl(chain=DEVNET, mint=str(mint))) == ()
    health = chains.all()[0].health()[0]
    assert (health.failures, health.breaker) == (0, "closed")


@attack("B23")
async def test_a_gain_may_have_to_be_final_and_a_loss_counts_at_once(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    (node,) = nodes(1)
    chains, strict = open_chains(node), open_chains(node, finality="finalized")
    mint = cluster.mint()
    cluster.finalise()
    cluster.mint_to(ALICE.pubkey(), mint)
    for answer in (await read(chains, mint, finality="finalized"), await read(strict, mint)):
        assert (answer.outcome, answer.reason) == ("unknown", "held, but not final yet")
    assert (await read(chains, mint, finality="safe")).outcome == "holds"
    cluster.finalise()
    assert (await read(strict, mint)).outcome == "holds"
    cluster.transfer(ALICE, BOB.pubkey(), mint)
    assert (await read(strict, mint)).outcome == "does_not_hold"


async def test_rules_of_a_moment_are_one_request(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    (node,) = nodes(1)
    chains = open_chains(node)
    mints = [cluster.mint() for _ in range(10)]
    answers = await asyncio.gather(*(read(chains, mint, address("alice"), address("bob")) for mint in mints))
    assert {answer.outcome for answer in answers} == {"does_not_hold"}
    assert len(node.requests) == 1
    assert node.methods()[0] == "getGenesisHash"
    await read(chains, mints[0])
    assert node.requests[1] == ("getTokenAccountsByOwner", "getMultipleAccounts")


async def test_nobody_without_a_wallet_of_solana_holds(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    (node,) = nodes(1)
    mint = cluster.mint()
    answer = await read(open_chains(node), mint, "0x52908400098527886E0F7030069857D2E4169EE7")
    assert (answer.outcome, answer.held, node.requests) == ("does_not_hold", "0", [])


async def test_there_may_be_a_most(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    (node,) = nodes(1)
    chains, mint = open_chains(node), cluster.mint()
    cluster.finalise()
    for amount, outcome in ((1, "does_not_hold"), (1, "holds"), (1, "holds"), (1, "does_not_hold")):
        cluster.mint_to(ALICE.pubkey(), mint, amount)
        assert (await read(chains, mint, least="2", max="3")).outcome == outcome
    cluster.transfer(ALICE, BOB.pubkey(), mint)
    assert (await read(chains, mint, least="2", max="3", finality="finalized")).outcome == "unknown"
    cluster.finalise()
    assert (await read(chains, mint, least="2", max="3", finality="finalized")).outcome == "holds"
    with pytest.raises(FieldFaults):
        Spl(chain=DEVNET, mint=str(mint), min="3", max="2")
