"""Whom a pool asks first, when a second one, and whom instead. The nodes are functions here; `test_nodes.py` has real
ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from streamgate.settings import Secret
from streamgate.testing.clock import FakeClock
from streamgate_auth.rpc.health import OPENS_AFTER, PAUSE_S
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import POLL_S, NoAnswer, Pool
from streamgate_auth.rpc.vote import agreed
from streamgate_auth.rpc.wire import EndpointFault


@attrs.define(eq=False)
class Party:
    """Some nodes by number: what each answers (an exception is raised), how long it takes, and its head."""

    count: int
    clock: FakeClock = attrs.field(factory=FakeClock)
    says: dict[int, object] = attrs.field(factory=dict)
    waits: dict[int, Callable[[], Awaitable[object]]] = attrs.field(factory=dict)
    heads: dict[int, int] = attrs.field(factory=dict)
    asked: list[int] = attrs.field(factory=list)

    def pool(self, *, hedge_s: float = 30.0) -> Pool:
        def client() -> object:
            raise AssertionError

        nodes = [
            Node(n, Secret(f"http://me:pass@node{n}.example/key?x=1"), client, self.clock, timeout_s=2.0, chain="c")  # type: ignore[arg-type]
            for n in range(1, self.count + 1)
        ]
        return Pool(nodes, self.clock, head_of=self.head, hedge_s=hedge_s, max_lag_blocks=3, chain="c")

    async def head(self, node: Node) -> int:
        return self.heads.get(node.number, 1)

    async def ask(self, node: Node) -> object:
        self.asked.append(node.number)
        if node.number in self.waits:
            await self.waits[node.number]()
        said = self.says.get(node.number, f"of {node.number}")
        if isinstance(said, Exception):
            raise said
        return said


BUSY = EndpointFault("busy", "refused")


async def test_the_first_configured_is_asked_and_the_next_where_it_fails() -> None:
    party = Party(3)
    pool = party.pool()
    assert (await pool.first(party.ask)).value == "of 1"
    party.says[1] = BUSY
    answered = await pool.first(party.ask)
    assert (answered.value, answered.node.number, party.asked) == ("of 2", 2, [1, 1, 2])


async def test_when_all_fail_the_reason_names_a_number_and_no_address() -> None:
    party = Party(2, says={1: BUSY, 2: BUSY})
    with pytest.raises(NoAnswer, match=r"^endpoint 2: busy$"):
        await party.pool().first(party.ask)
    with pytest.raises(NoAnswer, match="no endpoint is configured"):
        await Party(0).pool().first(party.ask)


async def test_who_was_tried_is_left_out() -> None:
    party, tried = Party(2), set[int]()
    pool = party.pool()
    assert [(await pool.first(party.ask, tried=tried)).node.number for _ in range(2)] == [1, 2]
    with pytest.raises(NoAnswer):
        await pool.first(party.ask, tried=tried)


async def test_a_fault_of_ours_is_not_taken_for_one_of_the_node() -> None:
    party = Party(2, says={1: ZeroDivisionError()})
    with pytest.raises(ZeroDivisionError):
        await party.pool().first(party.ask)


async def test_one_that_fails_always_is_asked_last_and_tried_beside_the_others_after_a_while() -> None:
    party = Party(2, says={1: BUSY})
    pool = party.pool()
    for _ in range(OPENS_AFTER):
        pool.nodes[0].health.failed("refused")
    await pool.first(party.ask)
    assert party.asked == [2]
    party.says.clear()
    party.asked.clear()
    party.clock.jump(PAUSE_S)
    assert (await pool.first(party.ask)).node.number == 2
    await asyncio.sleep(0)
    assert sorted(party.asked) == [1, 2]
    assert pool.nodes[0].health.breaker == "closed"


async def test_one_failure_costs_the_first_place_for_a_while() -> None:
    party = Party(2, says={1: BUSY})
    pool = party.pool()
    await pool.first(party.ask)
    party.says.clear()
    assert (await pool.first(party.ask)).node.number == 2
    party.clock.jump(600)
    assert (await pool.first(party.ask)).node.number == 1


async def test_where_all_are_left_out_they_are_asked_all_the_same() -> None:
    party = Party(2, says={1: BUSY, 2: BUSY})
    pool = party.pool()
    for _ in range(OPENS_AFTER):
        with pytest.raises(NoAnswer):
            await pool.first(party.ask)
    party.says.clear()
    assert (await pool.first(party.ask)).node.number == 1


async def test_a_slow_one_gets_company_and_the_first_answer_counts() -> None:
    party = Party(3, waits={1: asyncio.Event().wait})
    pool = party.pool(hedge_s=0.01)
    answered = await pool.first(party.ask)
    assert (answered.node.number, party.asked) == (2, [1, 2])
    assert pool.nodes[0].health.failures == 0


async def test_company_comes_after_the_usual_time_where_that_is_known() -> None:
    party = Party(2)
    pool = party.pool()
    for _ in range(10):
        await pool.first(party.ask)
    party.waits[1] = asyncio.Event().wait
    async with asyncio.timeout(5):  # hedge_s is 30
        assert (await pool.first(party.ask)).node.number == 2


async def test_a_slower_one_is_asked_later() -> None:
    party = Party(2)
    pool = party.pool()
    for _ in range(10):
        pool.nodes[0].health.worked(0.4)
        pool.nodes[1].health.worked(0.02)
    assert (await pool.first(party.ask)).node.number == 2


async def test_a_little_slower_one_keeps_its_place() -> None:
    party = Party(2)
    pool = party.pool()
    for _ in range(10):
        pool.nodes[0].health.worked(0.013)
        pool.nodes[1].health.worked(0.011)
    assert (await pool.first(party.ask)).node.number == 1


@pytest.mark.parametrize(
    ("heads", "lags"),
    [
        ({1: 10}, {1: None}),  # alone
        ({1: 10, 2: 10}, {1: 0, 2: 0}),  # a chain that stands still
        ({1: 10, 2: 15}, {1: 5, 2: 0}),
        ({1: 10, 2: 11, 3: 10**9}, {1: 1, 2: 0, 3: 0}),  # one that boasts moves nothing
        ({1: 4, 2: 11, 3: 12}, {1: 7, 2: 0, 3: 0}),
    ],
)
def test_lag_is_measured_against_the_others(heads: dict[int, int], lags: dict[int, int | None]) -> None:
    pool = Party(len(heads)).pool()
    for node in pool.nodes:
        pool.note_head(node, heads[node.number])
    assert {node.number: pool.lag(node) for node in pool.nodes} == lags


async def test_heads_are_known_before_the_first_read_and_one_that_lags_is_asked_last() -> None:
    party = Party(2, heads={1: 10, 2: 20})
    pool = party.pool()
    assert (await pool.first(party.ask)).node.number == 2
    party.heads = {1: 30, 2: 30}
    party.clock.jump(POLL_S)
    await pool.first(party.ask)  # asks for the heads in the background
    await asyncio.sleep(0)
    assert (await pool.first(party.ask)).node.number == 1


async def test_several_answers_are_of_different_nodes_and_fewer_where_there_are_no_more() -> None:
    party = Party(4, says={2: BUSY})
    assert {each.node.number for each in await party.pool().several(party.ask, 2)} == {1, 3}
    party = Party(2, says={2: BUSY})
    assert [each.node.number for each in await party.pool().several(party.ask, 2)] == [1]
    party = Party(1, says={1: BUSY})
    with pytest.raises(NoAnswer):
        await party.pool().several(party.ask, 2)


def test_health_names_the_host_alone() -> None:
    (one,) = Party(1).pool().health()
    assert (one.endpoint, one.host, one.breaker) == (1, "node1.example", "closed")
    assert not {"me", "pass", "key"} & set(str(attrs.asdict(one)).replace("'", " ").split())


@pytest.mark.parametrize(
    ("votes", "found"),
    [
        ([], None),
        (["a"], None),
        (["a", "b"], None),
        (["a", "b", "a"], ("a", 2)),
        (["a", "b", "a", "b"], None),
        (["a", "a", "a"], ("a", 3)),
    ],
)
def test_what_two_agree_on(votes: list[str], found: tuple[str, int] | None) -> None:
    assert agreed(votes, 2) == found
