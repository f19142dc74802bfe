"""Nodes that lie, lag, stand still, fail, flood, hang or are of another cluster: the truth, or *unknown*."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from loguru import logger
from solders.pubkey import Pubkey

from streamgate.contracts.gate import Reading
from streamgate.testing.attacks import attack
from streamgate.testing.clock import FakeClock
from streamgate_auth.rpc.pool import NodeHealth
from streamgate_auth.solana.asking import STANDS_S
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.reads import Accounts, MintAccounts, Told, Unread
from tests.plugins.auth.people import until
from tests.plugins.auth.solana.cluster import Cluster, address, key
from tests.plugins.auth.solana.conftest import DEVNET, Nodes, Open
from tests.plugins.auth.solana.node import SolanaNode
from tests.plugins.auth.solana.test_spl import read

ALICE, BOB = key("alice"), key("bob")


@pytest.fixture
def mint(cluster: Cluster) -> Pubkey:
    """One of it is Alice's."""
    made = cluster.mint()
    cluster.mint_to(ALICE.pubkey(), made)
    return made


def health(chains: SolanaChains) -> tuple[NodeHealth, ...]:
    return chains.all()[0].health()


def knows_heads(chains: SolanaChains) -> bool:
    return all(each.head for each in health(chains))


def fail_reads(node: SolanaNode) -> None:
    node.errors = {"getTokenAccountsByOwner": -32000, "getMultipleAccounts": -32000}


FAULTS: dict[str, tuple[Callable[[SolanaNode], object], str]] = {
    "dead": (lambda node: setattr(node, "is_dead", True), "unreachable"),
    "slow": (lambda node: setattr(node, "delay_s", 30.0), "timeout"),
    "status 500": (lambda node: setattr(node, "status", 500), "status"),
    "status 429": (lambda node: setattr(node, "status", 429), "rate_limited"),
    "garbage": (lambda node: setattr(node, "body", b"<html>"), "malformed"),
    "another cluster": (lambda node: setattr(node, "genesis", "1" * 44), "wrong_chain"),
    "tells its slot and fails each read": (fail_reads, "refused"),
}


@pytest.mark.parametrize("batching", ["auto", "single"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_node_is_unknown_alone_and_replaced_where_there_is_another(
    nodes: Nodes, open_chains: Open, mint: Pubkey, fault: str, batching: str
) -> None:
    bad, good = nodes(2)
    break_it, kind = FAULTS[fault]
    break_it(bad)
    timeout_s = 0.1 if kind == "timeout" else 10.0
    alone = open_chains(bad, batching=batching, timeout_s=timeout_s)
    answer = await read(alone, mint)
    assert answer.outcome == "unknown"
    assert "secret" not in answer.reason
    assert health(alone)[0].last_fault == kind
    both = open_chains(bad, good, batching=batching, timeout_s=max(timeout_s, 0.3))
    assert (await read(both, mint)).outcome == "holds"


def one_account(data: object) -> dict[str, Any]:
    return {"context": {"slot": 1}, "value": [{"pubkey": "a", "account": {"owner": "x", "data": data}}]}


MALFORMED: dict[str, Any] = {
    "no context": [],
    "no slot": {"context": {}, "value": []},
    "a slot that is none": {"context": {"slot": -1}, "value": []},
    "true for a slot": {"context": {"slot": True}, "value": []},
    "no list": {"context": {"slot": 1}, "value": {}},
    "no address": {"context": {"slot": 1}, "value": [{"account": {}}]},
    "no base64": one_account(["§", "base64"]),
    "parsed": one_account({"parsed": {}}),
    "short": one_account(["", "base64"]),
    "nothing": None,
}


@pytest.mark.parametrize("form", MALFORMED)
async def test_answers_of_no_form_are_no_answers(nodes: Nodes, open_chains: Open, mint: Pubkey, form: str) -> None:
    bad, good = nodes(2)
    bad.results["getTokenAccountsByOwner"] = MALFORMED[form]
    alone = open_chains(bad)
    assert (await read(alone, mint)).outcome == "unknown"
    assert health(alone)[0].last_fault == "malformed"
    assert (await read(open_chains(bad, good), mint)).outcome == "holds"


async def test_accounts_of_others_are_not_taken_for_the_wallets(
    cluster: Cluster, nodes: Nodes, open_chains: Open, mint: Pubkey
) -> None:
    (node,) = nodes(1)
    chain = open_chains(node).get(DEVNET)
    assert chain is not None
    honest = node._token_accounts(cluster.states[-1], address("alice"), {"mint": str(mint)}, {})
    node.results["getTokenAccountsByOwner"] = {"context": {"slot": cluster.slot}, "value": honest}
    others = [MintAccounts(address("bob"), str(mint)), MintAccounts(address("alice"), address("other mint"))]
    for other in others:
        (answer,) = await chain.read([other])
        assert isinstance(answer, Unread), other
    (answer,) = await chain.read([MintAccounts(address("alice"), str(mint))])
    assert isinstance(answer, Told)
    for value in ([*honest, *honest], [{**honest[0], "account": {**honest[0]["account"], "owner": address("x")}}]):
        node.results["getTokenAccountsByOwner"] = {"context": {"slot": cluster.slot}, "value": value}
        (answer,) = await chain.read([MintAccounts(address("alice"), str(mint))])
        assert isinstance(answer, Unread)
    node.results["getMultipleAccounts"] = {"context": {"slot": cluster.slot}, "value": []}
    (answer,) = await chain.read([Accounts((str(mint),))])
    assert isinstance(answer, Unread)


@attack("B20")
async def test_a_flood_is_cut_off(nodes: Nodes, open_chains: Open, mint: Pubkey) -> None:
    bad, good = nodes(2)
    bad.drip_bytes = 1 << 22
    alone = open_chains(bad)
    assert "more than" in (await read(alone, mint)).reason
    assert (await read(open_chains(bad, good), mint)).outcome == "holds"


# --- lies ---------------------------------------------------------------------------------------------


async def told(chains: SolanaChains, mint: Pubkey, wallet: str) -> Reading:
    return await read(chains, mint, wallet)


@attack("B21")
async def test_a_quorum_bears_one_that_lies_either_way(nodes: Nodes, open_chains: Open, mint: Pubkey) -> None:
    liar, *honest = nodes(3)
    chains = open_chains(liar, *honest, quorum=2)
    liar.hides = True
    answer = await told(chains, mint, address("alice"))
    assert (answer.outcome, answer.nodes) == ("holds", 2)
    liar.behave()
    liar.inflate = 10**6
    assert (await told(chains, mint, address("alice"))).held == "1"
    assert health(chains)[0].last_fault == "outvoted"
    honest[0].is_dead = True
    answer = await told(chains, mint, address("alice"))
    assert (answer.outcome, answer.reason) == ("unknown", f"{DEVNET}: the endpoints disagree")


async def test_a_quorum_of_all_is_unknown_when_one_is_away(nodes: Nodes, open_chains: Open, mint: Pubkey) -> None:
    first, second = nodes(2)
    chains = open_chains(first, second, quorum=2)
    assert (await read(chains, mint)).nodes == 2
    second.is_dead = True
    answer = await read(chains, mint)
    assert answer.outcome == "unknown"
    assert "1 of 2 endpoints could say" in answer.reason


# --- lag ----------------------------------------------------------------------------------------------


async def test_one_that_is_behind_the_others_is_not_believed(
    cluster: Cluster, nodes: Nodes, open_chains: Open, mint: Pubkey
) -> None:
    late, good = nodes(2)
    cluster.transfer(ALICE, BOB.pubkey(), mint)
    for _ in range(12):
        cluster.publish()
    late.lag_states = 12
    for quorum in (1, 2):
        chains = open_chains(late, good, quorum=quorum, clock=FakeClock())  # the order is as configured
        await read(chains, mint)
        await until(partial(knows_heads, chains))
        answer = await read(chains, mint)
        assert answer.outcome == ("does_not_hold" if quorum == 1 else "unknown")
        assert (health(chains)[0].last_fault, health(chains)[0].lag) == ("behind", 12)


async def test_an_answer_must_have_seen_the_transfer_that_is_known_of(
    cluster: Cluster, nodes: Nodes, open_chains: Open, mint: Pubkey
) -> None:
    late, good = nodes(2)
    cluster.transfer(ALICE, BOB.pubkey(), mint)
    late.lag_states, seen = 2, cluster.slot
    for ignores in (False, True):
        late.ignores_min_slot = ignores
        alone = await read(open_chains(late), mint, min_slot=seen)
        assert (alone.outcome, alone.reason) == ("unknown", f"{DEVNET}: endpoint 1: it is behind")
        assert (await read(open_chains(late, good), mint, min_slot=seen)).outcome == "does_not_hold"
    late.boast_slots = 2  # it says that it has seen it, and has not: that takes a quorum
    assert (await read(open_chains(late, good, quorum=2), mint, min_slot=seen)).outcome == "unknown"


async def test_one_that_stands_still_is_not_believed_even_alone(
    cluster: Cluster, nodes: Nodes, open_chains: Open, mint: Pubkey
) -> None:
    clock = FakeClock()
    chains = open_chains(*nodes(1), clock=clock)
    assert (await read(chains, mint)).outcome == "holds"
    clock.jump(STANDS_S + 1)
    answer = await read(chains, mint)
    assert (answer.outcome, answer.reason) == ("unknown", f"{DEVNET}: endpoint 1: its slot has not moved for 61 s")
    cluster.publish()
    assert (await read(chains, mint)).outcome == "holds"


async def test_reasons_and_logs_name_no_url(nodes: Nodes, open_chains: Open, mint: Pubkey) -> None:
    (node,) = nodes(1)
    fail_reads(node)
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{message} {extra}", level=0)
    try:
        answer = await read(open_chains(node), mint)
    finally:
        logger.remove(sink)
    assert answer.reason == f"{DEVNET}: endpoint 1: error -32000"
    assert lines
    assert not [line for line in lines if "secret" in line or "127.0.0.1" in line]


async def test_closing_answers_whoever_waits(nodes: Nodes, open_chains: Open, mint: Pubkey) -> None:
    (node,) = nodes(1)
    node.delay_s = 30.0
    chains = open_chains(node)
    asked = asyncio.create_task(read(chains, mint))
    while not node.requests:
        await asyncio.sleep(0)
    await chains.close()
    assert (await asked).outcome == "unknown"
