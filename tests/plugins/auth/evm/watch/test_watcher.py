"""The watcher at work in a process of auth: decisions are kept, and end with the transfer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from streamgate.contracts.events import TOKEN_TRANSFERRED
from streamgate.events import on_group
from streamgate.testing.attacks import attack
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet
from tests.plugins.auth.evm.watch.conftest import Heard, config_for
from tests.plugins.auth.people import NAMES, Person, content_of, decide, holds_one, kernel_settings, person

SOON_S = 0.05


@attrs.frozen
class Watching:
    home: House
    node: FaultyNode
    heard: Heard
    owner: Person
    viewer: Person
    content_id: str

    async def has_read(self) -> bool:
        """Whether a decision asks the chain."""
        count = self.node.methods().count("eth_call")
        assert (await decide(self.home, self.viewer.actor, self.content_id)).outcome == "holds"
        return self.node.methods().count("eth_call") > count


@pytest.fixture
async def watching(tmp_path: Path, devchain: ChainClient) -> AsyncIterator[Watching]:
    """A viewer who holds a token, and answers that live for a minute without a watcher."""
    heard = Heard()
    with FaultyNode(devchain.rpc_url) as node:
        configs = {"auth": config_for(node.url, watch=True, watch_interval_s=SOON_S, cache_s=60.0)}
        subscriptions = [on_group(TOKEN_TRANSFERRED, heard.hear, group="test")]
        settings = kernel_settings(tmp_path)
        async with house(tmp_path, NAMES, settings=settings, configs=configs, subscriptions=subscriptions) as home:
            owner, viewer = await person(home, "watching owner"), await person(home, "watching viewer")
            devchain.mint(viewer.wallet.address)
            content_id = await content_of(home, owner.actor, holds_one(devchain))
            yield Watching(home, node, heard, owner, viewer, content_id)


async def test_a_transfer_is_heard_of_and_ends_what_was_kept(watching: Watching, devchain: ChainClient) -> None:
    token = devchain.mint(watching.viewer.wallet.address)
    other = token - 1  # the fixture's
    await vouched_for(watching)
    for each in (token, other):
        devchain.transfer(watching.viewer.wallet, Wallet.named("watching buyer").address, each)

    async def refused() -> bool | None:
        decision = await decide(watching.home, watching.viewer.actor, watching.content_id)
        return True if decision.outcome == "does_not_hold" else None

    await eventually(refused)
    [event, *_] = await watching.heard.next(1)
    assert event.user_ids == (watching.viewer.actor.user_id,)


async def test_while_the_watcher_vouches_nothing_is_read_and_the_lease_goes_on(watching: Watching) -> None:
    first = await vouched_for(watching)
    read_at_s = first
    while read_at_s < first + 0.3:
        assert not await watching.has_read()
        read_at_s = (await decide(watching.home, watching.viewer.actor, watching.content_id)).read_at_s
        await asyncio.sleep(SOON_S)


async def test_whoever_must_have_seen_a_later_block_gets_a_later_answer(
    watching: Watching, devchain: ChainClient
) -> None:
    await vouched_for(watching)
    devchain.call("anvil_mine", "0x1")
    block = {devchain.chain: devchain.block_number}
    decision = await decide(watching.home, watching.viewer.actor, watching.content_id, min_block=block)
    assert decision.outcome == "holds"
    assert (decision.explanation.block_number or 0) >= devchain.block_number


async def test_whoever_wants_a_younger_read_gets_it(tmp_path: Path, devchain: ChainClient) -> None:
    erc721 = {"chain": devchain.chain, "contract": devchain.contract}
    with FaultyNode(devchain.rpc_url) as node:
        configs = {"auth": config_for(node.url, cache_s=60.0)}
        async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs=configs) as home:
            owner, viewer = await person(home, "young owner"), await person(home, "young viewer")
            devchain.mint(viewer.wallet.address)
            for rule in ({"erc721": erc721}, {"native": {"chain": devchain.chain, "max": str(2**250)}}):
                content_id = await content_of(home, owner.actor, rule)
                times = []
                for max_age_s in (None, 30.0, 0.0):
                    decision = await decide(home, viewer.actor, content_id, max_age_s=max_age_s)
                    times.append(decision.read_at_s or 0.0)
                assert times[0] <= times[1] < times[2], rule


async def test_one_who_had_nothing_and_buys_is_let_in_soon(watching: Watching, devchain: ChainClient) -> None:
    buyer = await person(watching.home, "watching late buyer")
    assert (await decide(watching.home, buyer.actor, watching.content_id)).outcome == "does_not_hold"
    devchain.mint(buyer.wallet.address)

    async def let_in() -> bool | None:
        return True if (await decide(watching.home, buyer.actor, watching.content_id)).outcome == "holds" else None

    await eventually(let_in, timeout_s=4.0)


@pytest.mark.parametrize("is_listed", [False, True], ids=["token_id", "token_ids"])
async def test_who_buys_a_certain_token_is_let_in_at_once(
    watching: Watching, devchain: ChainClient, is_listed: bool
) -> None:
    """Whose it was has been kept, as somebody else's."""
    home, buyer = watching.home, await person(watching.home, "watching buyer of one")
    token = devchain.mint(watching.viewer.wallet.address)
    which = {"token_ids": {"from": str(token), "to": str(token)}} if is_listed else {"token_id": str(token)}
    rule = {"erc721": {"chain": devchain.chain, "contract": devchain.contract, **which}}
    content_id = await content_of(home, watching.owner.actor, rule)
    await vouched_for(watching)
    for who, outcome in ((watching.viewer, "holds"), (buyer, "does_not_hold")):
        assert (await decide(home, who.actor, content_id)).outcome == outcome
    devchain.transfer(watching.viewer.wallet, buyer.wallet.address, token)
    assert (await decide(home, buyer.actor, content_id)).outcome == "holds"


async def test_administrators_see_how_far_it_is(watching: Watching, devchain: ChainClient) -> None:
    await vouched_for(watching)
    admin = attrs.evolve(watching.owner.actor, roles=("viewer", "admin"))
    async with watching.home.client(admin) as http:
        [chain] = (await http.get("/api/v1/auth/chains/health")).json()["items"]
    watcher = chain["watcher"]
    assert (watcher["block_number"], watcher["is_at_head"]) == (devchain.block_number, True)
    assert 0 <= watcher["heard_s"] < 5


async def vouched_for(watching: Watching) -> float:
    """Waits until the time of an answer moves without a read; that time."""

    async def moves() -> float | None:
        before = await decide(watching.home, watching.viewer.actor, watching.content_id)
        await asyncio.sleep(2 * SOON_S)
        after = await decide(watching.home, watching.viewer.actor, watching.content_id)
        return after.read_at_s if after.read_at_s > before.read_at_s else None

    return await eventually(moves)


@attack("B21")
async def test_a_node_that_keeps_logs_to_itself_opens_nothing_for_longer(
    watching: Watching, devchain: ChainClient
) -> None:
    """Neither a liar nor one of several behind a balancer that lags: the watcher hears nothing, and is at the head."""
    home, viewer, token = watching.home, watching.viewer, devchain.mint(watching.viewer.wallet.address)
    rule = {"erc721": {"chain": devchain.chain, "contract": devchain.contract, "token_id": str(token)}}
    content_id = await content_of(home, watching.owner.actor, rule)
    assert (await decide(home, viewer.actor, content_id)).outcome == "holds"
    await vouched_for(watching)
    watching.node.hides_logs = True
    devchain.transfer(viewer.wallet, Wallet.named("watching quiet buyer").address, token)

    async def is_refused() -> bool | None:
        decision = await decide(home, viewer.actor, content_id, max_age_s=0.2)
        return True if decision.outcome == "does_not_hold" else None

    await eventually(is_refused, timeout_s=5, every_s=0.05, what="the refusal")
