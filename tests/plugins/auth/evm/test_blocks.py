"""What a follower of the chain needs: heads, blocks, logs, and the block of a moment; reorganisations among them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.devchain import ChainClient, DevchainServer
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.chain import Read
from streamgate_auth.evm.measure import balance_of, word
from streamgate_auth.rpc.pool import NoAnswer
from tests.plugins.auth.evm.conftest import Open

Nodes = Callable[[int], list[FaultyNode]]
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


async def test_blocks_hang_together(devchain: ChainClient, nodes: Nodes, open_chain: Open) -> None:
    chain = await open_chain(*nodes(2))
    devchain.call("anvil_mine", "0x2")
    head = await chain.head()
    parent = await chain.block(head.number - 1)
    assert head.number == devchain.block_number
    assert parent is not None
    assert parent.hash == head.parent_hash
    assert await chain.block("latest") == head
    assert await chain.block(head.number + 1) is None
    safe = await chain.block("safe")
    assert safe is not None
    assert safe.number < head.number


async def test_logs_are_in_the_order_of_the_chain_and_end_at_a_block(
    devchain: ChainClient, nodes: Nodes, open_chain: Open
) -> None:
    alice, bob = Wallet.named("logs alice"), Wallet.named("logs bob")
    begins = devchain.block_number + 1
    token = devchain.mint(alice.address)
    devchain.transfer(alice, bob.address, token)
    chain = await open_chain(*nodes(2))
    ends = devchain.block_number
    found = await chain.logs(begins, ends, [devchain.contract], [TRANSFER])
    assert [log.topics[1:3] for log in found.logs] == [
        ("0x" + "0" * 64, topic(alice.address)),
        (topic(alice.address), topic(bob.address)),
    ]
    assert found.last == await chain.block(ends)
    assert found.logs[-1].block_hash == found.last.hash
    of_bob = await chain.logs(begins, ends, [devchain.contract], [TRANSFER, None, [topic(bob.address)]])
    assert of_bob.logs == found.logs[1:]
    assert (await chain.logs(begins, ends, [alice.address], [])).logs == ()


async def test_a_range_that_is_too_much_is_split(devchain: ChainClient, nodes: Nodes, open_chain: Open) -> None:
    (node,) = nodes(1)
    wallet = Wallet.named("many")
    begins = devchain.block_number + 1
    for _ in range(6):
        devchain.mint(wallet.address)
    whole = await (await open_chain(node)).logs(begins, begins + 5, [devchain.contract], [])
    node.max_log_blocks = 2
    split = await (await open_chain(node)).logs(begins, begins + 5, [devchain.contract], [])
    assert len(whole.logs) == 6
    assert split == whole


async def test_a_node_that_does_not_have_the_last_block_tells_no_logs(
    devchain: ChainClient, nodes: Nodes, open_chain: Open
) -> None:
    late, well = nodes(2)
    late.lag_blocks = 1
    token_block = devchain.block_number + 1
    devchain.mint(Wallet.named("unseen").address)
    with pytest.raises(NoAnswer, match="does not have block"):
        await (await open_chain(late)).logs(token_block, token_block, [devchain.contract], [])
    found = await (await open_chain(late, well)).logs(token_block, token_block, [devchain.contract], [])
    assert len(found.logs) == 1


async def test_with_a_quorum_one_node_hides_no_logs(devchain: ChainClient, nodes: Nodes, open_chain: Open) -> None:
    hiding, second, third = nodes(3)
    hiding.hides_logs = True
    block = devchain.block_number + 1
    devchain.mint(Wallet.named("hidden").address)
    with pytest.raises(NoAnswer, match="disagree"):
        await (await open_chain(hiding, second, quorum=2)).logs(block, block, [devchain.contract], [])
    found = await (await open_chain(hiding, second, third, quorum=2)).logs(block, block, [devchain.contract], [])
    assert len(found.logs) == 1


async def test_the_block_of_a_moment(own_devchain: DevchainServer, open_chain: Open) -> None:
    """Blocks of uneven distances, each moment between the first and the last."""
    with own_devchain.client() as client, FaultyNode(client.rpc_url) as node:
        begins = int(client.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        times = [begins + sum(range(n)) * 7 for n in range(2, 30)]
        for at_s in times:
            client.call("evm_setNextBlockTimestamp", at_s)
            client.call("anvil_mine", "0x1")
        chain = await open_chain(node, block_time_s=10.0)
        for at_s in (begins + 7, begins + 50, begins + 1_000, times[-1] - 1, times[-1], times[-1] + 99):
            expected = max(each for each in [begins, *times] if each <= at_s)
            assert (await chain.block_at(at_s)).timestamp_s == expected
        node.requests.clear()
        assert (await chain.block_at(begins + 1_000)).timestamp_s <= begins + 1_000
        assert len(node.requests) < 16
        assert (await chain.block_at(0)).number == 0


@attack("B23")
async def test_a_reorganisation(own_devchain: DevchainServer, open_chain: Open) -> None:
    """What a lost block gave is not held, and opened nothing before: it was not confirmed."""
    wallet = Wallet.named("reorganised")
    with own_devchain.client() as client, FaultyNode(client.rpc_url) as node:
        client.call("anvil_mine", "0x5")
        chain = await open_chain(node, confirmations=3)
        read = balance_of(client.contract, wallet.address)
        client.mint(wallet.address)
        client.call("anvil_mine", "0x1")
        before = await chain.call(read)
        head = await chain.head()
        client.call("anvil_reorg", 2, [])
        after, again = await asyncio.gather(chain.call(read), chain.block(head.number))
    assert isinstance(before, Read)
    assert (word(before.latest), word(before.confirmed)) == (1, 0)
    assert isinstance(after, Read)
    assert (word(after.latest), word(after.confirmed)) == (0, 0)
    assert again is not None
    assert again.hash != head.hash
