"""Answers to gathered reads: whole and of their form, or none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest

from streamgate.testing.devchain import ChainClient
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.chain import Read
from streamgate_auth.evm.gather import MAX_CODE_BYTES, Gathering
from streamgate_auth.evm.measure import balance_of, owner_of
from streamgate_auth.evm.multicall import Multicall
from streamgate_auth.evm.reads import ChainRead, EthCall, HasCode, Returned, Unread
from streamgate_auth.evm.together import Together
from streamgate_auth.rpc.wire import EndpointFault
from tests.plugins.auth.evm.conftest import Open

Nodes = Callable[[int], list[FaultyNode]]
ALICE = Wallet.named("alice").address


@pytest.fixture
def reads(devchain: ChainClient) -> list[ChainRead]:
    return [balance_of(devchain.contract, ALICE), owner_of(devchain.contract, str(2**255))]


def answer_of(devchain: ChainClient, way: Together, reads: Sequence[ChainRead]) -> str:
    asked = way.question(reads, "latest")
    answer: str = devchain.call(asked.method, *asked.params)
    return answer


@pytest.mark.parametrize("kind", ["gather", "multicall3"])
def test_a_spoiled_answer_is_a_fault_of_the_node(
    devchain: ChainClient, multicall: str, reads: list[ChainRead], kind: str
) -> None:
    """Cut anywhere, or with bytes changed: read as it is, or an EndpointFault; nothing else, and nothing beyond it."""
    way: Together = Gathering() if kind == "gather" else Multicall(multicall)
    answer = answer_of(devchain, way, reads)
    assert way.parse(answer, reads).chain_number == 31337
    chance = random.Random(7)
    for end in range(2, len(answer) - 64, 66):
        with pytest.raises(EndpointFault):
            way.parse(answer[:end], reads)
    for _ in range(500):
        spoiled = list(answer)
        for _ in range(chance.randint(1, 3)):
            spoiled[chance.randrange(2, len(spoiled))] = chance.choice("0123456789abcdef")
        try:
            way.parse("".join(spoiled), reads)
        except EndpointFault:
            continue
    for garbage in (None, 7, "", "0x", "0x1", "0x" + "00" * 200, "0x" + "ff" * 400):
        with pytest.raises(EndpointFault):
            way.parse(garbage, reads)


def test_more_than_one_call_has_room_for_goes_in_several() -> None:
    large = [EthCall(ALICE, "0x" + "00" * 20_000) for _ in range(5)]
    assert Gathering().fits(large) == 2
    assert Gathering().fits([EthCall(ALICE, "0x" + "00" * MAX_CODE_BYTES)]) == 1
    assert Gathering().fits([HasCode(ALICE)] * 100) == 100


async def test_results_that_one_answer_has_no_room_for_are_asked_again(nodes: Nodes, open_chain: Open) -> None:
    (node,) = nodes(1)
    chain = await open_chain(node)
    identity = "0x" + "04".rjust(40, "0")  # a precompile that returns what it is given
    given = [f"{n:02x}" * 1_000 for n in range(40)]
    answers = await asyncio.gather(*(chain.call(EthCall(identity, f"0x{each}")) for each in given))
    found = [answer.latest for answer in answers if isinstance(answer, Read)]
    assert found == [Returned(bytes.fromhex(each)) for each in given]
    assert node.requests == [("eth_call",), ("eth_call",)]


async def test_a_result_that_is_longer_than_wanted_is_none(
    nodes: Nodes, open_chain: Open, hostile: Callable[[int], str]
) -> None:
    chain = await open_chain(*nodes(1))
    answer = await chain.call(balance_of(hostile(2), ALICE))
    assert isinstance(answer, Unread)
    assert "too much" in answer.reason


async def test_on_arbitrum_the_block_is_the_chain_s_own(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, multicall: str
) -> None:
    """`NUMBER` tells the parent chain's there; a precompile at 0x64 the chain's."""
    (node,) = nodes(1)
    node.lie("0x" + "64".rjust(40, "0"), 400_000_000)
    for batching in ("auto", "multicall3"):
        chain = await open_chain(node, number_from="arbsys", batching=batching, multicall=multicall)
        answer = await chain.call(balance_of(devchain.contract, ALICE))
        assert isinstance(answer, Read)
        assert answer.block_number == 400_000_000
        assert isinstance(answer.latest, Returned)
