"""Core assets, and compressed ones by an index that is simulated here: see how-to/solana.md."""

from __future__ import annotations

from typing import Any

import pytest

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf
from streamgate.testing.clock import FakeClock
from streamgate_auth.solana import compressed as kind
from streamgate_auth.solana.asking import LACKS_S
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.compressed import Compressed, CompressedReader
from streamgate_auth.solana.core import Core, CoreReader
from streamgate_auth.solana.metaplex import Metaplex, MetaplexReader
from streamgate_auth.solana.spl import Spl, SplReader
from tests.plugins.auth.solana.cluster import CORE, SYSTEM, Cluster, address, key
from tests.plugins.auth.solana.conftest import DEVNET, Nodes, Open
from tests.plugins.auth.solana.metaplex import COLLECTION, CORE_COLLECTION, compressed, core

ALICE = address("alice")


async def read_core(chains: SolanaChains, *wallets: str, min_slot: int = 0, **params: Any) -> Reading:
    params = {"collection": CORE_COLLECTION, **params}
    leaf = Leaf(params=Core(chain=DEVNET, **params), addresses=wallets or (ALICE,), min_block={DEVNET: min_slot})
    return await CoreReader(chains).read(leaf)


async def read(chains: SolanaChains, *wallets: str, min_slot: int = 0, **params: Any) -> Reading:
    params = params if "tree" in params else {"collection": COLLECTION, **params}
    leaf = Leaf(params=Compressed(chain=DEVNET, **params), addresses=wallets or (ALICE,), min_block={DEVNET: min_slot})
    return await CompressedReader(chains).read(leaf)


# --- Core ---------------------------------------------------------------------------------------------


async def test_core_assets_count_by_who_may_change_them(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    chains = open_chains(*nodes(1))
    for name in ("of another", "by an address that looks like it", "of nobody", "of bob"):
        core(cluster, name)
    assert (await read_core(chains)).outcome == "does_not_hold"
    assert (await read_core(chains, address("bob"))).outcome == "holds"
    asset = core(cluster, "of the collection")
    held = await read_core(chains)
    assert (held.outcome, held.held, held.block_number) == ("holds", "1", cluster.slot)
    assert held.tokens == (f"{DEVNET}/{CORE_COLLECTION}/{asset}",)
    assert (await read_core(chains, min="2")).outcome == "does_not_hold"


async def test_a_core_asset_that_is_sold_or_burnt_is_gone(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    chains, where = open_chains(*nodes(1)), key("asset").pubkey()
    core(cluster, "of the collection", where)
    assert (await read_core(chains)).outcome == "holds"
    core(cluster, "of bob", where)
    assert (await read_core(chains)).outcome == "does_not_hold"
    cluster.put(where, SYSTEM, b"\x00")
    assert (await read_core(chains, address("bob"))).outcome == "does_not_hold"


async def test_a_node_that_searches_nothing_is_left_out_and_not_called_unwell(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    lacks, has = nodes(2)
    lacks.errors["getProgramAccounts"] = -32010
    core(cluster, "of the collection")
    clock = FakeClock()
    chains = open_chains(lacks, has, clock=clock)
    for _ in range(3):
        assert (await read_core(chains)).outcome == "holds"
    assert lacks.methods().count("getProgramAccounts") == 1
    assert chains.all()[0].health()[0].failures == 0
    clock.jump(LACKS_S + 1)
    lacks.behave()
    assert (await read_core(chains)).outcome == "holds"
    alone = open_chains(lacks)
    lacks.errors["getProgramAccounts"] = -32601
    for reason in ("endpoint 1: it does not offer that", "no endpoint offers that"):
        answer = await read_core(alone)
        assert (answer.outcome, answer.reason) == ("unknown", f"{DEVNET}: {reason}")


async def test_a_node_that_ignores_what_was_asked_for_is_not_believed(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    (node,) = nodes(1)
    core(cluster, "of bob")
    how = {"withContext": True, "commitment": "confirmed"}
    node.results["getProgramAccounts"] = node._result("getProgramAccounts", [str(CORE), how])
    assert (await read_core(open_chains(node), address("bob"))).outcome == "holds"
    assert (await read_core(open_chains(node))).outcome == "unknown"
    late = await read_core(open_chains(node), address("bob"), min_slot=cluster.slot + 1)
    assert late.outcome == "unknown"


async def test_its_owner_is_warned_of_what_is_no_core_collection(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    reader = CoreReader(open_chains(*nodes(1)))
    core(cluster, "collection", key("core collection").pubkey())
    asset = core(cluster, "of the collection")
    assert await reader.warn(Core(chain=DEVNET, collection=CORE_COLLECTION)) == ()
    for wrong in (asset, ALICE):
        assert len(await reader.warn(Core(chain=DEVNET, collection=wrong))) == 1


# --- compressed ---------------------------------------------------------------------------------------


async def test_a_compressed_one_counts_by_its_verified_collection_or_its_tree(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    chains = open_chains(*nodes(1))
    cluster.assets.append(compressed(ALICE, 1))
    held = await read(chains)
    assert (held.outcome, held.held, held.block_number) == ("holds", "1", None)
    assert held.tokens == (f"{DEVNET}/{COLLECTION}/{address('asset 1')}",)
    assert (await read(chains, tree=address("tree"))).outcome == "holds"
    assert (await read(chains, tree=address("another tree"))).outcome == "does_not_hold"
    assert (await read(chains, address("bob"))).outcome == "does_not_hold"
    assert (await read(chains, min="2")).outcome == "does_not_hold"


def group(**said: Any) -> list[dict[str, Any]]:
    return [{"group_key": "collection", "group_value": COLLECTION, **said}]


NO_MEMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "unverified": ({"grouping": group(verified=False)}, "does_not_hold"),
    "not said whether it is verified": ({"grouping": group()}, "unknown"),
    "verified is a word": ({"grouping": group(verified="yes")}, "unknown"),
    "burnt": ({"burnt": True}, "does_not_hold"),
    "not compressed": ({"compression": {"compressed": False, "tree": ""}}, "does_not_hold"),
    "of another": ({"ownership": {"owner": address("bob")}}, "does_not_hold"),
    "of no form": ({"ownership": None}, "unknown"),
    "burnt is a word": ({"burnt": "no"}, "unknown"),
}


@pytest.mark.parametrize("name", NO_MEMBERS)
async def test_what_the_index_tells_is_looked_at(nodes: Nodes, open_chains: Open, name: str) -> None:
    """Whatever was asked for."""
    (node,) = nodes(1)
    changed, outcome = NO_MEMBERS[name]
    node.results["searchAssets"] = {"items": [compressed(ALICE, 1, **changed)]}
    assert (await read(open_chains(node))).outcome == outcome
    node.results["searchAssets"]["items"].append(compressed(ALICE, 2))
    is_page_broken = name in ("of no form", "burnt is a word")
    assert (await read(open_chains(node))).outcome == ("unknown" if is_page_broken else "holds")


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"items": {}}, {"items": [None]}, {"items": [], "last_indexed_slot": "1"}]
)
async def test_an_index_of_no_form_is_none(nodes: Nodes, open_chains: Open, answer: Any) -> None:
    (node,) = nodes(1)
    node.results["searchAssets"] = answer
    assert (await read(open_chains(node))).outcome == "unknown"


async def test_pages_are_turned_until_it_is_enough(
    cluster: Cluster, nodes: Nodes, open_chains: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    (node,) = nodes(1)
    chains = open_chains(node)
    others = [compressed(ALICE, n, compression={"compressed": True, "tree": address("t")}) for n in range(200)]
    cluster.assets += [*others, compressed(ALICE, 200)]
    assert (await read(chains, tree=address("tree"))).outcome == "holds"
    assert node.methods().count("getAssetsByOwner") == 3
    assert (await read(chains, tree=address("tree"), min="2")).outcome == "does_not_hold"
    node.requests.clear()
    assert len((await read(chains, tree=address("t"), min="3")).tokens) == 3
    assert node.methods() == ["getAssetsByOwner"]
    monkeypatch.setattr(kind, "MAX_PAGES", 2)
    cut = await read(chains, tree=address("tree"))
    assert (cut.outcome, "more than" in cut.reason) == ("unknown", True)


async def test_an_index_that_does_not_say_how_far_it_is_has_not_seen_a_transfer(
    cluster: Cluster, nodes: Nodes, open_chains: Open
) -> None:
    (node,) = nodes(1)
    cluster.assets.append(compressed(ALICE, 1))
    seen = cluster.slot
    assert (await read(open_chains(node), min_slot=seen)).outcome == "unknown"
    for slot, outcome in ((seen - 1, "unknown"), (seen, "holds")):
        node.results["searchAssets"] = {"items": cluster.assets, "last_indexed_slot": slot}
        assert (await read(open_chains(node), min_slot=seen)).outcome == outcome


async def test_an_index_is_asked_where_there_is_one(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    lacks, has = nodes(2)
    lacks.has_index = False
    cluster.assets.append(compressed(ALICE, 1))
    chains = open_chains(lacks, has, clock=FakeClock())
    for _ in range(3):
        assert (await read(chains)).outcome == "holds"
    assert lacks.methods().count("searchAssets") == 1
    assert (await read(open_chains(lacks))).outcome == "unknown"


async def test_what_must_be_final_is_not_told_by_an_index(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    cluster.assets.append(compressed(ALICE, 1))
    chains = open_chains(*nodes(1), finality="finalized")
    answer = await read(chains)
    assert (answer.outcome, answer.reason) == ("unknown", "an index of assets knows no finality")
    check = CompressedReader(chains).kind().check
    assert check is not None
    with pytest.raises(ValueError, match="knows no finality"):
        await check(Compressed(chain=DEVNET, collection=COLLECTION))


async def test_its_owner_is_warned_of_what_is_no_tree(cluster: Cluster, nodes: Nodes, open_chains: Open) -> None:
    reader = CompressedReader(open_chains(*nodes(1)))
    (said,) = await reader.warn(Compressed(chain=DEVNET, tree=ALICE))
    assert "no tree" in said
    assert await reader.warn(Compressed(chain=DEVNET, collection=ALICE)) == ()


async def test_its_owner_is_told_where_nobody_could_look(nodes: Nodes, open_chains: Open) -> None:
    (node,) = nodes(1)
    chains = open_chains(node)
    node.is_dead = True
    said = [
        *await SplReader(chains).warn(Spl(chain=DEVNET, mint=ALICE)),
        *await MetaplexReader(chains).warn(Metaplex(chain=DEVNET, collection=ALICE)),
        *await CoreReader(chains).warn(Core(chain=DEVNET, collection=ALICE)),
        *await CompressedReader(chains).warn(Compressed(chain=DEVNET, tree=ALICE)),
    ]
    assert len(said) == 4
    for each in said:
        assert each.startswith(f"whether {ALICE} is a ")
        assert f"could not be checked: {DEVNET}" in each


@pytest.mark.parametrize(
    "params", [{}, {"collection": COLLECTION, "tree": ALICE}, {"tree": "x"}, {"tree": ALICE, "min": "1001"}]
)
def test_either_a_collection_or_a_tree(params: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"must be|must have either"):
        Compressed(chain=DEVNET, **params)
