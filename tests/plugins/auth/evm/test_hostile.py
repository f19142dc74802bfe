"""Contracts that revert, loop, return megabytes or burn their gas: their neighbours' answers stay true."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import streamgate_auth.evm
from streamgate.testing.attacks import attack
from streamgate.testing.clock import FakeClock
from streamgate.testing.devchain import ChainClient
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.chain import Read
from streamgate_auth.evm.measure import balance_of, owner_of, word
from streamgate_auth.evm.offenders import APART_S, MAX_KEPT, REFUSED_AFTER, REFUSED_S, Offenders
from streamgate_auth.evm.reads import EthCall, Reverted, Unread
from tests.plugins.auth.evm.conftest import Open
from tests.plugins.auth.evm.ground import CONTRACTS

Nodes = Callable[[int], list[FaultyNode]]
Hostile = Callable[[int], str]
REVERTS, LOOPS, FLOODS, REVERTS_AT_LENGTH, INVALID, RECURSES, TWO_WORDS = range(7)
WAYS = ("auto", "multicall3", "single")
ALICE = Wallet.named("alice").address


@pytest.fixture
def holder(devchain: ChainClient, request: pytest.FixtureRequest) -> Wallet:
    wallet = Wallet.named(request.node.name)
    devchain.mint(wallet.address)
    return wallet


@attack("B20")
@pytest.mark.parametrize("batching", WAYS)
@pytest.mark.parametrize("mode", range(7))
async def test_a_hostile_contract_spoils_no_neighbour(
    devchain: ChainClient,
    nodes: Nodes,
    open_chain: Open,
    holder: Wallet,
    hostile: Hostile,
    multicall: str,
    mode: int,
    batching: str,
) -> None:
    """Six of its calls around ten of others, twice: when it is met first, and when it is known."""
    (node,) = nodes(1)
    chain = await open_chain(node, batching=batching, multicall=multicall, max_answer_bytes=65_536)
    bad = hostile(mode)
    for turn in range(2):
        reads = [balance_of(bad, Wallet.named(f"{turn} {n}").address) for n in range(6)]
        good = [balance_of(devchain.contract, Wallet.named(f"nobody {n}").address) for n in range(8)]
        ours = [balance_of(devchain.contract, holder.address), owner_of(devchain.contract, str(2**255))]
        answers = await asyncio.gather(*(chain.call(read) for read in [*reads[:3], *good, *ours, *reads[3:]]))
        neighbours = [answer for answer in answers[3:13] if isinstance(answer, Read)]
        assert [word(answer.latest) for answer in neighbours[:9]] == [0] * 8 + [1]
        assert neighbours[9].latest == Reverted()
        of_bad = [*answers[:3], *answers[13:]]
        if mode in (REVERTS, REVERTS_AT_LENGTH):
            assert all(isinstance(answer, Unread) or answer.latest == Reverted() for answer in of_bad)
        elif mode in (LOOPS, FLOODS, INVALID):
            assert all(isinstance(answer, Unread) for answer in of_bad)
        elif mode == TWO_WORDS:
            assert all(isinstance(answer, Read) and word(answer.latest) is None for answer in of_bad)
    assert chain.health()[0].breaker == "closed"


async def test_where_the_gas_is_not_enough_for_all_the_rest_is_asked_again(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, holder: Wallet, hostile: Hostile
) -> None:
    (node,) = nodes(1)
    chain = await open_chain(node)
    wallets = [Wallet.named(str(n)).address for n in range(40)]  # a million of gas each, of thirty that anvil gives
    reads = [*(balance_of(hostile(INVALID), each) for each in wallets), balance_of(devchain.contract, holder.address)]
    *burned, held = await asyncio.gather(*(chain.call(read) for read in reads))
    assert isinstance(held, Read)
    assert word(held.latest) == 1
    assert {answer.reason for answer in burned if isinstance(answer, Unread)} == {
        f"{devchain.chain}: the contract used up its gas"
    }
    assert node.requests == [("eth_call",), ("eth_call",)]


@attack("B20")
async def test_one_that_burns_its_gas_each_time_is_not_asked_for_a_while(
    nodes: Nodes, open_chain: Open, hostile: Hostile
) -> None:
    (node,) = nodes(1)
    chain = await open_chain(node)
    for n in range(REFUSED_AFTER):
        assert isinstance(await chain.call(balance_of(hostile(LOOPS), Wallet.named(str(n)).address)), Unread)
    node.requests.clear()
    refused = await chain.call(balance_of(hostile(LOOPS), ALICE))
    assert isinstance(refused, Unread)
    assert "not asked" in refused.reason
    assert node.requests == []


async def test_one_that_was_hostile_once_goes_apart(
    devchain: ChainClient, nodes: Nodes, open_chain: Open, hostile: Hostile
) -> None:
    (node,) = nodes(1)
    chain = await open_chain(node)
    await chain.call(balance_of(hostile(LOOPS), ALICE))
    node.requests.clear()
    await asyncio.gather(
        chain.call(balance_of(hostile(LOOPS), ALICE)), chain.call(balance_of(devchain.contract, ALICE))
    )
    assert node.requests == [("eth_call",), ("eth_call",)]


def test_offences_are_by_function_forgiven_in_time_and_bounded() -> None:
    clock = FakeClock()
    offenders = Offenders(clock)
    bad, well = EthCall("0x" + "Ab" * 20, "0x01020304ff"), EthCall("0x" + "ab" * 20, "0x05060708ff")
    again = EthCall("0x" + "aB" * 20, "0x01020304ee")
    offenders.note(bad, is_offence=True)
    assert (offenders.is_apart(again), offenders.is_refused(again), offenders.is_apart(well)) == (True, False, False)
    for _ in range(REFUSED_AFTER - 1):
        offenders.note(bad, is_offence=True)
    assert offenders.is_refused(again)
    clock.jump(REFUSED_S)
    assert (offenders.is_apart(again), offenders.is_refused(again)) == (True, False)
    clock.jump(APART_S)
    assert not offenders.is_apart(again)
    offenders.note(bad, is_offence=True)
    offenders.note(again, is_offence=False)
    assert not offenders.is_apart(bad)
    offenders.note(bad, is_offence=True)
    for n in range(MAX_KEPT):
        offenders.note(EthCall(f"0x{n:040x}", "0x01020304"), is_offence=True)
    assert not offenders.is_apart(bad)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (CONTRACTS, "Hostile.sol"),
        (CONTRACTS, "Multicall.sol"),
        (Path(streamgate_auth.evm.__file__).parent / "contracts", "Gather.yul"),
    ],
)
def test_the_bytes_are_of_the_source(folder: Path, name: str) -> None:
    artifact = json.loads((folder / name).with_suffix(".json").read_text())
    assert artifact["source_sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
