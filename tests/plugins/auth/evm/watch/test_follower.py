"""Following a chain: who is told, once it is committed, and after a crash, a refusal or a reorganisation, too."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from streamgate.contracts.events import TokenTransferred
from streamgate.sdk.lease import LeadershipLost
from streamgate.testing.devchain import ChainClient, DevchainServer
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm import blocks
from streamgate_auth.evm.watch.follower import MAX_BLOCKS_BACK
from streamgate_auth.moved import people_with, tell_moved
from streamgate_auth.rpc.pool import NoAnswer
from tests.plugins.auth.evm.watch.conftest import Driven, driven
from tests.plugins.auth.people import person


async def test_both_sides_are_told_and_strangers_never(watch: Driven, devchain: ChainClient) -> None:
    giver, taker = await person(watch.home, "watch giver"), await person(watch.home, "watch taker")
    stranger, other = Wallet.named("watch stranger"), Wallet.named("watch other")
    token, theirs = devchain.mint(giver.wallet.address), devchain.mint(stranger.address)
    await watch.begin(devchain)
    devchain.transfer(stranger, other.address, theirs)
    block = devchain.transfer(giver.wallet, taker.wallet.address, token)
    await watch.follow(devchain.contract)
    [event] = await watch.heard.next()
    contract = devchain.contract.lower()
    assert event == TokenTransferred(
        subject_id=f"{devchain.chain}/{contract}",
        revision=1,
        chain=devchain.chain,
        contract=contract,
        user_ids=tuple(sorted([giver.actor.user_id, taker.actor.user_id])),
        block_number=event.block_number,
    )
    assert event.block_number >= block
    moved = [tokens for told in watch.told for tokens in told.moved]
    wallets = {wallet for tokens in moved for wallet in tokens.wallets or ()}
    assert {each.address.lower() for each in (giver.wallet, taker.wallet, stranger, other)} <= wallets
    devchain.transfer(taker.wallet, other.address, token)
    await watch.follow(devchain.contract)
    [event] = await watch.heard.next()
    assert (event.revision, event.user_ids) == (2, (taker.actor.user_id,))
    assert watch.heard.events == []


async def test_many_people_are_told_in_pages(watch: Driven) -> None:
    people = [f"p_{number:03d}" for number in range(450)]
    db = watch.home.plugins["auth"].db
    await db.write(
        lambda session: tell_moved(session, chain="solana:mainnet", contract="Mint", user_ids=people, block_number=9)
    )
    events = await watch.heard.next(3)
    assert [len(event.user_ids) for event in events] == [200, 200, 50]
    assert sorted(user_id for event in events for user_id in event.user_ids) == people
    assert {(event.subject_id, event.revision) for event in events} == {("solana:mainnet/Mint", 1)}


async def test_whose_wallets_they_are(watch: Driven) -> None:
    me = await person(watch.home, "watch me")
    strangers = [f"0x{number:040x}" for number in range(1, 900)]
    db = watch.home.plugins["auth"].db
    found = await db.read(lambda session: people_with(session, "eip155:1", [*strangers, me.wallet.address]))
    assert found == [me.actor.user_id]


async def test_what_moved_while_nobody_watched_is_told_later(tmp_path: Path, devchain: ChainClient) -> None:
    async with driven(tmp_path, devchain.rpc_url) as before:
        me = await person(before.home, "watch restarted")
        token = devchain.mint(me.wallet.address)
        await before.begin(devchain)
    devchain.transfer(me.wallet, Wallet.named("buyer").address, token)
    devchain.call("anvil_mine", "0x5")
    async with driven(tmp_path, devchain.rpc_url) as after:
        await after.follow(devchain.contract)
        [event] = await after.heard.next()
        assert event.user_ids == (me.actor.user_id,)


async def test_a_step_that_is_committed_is_told_whatever_happens_next(tmp_path: Path, devchain: ChainClient) -> None:
    """Killed between the commit and the telling: the relay of the next process does it."""
    async with driven(tmp_path, devchain.rpc_url) as before:
        me = await person(before.home, "watch killed")
        token = devchain.mint(me.wallet.address)
        await before.begin(devchain)
        [relay] = [unit for unit in before.home.plugins["auth"].db.units() if unit.name == "auth.outbox"]
        await relay.stop()
        devchain.transfer(me.wallet, Wallet.named("buyer").address, token)
        await before.follow(devchain.contract)
        assert before.heard.events == []
    async with driven(tmp_path, devchain.rpc_url) as after:
        [event] = await after.heard.next()
        assert (event.user_ids, event.revision) == ((me.actor.user_id,), 1)


async def test_who_leads_no_more_moves_nothing(watch: Driven, devchain: ChainClient) -> None:
    me = await person(watch.home, "watch deposed")
    await watch.begin(devchain)
    devchain.mint(me.wallet.address)
    following = watch.follower
    deposed = attrs.evolve(following._leadership, holder="somebody else")
    following._leadership, own = deposed, following._leadership
    with pytest.raises(LeadershipLost):
        await watch.follow(devchain.contract)
    following._leadership = own
    await watch.follow(devchain.contract)
    [event] = await watch.heard.next()
    assert (event.user_ids, event.revision) == ((me.actor.user_id,), 1)


async def test_nodes_that_give_few_blocks_at_a_time(
    tmp_path: Path, devchain: ChainClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MAX_LOG_REQUESTS", 4)
    with FaultyNode(devchain.rpc_url) as node:
        async with driven(tmp_path, node.url) as watch:
            me = await person(watch.home, "watch few")
            await watch.follow(devchain.contract)
            devchain.call("anvil_mine", hex(20))
            devchain.mint(me.wallet.address)
            node.max_log_blocks = 1  # more requests than one question may be split into
            failures = 0
            for _ in range(20):
                try:
                    await watch.follow(devchain.contract)
                    break
                except NoAnswer:
                    failures += 1
            [event] = await watch.heard.next()
    assert event.user_ids == (me.actor.user_id,)
    assert failures


async def test_a_reorganisation_is_told_to_the_people_of_both_branches(
    tmp_path: Path, own_devchain: DevchainServer
) -> None:
    with own_devchain.client() as chain:
        async with driven(tmp_path, chain.rpc_url) as watch:
            lost, other, won = [await person(watch.home, name) for name in ("lost", "other", "won")]
            token = chain.mint(lost.wallet.address)
            chain.fund(lost.wallet.address)
            await watch.begin(chain)
            for _ in range(3):
                chain.call("anvil_mine", "0x1")
                await watch.follow(chain.contract)
            kept = chain.block_number
            chain.transfer(lost.wallet, other.wallet.address, token)
            await watch.follow(chain.contract)
            chain.call("anvil_mine", "0x1")
            await watch.follow(chain.contract)
            [first] = await watch.heard.next()
            assert set(first.user_ids) == {lost.actor.user_id, other.actor.user_id}

            snapshot = chain.block_number
            chain.call("anvil_reorg", snapshot - kept, [])
            chain.mint(won.wallet.address)
            await watch.follow(chain.contract)
            back, forth = await watch.heard.next(2)
    assert (back.revision, set(back.user_ids)) == (2, {lost.actor.user_id, other.actor.user_id})
    assert (forth.revision, forth.user_ids) == (3, (won.actor.user_id,))
    rewound = [told for told in watch.told if told.rewinds == 1]
    assert rewound[0].block_number == kept
    assert not rewound[0].is_at_head
    assert watch.told[-1].is_at_head


async def test_a_chain_that_begins_anew_is_begun_anew(tmp_path: Path, own_devchain: DevchainServer) -> None:
    """The local chain without its state: nothing of what was known is there."""
    with own_devchain.client() as chain:
        async with driven(tmp_path, chain.rpc_url) as watch:
            me = await person(watch.home, "watch anew")
            await watch.follow(chain.contract)
            chain.mint(me.wallet.address)
            await watch.follow(chain.contract)
            chain.call("anvil_mine", hex(30))
            await watch.follow(chain.contract)
            assert len(await watch.heard.next()) == 1
            own_devchain.restart()
            await watch.follow(chain.contract)
            [again] = await watch.heard.next()
            assert (again.user_ids, again.block_number) == ((me.actor.user_id,), chain.block_number)
            chain.mint(me.wallet.address)
            await watch.follow(chain.contract)
            assert len(await watch.heard.next()) == 1


async def test_contracts_come_and_go(watch: Driven, devchain: ChainClient) -> None:
    me = await person(watch.home, "watch contracts")
    assert await watch.follower.step(watch.chain, frozenset()) is False
    assert watch.told == []
    await watch.follow(devchain.contract)
    both = frozenset({devchain.contract.lower(), "0x" + "1" * 40})
    while await watch.follower.step(watch.chain, both):
        pass
    assert watch.told[-1].contracts_version == watch.told[0].contracts_version + 1
    while await watch.follower.step(watch.chain, frozenset()):
        pass
    devchain.mint(me.wallet.address)
    count = len(watch.told)
    assert await watch.follower.step(watch.chain, frozenset()) is False
    assert len(watch.told) == count
    devchain.call("anvil_mine", hex(MAX_BLOCKS_BACK))
    await watch.follow(devchain.contract)  # what moved while nobody wanted to know is not told
    assert watch.heard.events == []


async def test_what_moved_just_before_a_contract_was_watched_is_told(watch: Driven, devchain: ChainClient) -> None:
    """Somebody may have begun to watch between the gate and the first look, and given their token away."""
    me = await person(watch.home, "watch soon")
    devchain.mint(me.wallet.address)
    await watch.follow(devchain.contract)
    [event] = await watch.heard.next()
    assert event.user_ids == (me.actor.user_id,)
    while await watch.follower.step(watch.chain, frozenset({"0x" + "1" * 40})):
        pass
    devchain.mint(me.wallet.address)
    while await watch.follower.step(watch.chain, frozenset({"0x" + "1" * 40})):
        pass
    both = frozenset({devchain.contract.lower(), "0x" + "1" * 40})
    while await watch.follower.step(watch.chain, both):
        pass
    [event] = await watch.heard.next()
    assert event.user_ids == (me.actor.user_id,)


@pytest.mark.parametrize("lag_blocks", [0, 5])
async def test_who_is_outrun_by_another_endpoint_vouches_for_nothing(
    tmp_path: Path, devchain: ChainClient, lag_blocks: int
) -> None:
    """Five blocks are a minute of this chain, in which a seller would go on watching."""
    devchain.call("anvil_mine", hex(MAX_BLOCKS_BACK))
    with FaultyNode(devchain.rpc_url) as slow, FaultyNode(devchain.rpc_url) as quick:
        slow.lag_blocks = lag_blocks
        quick.errors["eth_getBlockByNumber"] = -32000  # so that the first is followed
        async with driven(tmp_path, f"{slow.url},{quick.url}") as watch:
            await watch.follow(devchain.contract)
            assert watch.told[-1].block_number == devchain.block_number - lag_blocks
            assert watch.told[-1].is_at_head is (lag_blocks == 0)
