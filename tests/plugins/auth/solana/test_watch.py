"""What playback rests on is looked at again, and whose it no longer is is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.events import TOKEN_TRANSFERRED, TokenTransferred
from streamgate.contracts.hooks import Leaf
from streamgate.errors import Unavailable
from streamgate.events import Received, on_group
from streamgate.settings import Secret
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import House, house
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.solana import watch
from streamgate_auth.solana.chain import SolanaChain
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.core import Core
from streamgate_auth.solana.kinds import solana_kinds
from streamgate_auth.solana.metaplex import Metaplex
from streamgate_auth.solana.reads import Held, Told
from streamgate_auth.solana.spl import Spl
from streamgate_auth.solana.watch import KEPT_S, HoldingsWatch
from tests.plugins.auth.people import (
    NAMES,
    SolanaWallet,
    actor_of,
    content_of,
    decide,
    kernel_settings,
    person,
    sign_in_by,
    until,
)
from tests.plugins.auth.solana.cluster import SYSTEM, Cluster, address, key
from tests.plugins.auth.solana.conftest import DEVNET, Nodes, Open
from tests.plugins.auth.solana.metaplex import COLLECTION, CORE_COLLECTION, core, nft
from tests.plugins.auth.solana.node import SolanaNode

ALICE, BOB = key("alice"), key("bob")
VIEWER = Actor(kind="user", user_id="p_alice")


@attrs.frozen
class Watching:
    """A cluster by one node, and Alice, for whom leaves are read as decisions do."""

    cluster: Cluster
    node: SolanaNode
    chains: SolanaChains
    clock: FakeClock

    @property
    def chain(self) -> SolanaChain:
        (chain,) = self.chains.all()
        return chain

    async def holds(self, params: Any, *, actor: Actor = VIEWER, content_id: str = "c_1") -> None:
        leaf = Leaf(params=params, addresses=(address("alice"),), min_block={}, actor=actor, content_id=content_id)
        (kind,) = [kind for kind in solana_kinds(self.chains) if kind.params is type(params)]
        assert (await kind.read(leaf)).outcome == "holds"

    async def lost(self) -> list[str]:
        """Of which contracts; it is forgotten then."""
        found, _ = await self.chain.watch.poll(self.chain.read)
        self.chain.watch.forget(found)
        assert {each.noted.user_id for each in found} <= {VIEWER.user_id}
        assert {each.slot for each in found} <= {self.cluster.slot}
        return [each.noted.contract for each in found]


@pytest.fixture
def watching(cluster: Cluster, nodes: Nodes, open_chains: Open) -> Watching:
    (node,), clock = nodes(1), FakeClock()
    return Watching(cluster, node, open_chains(node, clock=clock), clock)


@pytest.fixture
def mint(cluster: Cluster) -> Pubkey:
    """Two of it are Alice's."""
    made = cluster.mint()
    cluster.mint_to(ALICE.pubkey(), made, 2)
    return made


async def test_less_of_a_mint_is_lost_once_and_more_is_not(watching: Watching, mint: Pubkey) -> None:
    await watching.holds(Spl(chain=DEVNET, mint=str(mint)))
    assert await watching.lost() == []
    watching.cluster.mint_to(ALICE.pubkey(), mint)
    assert await watching.lost() == []
    watching.cluster.transfer(ALICE, BOB.pubkey(), mint, 2)
    assert await watching.lost() == [str(mint)]
    assert await watching.lost() == []
    assert watching.chain.watch.accounts == 0
    await watching.holds(Spl(chain=DEVNET, mint=str(mint)))  # one is left, and looked after
    assert watching.chain.watch.accounts == 1


async def test_an_account_that_is_closed_or_changes_hands_is_lost(watching: Watching, mint: Pubkey) -> None:
    second = watching.cluster.second_account(ALICE.pubkey(), mint)
    watching.cluster.mint_to(ALICE.pubkey(), mint, account=second)
    await watching.holds(Spl(chain=DEVNET, mint=str(mint)))
    watching.cluster.give_away(ALICE, second, BOB.pubkey(), mint)
    assert await watching.lost() == [str(mint)]
    await watching.holds(Spl(chain=DEVNET, mint=str(mint)))
    watching.cluster.transfer(ALICE, BOB.pubkey(), mint, 2)
    watching.cluster.close(ALICE, mint)
    assert await watching.lost() == [str(mint)]


async def test_nfts_and_core_assets_are_looked_at_too(watching: Watching) -> None:
    member, where = nft(watching.cluster, "plain", ALICE), key("asset").pubkey()
    core(watching.cluster, "of the collection", where)
    await watching.holds(Metaplex(chain=DEVNET, collection=COLLECTION))
    await watching.holds(Core(chain=DEVNET, collection=CORE_COLLECTION))
    assert (await watching.lost(), watching.chain.watch.accounts) == ([], 2)
    watching.cluster.transfer(ALICE, BOB.pubkey(), member)
    assert await watching.lost() == [COLLECTION]
    core(watching.cluster, "of bob", where)
    assert await watching.lost() == [CORE_COLLECTION]
    core(watching.cluster, "of the collection", where)
    await watching.holds(Core(chain=DEVNET, collection=CORE_COLLECTION))
    watching.cluster.put(where, SYSTEM, b"\x00")  # burnt
    assert await watching.lost() == [CORE_COLLECTION]


async def test_rules_of_one_mint_are_looked_after_each_for_itself(watching: Watching) -> None:
    names = ["plain", "edition"]
    made = {str(nft(watching.cluster, name, ALICE)): name for name in names}
    await watching.holds(Metaplex(chain=DEVNET, collection=COLLECTION, min="2"))
    await watching.holds(Metaplex(chain=DEVNET, collection=COLLECTION))
    assert watching.chain.watch.accounts == 3
    last = key(f"nft {made[max(made)]}").pubkey()
    watching.cluster.transfer(ALICE, BOB.pubkey(), last)
    assert await watching.lost() == [COLLECTION]
    assert watching.chain.watch.accounts == 1


async def test_what_is_only_tried_is_not_looked_after(watching: Watching, mint: Pubkey) -> None:
    rule = Spl(chain=DEVNET, mint=str(mint))
    await watching.holds(rule, actor=ANONYMOUS)
    await watching.holds(rule, content_id="")
    assert watching.chain.watch.accounts == 0
    before = len(watching.node.requests)
    assert await watching.lost() == []
    assert len(watching.node.requests) == before


async def test_a_node_that_is_behind_or_fails_loses_nothing(watching: Watching, mint: Pubkey) -> None:
    watching.cluster.transfer(ALICE, BOB.pubkey(), mint)
    watching.cluster.transfer(BOB, ALICE.pubkey(), mint)
    await watching.holds(Spl(chain=DEVNET, mint=str(mint), min="2"))
    watching.node.lag_states = 2  # where Bob had it
    assert await watching.lost() == []
    watching.node.behave()
    watching.cluster.transfer(ALICE, BOB.pubkey(), mint)
    watching.node.errors["getMultipleAccounts"] = -32000
    found, reasons = await watching.chain.watch.poll(watching.chain.read)
    assert (found, len(reasons)) == ([], 1)
    watching.node.behave()
    assert await watching.lost() == [str(mint)]


async def test_what_is_not_decided_any_more_is_forgotten(watching: Watching, mint: Pubkey) -> None:
    await watching.holds(Spl(chain=DEVNET, mint=str(mint)))
    watching.clock.jump(KEPT_S)
    assert (await watching.lost(), watching.chain.watch.accounts) == ([], 1)
    watching.clock.jump(1)
    assert (await watching.lost(), watching.chain.watch.accounts) == ([], 0)


async def test_accounts_are_read_by_the_hundred_and_so_many_at_most(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet, found = str(Keypair().pubkey()), watching.chain.watch
    for number in range(150):
        found.note(number, "m", wallet, VIEWER.user_id, [Held(str(Keypair().pubkey()), "m", 1)], 0)
    assert len(await watching.lost()) == 150
    assert watching.node.methods().count("getMultipleAccounts") == 2
    monkeypatch.setattr(watch, "MAX_WATCHED", 2)
    for number in range(3):
        found.note(number, "m", wallet, VIEWER.user_id, [Held(str(Keypair().pubkey()), "m", 1)], 0)
    assert found.accounts == 2


async def test_what_was_noted_anew_meanwhile_is_kept() -> None:
    clock = FakeClock()
    found, held = HoldingsWatch(clock), [Held(address("account"), "m", 1)]
    found.note("rule", "m", address("alice"), "p", held, 0)

    async def renewed(reads: Any) -> list[Any]:
        found.note("rule", "m", address("alice"), "p", held, 9)
        return [Told((None,), 5, 0.0)]

    lost, _ = await found.poll(renewed)
    assert len(lost) == 1
    found.forget(lost)
    assert found.accounts == 1


# --- in the whole of auth -----------------------------------------------------------------------------


@attrs.frozen
class Heard:
    events: list[TokenTransferred] = attrs.field(factory=list)

    async def hear(self, event: Received[TokenTransferred]) -> None:
        self.events.append(event.body)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def home(tmp_path: Path, nodes: Nodes, heard: Heard) -> AsyncIterator[House]:
    chain = ChainSettings(rpc_urls=(Secret(nodes(1)[0].url),))
    configs = {"auth": AuthConfig(chains={DEVNET: chain}, watch_interval_s=0.05)}
    subscriptions = [on_group(TOKEN_TRANSFERRED, heard.hear, group="test")]
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, NAMES, settings=settings, configs=configs, subscriptions=subscriptions) as home:
        yield home


async def test_a_transfer_is_told_of_with_the_person_whose_it_was(
    home: House, heard: Heard, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = SolanaWallet.named("watched")
    async with home.client() as http:
        viewer = actor_of(await sign_in_by(http, wallet, "siws"))
    mint, keys = cluster.mint(), Keypair.from_seed(wallet.seed)
    cluster.mint_to(keys.pubkey(), mint, 2)
    owner = (await person(home, "owner")).actor
    content_id = await content_of(home, owner, {"spl": {"chain": DEVNET, "mint": str(mint)}})
    assert (await decide(home, viewer, content_id)).outcome == "holds"

    db, failures = home.plugins["auth"].db, iter([True])
    write = db.write

    async def fails_once(work: Any) -> Any:
        if next(failures, False):
            raise Unavailable("the database is away")
        return await write(work)

    monkeypatch.setattr(db, "write", fails_once)
    cluster.transfer(keys, BOB.pubkey(), mint, 2)
    await until(lambda: bool(heard.events))
    event = heard.events[0]
    assert (event.subject_id, event.user_ids) == (f"{DEVNET}/{mint}", (viewer.user_id,))
    assert event.block_number == cluster.slot
    assert next(failures, None) is None
    refused = await decide(home, viewer, content_id, min_block={DEVNET: event.block_number})
    assert refused.outcome == "does_not_hold"
