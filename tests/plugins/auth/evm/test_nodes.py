"""Nodes that lie, lag, fail, flood, hang or are of another chain, before a real one: the truth, or *unknown*."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from loguru import logger

from streamgate.testing.attacks import attack
from streamgate.testing.devchain import ChainClient
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.measure import balance_of, owner_of, word
from streamgate_auth.evm.reads import ChainRead, HasCode, NativeBalance, Returned, Reverted, Unread
from tests.plugins.auth.evm.conftest import Open

Nodes = Callable[[int], list[FaultyNode]]


async def balance(chain: Chain, contract: str, wallet: Wallet, **how: Any) -> tuple[int | None, int | None] | str:
    """At the head and where it is confirmed; the reason where it is unknown."""
    answer = await chain.call(balance_of(contract, wallet.address), **how)
    return answer.reason if isinstance(answer, Unread) else (word(answer.latest), word(answer.confirmed))


@pytest.fixture
def holder(devchain: ChainClient, request: pytest.FixtureRequest) -> Wallet:
    """Holds one token of the demo collection."""
    wallet = Wallet.named(request.node.name)
    devchain.mint(wallet.address)
    return wallet


async def test_many_reads_are_one_request(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    (node,) = nodes(1)
    chain = await open_chain(node)
    reads: list[ChainRead] = [
        *(balance_of(devchain.contract, Wallet.named(str(n)).address) for n in range(10)),
        balance_of(devchain.contract, holder.address),
        NativeBalance(devchain.call("eth_accounts")[0]),
        HasCode(devchain.contract),
        HasCode(holder.address),
        owner_of(devchain.contract, str(2**255)),
    ]
    head = devchain.block_number
    answers = await asyncio.gather(*(chain.call(read) for read in reads))
    assert node.requests == [("eth_call",)]
    assert all(isinstance(answer, Read) and answer.block_number == head for answer in answers)
    results = [answer.latest for answer in answers if isinstance(answer, Read)]
    assert [word(result) for result in results[:11]] == [0] * 10 + [1]
    assert (word(results[11]) or 0) > 10**18
    assert results[12:] == [Returned(b"\x01"), Returned(b""), Reverted()]


async def test_a_confirmed_read_is_one_request_too(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    (node,) = nodes(1)
    chain = await open_chain(node, confirmations=2)
    assert await balance(chain, devchain.contract, holder) == (1, 0)
    devchain.call("anvil_mine", "0x2")
    assert await balance(chain, devchain.contract, holder) == (1, 1)
    node.requests.clear()
    assert await balance(chain, devchain.contract, holder) == (1, 1)
    assert node.requests == [("eth_call", "eth_call")]


@pytest.mark.parametrize("tag", ["safe", "finalized"])
async def test_a_gain_may_have_to_be_seen_where_the_chain_calls_it_final(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet, tag: Any
) -> None:
    for batching in ("auto", "single"):
        wallet = Wallet.named(f"{batching} {tag}")
        devchain.mint(wallet.address)
        chain = await open_chain(*nodes(1), batching=batching)
        assert await balance(chain, devchain.contract, wallet) == (1, 1)
        assert await balance(chain, devchain.contract, wallet, finality=tag) == (1, 0)
        devchain.call("anvil_mine", "0x4")
        assert await balance(chain, devchain.contract, wallet, finality=tag) == (1, 1)


async def test_an_earlier_state_can_be_asked_for(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    chain, before = await open_chain(*nodes(2), quorum=2), devchain.block_number - 1
    now, then = await asyncio.gather(
        balance(chain, devchain.contract, holder),
        balance(chain, devchain.contract, holder, at_block=before),
    )
    assert [now, then] == [(1, 1), (0, 0)]


# --- faults -----------------------------------------------------------------------------------------


def fail_calls(node: FaultyNode) -> None:
    node.errors["eth_call"] = -32000


FAULTS: dict[str, tuple[Callable[[FaultyNode], object], str]] = {
    "dead": (lambda node: setattr(node, "is_dead", True), "unreachable"),
    "slow": (lambda node: setattr(node, "delay_s", 30.0), "timeout"),
    "status 500": (lambda node: setattr(node, "status", 500), "status"),
    "status 429": (lambda node: setattr(node, "status", 429), "rate_limited"),
    "garbage": (lambda node: setattr(node, "body", b"<html>"), "malformed"),
    "flood": (lambda node: setattr(node, "drip_bytes", 1 << 22), "too_large"),
    "another chain": (lambda node: setattr(node, "chain_number", 5), "wrong_chain"),
    "tells its head and fails each call": (fail_calls, "refused"),
}


@pytest.mark.parametrize("batching", ["auto", "single"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_node_is_unknown_alone_and_replaced_where_there_is_another(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet, fault: str, batching: str
) -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message) + str(message.record["extra"])), level="DEBUG")
    bad, good = nodes(2)
    FAULTS[fault][0](bad)
    patience_s = 1.0 if fault == "slow" else 10.0
    chain = await open_chain(bad, timeout_s=patience_s, batching=batching)
    alone = await balance(chain, devchain.contract, holder)
    logger.remove(sink)
    assert isinstance(alone, str)
    (health,) = chain.health()
    assert (health.last_fault, health.failures, health.host) == (FAULTS[fault][1], 1, "127.0.0.1")
    assert not [text for text in (alone, str(health), *said) if "secret" in text or "http:" in text]
    chain = await open_chain(bad, good, hedge_s=0.1, batching=batching)
    assert await balance(chain, devchain.contract, holder) == (1, 1)


@attack("B21")
async def test_a_node_of_another_chain_is_left_out_from_the_first_look_at_its_head(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    first, second = nodes(2)
    first.chain_number = 5
    chain = await open_chain(first, second)
    assert await balance(chain, devchain.contract, holder) == (1, 1)
    assert [each.breaker for each in chain.health()] == ["open", "closed"]


async def test_a_slow_node_is_not_waited_for(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    slow, quick = nodes(2)
    chain = await open_chain(slow, quick, hedge_s=0.05)
    await balance(chain, devchain.contract, holder)
    slow.delay_s = 4.0
    async with asyncio.timeout(2):
        assert await balance(chain, devchain.contract, holder) == (1, 1)


async def test_a_node_that_creates_nothing_is_asked_singly_from_then_on(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    (node,) = nodes(1)
    node.creates = False
    chain = await open_chain(node)
    assert await balance(chain, devchain.contract, holder) == (1, 1)
    node.requests.clear()
    assert await balance(chain, devchain.contract, holder) == (1, 1)
    assert node.requests == [("eth_blockNumber",), ("eth_call",)]


async def test_a_node_that_creates_nothing_gathers_by_multicall_where_there_is_one(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet, multicall: str
) -> None:
    (node,) = nodes(1)
    node.creates = False
    chain = await open_chain(node, multicall=multicall)
    for _ in range(2):
        node.requests.clear()
        reads = (
            balance(chain, devchain.contract, holder),
            chain.call(NativeBalance(devchain.call("eth_accounts")[0])),
            chain.call(owner_of(devchain.contract, str(2**255))),
        )
        held, coins, nobodys = await asyncio.gather(*reads)
        assert held == (1, 1)
        assert isinstance(coins, Read)
        assert (word(coins.latest) or 0) > 10**18
        assert isinstance(nobodys, Read)
        assert nobodys.latest == Reverted()
    assert node.requests == [("eth_call",)]


async def test_a_block_of_another_number_than_was_asked_for_is_refused(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    (node,) = nodes(1)
    chain = await open_chain(node)
    node.lag_blocks = 2
    ahead = await chain.call(balance_of(devchain.contract, holder.address), at_block=devchain.block_number + 5)
    assert isinstance(ahead, Unread)


# --- lag --------------------------------------------------------------------------------------------


async def test_a_lagging_node_is_not_believed_and_one_alone_is_not_lagging(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    late, well = nodes(2)
    devchain.call("anvil_mine", "0xf")
    late.lag_blocks = 12  # 12 blocks ago it was held, too: 15 ago it was not
    chain = await open_chain(late, well)
    answer = await chain.call(balance_of(devchain.contract, holder.address))
    assert isinstance(answer, Read)
    assert answer.block_number == devchain.block_number
    assert [(each.endpoint, each.lag) for each in chain.health()] == [(1, 12), (2, 0)]
    alone = await (await open_chain(late)).call(balance_of(devchain.contract, holder.address))
    assert isinstance(alone, Read)
    assert alone.block_number == devchain.block_number - 12


@attack("B21")
async def test_a_laggard_cannot_pull_a_quorum_back_to_where_a_token_still_was(
    devchain: ChainClient, nodes: Nodes, open_chain: Open
) -> None:
    wallet = Wallet.named("sold")
    token = devchain.mint(wallet.address)
    devchain.transfer(wallet, Wallet.named("bought").address, token)
    devchain.call("anvil_mine", "0xf")
    late, well, third = nodes(3)
    late.lag_blocks = 16
    reason = await balance(await open_chain(late, well, quorum=2), devchain.contract, wallet)
    assert isinstance(reason, str)
    assert await balance(await open_chain(late, well, third, quorum=2), devchain.contract, wallet) == (0, 0)


async def test_a_node_that_boasts_of_its_head_shuts_nobody_out(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    boaster, second, third = nodes(3)
    boaster.boast_blocks = 10**6
    chain = await open_chain(second, boaster, third, quorum=2)
    assert await balance(chain, devchain.contract, holder) == (1, 1)


# --- lies -------------------------------------------------------------------------------------------


@attack("B21")
@pytest.mark.parametrize("lie", [0, 7])
@pytest.mark.parametrize("place", [0, 1])
async def test_with_a_quorum_one_liar_neither_opens_nor_ends(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet, lie: int, place: int
) -> None:
    three = nodes(3)
    three[place].lie(devchain.contract, lie)
    assert await balance(await open_chain(three[place]), devchain.contract, holder) == (lie, lie)
    two = await open_chain(*three[:2], quorum=2)
    assert await balance(two, devchain.contract, holder) == f"{devchain.chain}: the endpoints disagree"
    three[2].delay_s = 0.4  # so that the first two are asked first
    chain = await open_chain(*three, quorum=2)
    answer = await chain.call(balance_of(devchain.contract, holder.address))
    assert isinstance(answer, Read)
    assert (word(answer.latest), answer.nodes) == (1, 2)
    assert [each.endpoint for each in chain.health() if each.last_fault == "outvoted"] == [place + 1]


async def test_a_quorum_is_of_answers_at_the_same_block(devchain: ChainClient, nodes: Nodes, open_chain: Open) -> None:
    wallet = Wallet.named("just now")
    devchain.mint(wallet.address)
    first, second = nodes(2)
    second.lag_blocks = 1
    answer = await (await open_chain(first, second, quorum=2)).call(balance_of(devchain.contract, wallet.address))
    assert isinstance(answer, Read)
    assert (word(answer.latest), answer.block_number, answer.nodes) == (0, devchain.block_number - 1, 2)


async def test_too_few_for_a_quorum_are_unknown(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet
) -> None:
    first, second = nodes(2)
    second.is_dead = True
    reason = await balance(await open_chain(first, second, quorum=2), devchain.contract, holder)
    assert isinstance(reason, str)
    assert "1 of 2 endpoints could say" in reason
