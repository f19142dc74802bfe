"""The lease to the tick: bytes before `until`, never at it or after it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.auth import Decision
from streamgate.contracts.gate import Explanation, Outcome
from streamgate.testing.attacks import attack
from streamgate_streaming.lease import NO_LEASE, Lease, Moment, after_decision, after_silence

WALL_S = 1_800_000_000.0
NOW_S = 1_000.0  # of the monotonic clock, at the same moment
AT = Moment(wall_s=WALL_S, mono_s=NOW_S)


def decision(
    outcome: Outcome, *, read_at_s: float = WALL_S, grace_until_s: float = 0.0, valid_until_s: float | None = None
) -> Decision:
    return Decision(
        outcome=outcome,
        is_public=False,
        explanation=Explanation(kind="erc721", outcome=outcome, text=""),
        read_at_s=read_at_s,
        grace_until_s=grace_until_s,
        gate_revision=1,
        valid_until_s=valid_until_s,
    )


def test_it_counts_from_the_chain_read_not_from_the_answer() -> None:
    lease, outcome = after_decision(NO_LEASE, decision("holds", read_at_s=WALL_S - 10), at=AT, lease_s=60)
    assert (lease.until_s, outcome) == (NOW_S + 50, "extended")


def test_it_ends_on_the_tick() -> None:
    lease, _ = after_decision(NO_LEASE, decision("holds"), at=AT, lease_s=60)
    assert lease.holds(NOW_S + 59.999)
    assert not lease.holds(NOW_S + 60)


def test_from_half_of_it_on_it_is_due() -> None:
    lease, _ = after_decision(NO_LEASE, decision("holds"), at=AT, lease_s=60)
    assert not lease.is_due(NOW_S + 29.999)
    assert lease.is_due(NOW_S + 30)


def test_another_machines_clock_ahead_of_ours_gives_nothing_extra() -> None:
    lease, _ = after_decision(NO_LEASE, decision("holds", read_at_s=WALL_S + 3_600), at=AT, lease_s=60)
    assert lease.until_s == NOW_S + 60


def test_an_old_reading_opens_nothing() -> None:
    lease, _ = after_decision(NO_LEASE, decision("holds", read_at_s=WALL_S - 60), at=AT, lease_s=60)
    assert not lease.holds(NOW_S)


def test_a_refusal_ends_it_at_once() -> None:
    running = Lease(NOW_S + 50, NOW_S)
    assert after_decision(running, decision("does_not_hold"), at=AT, lease_s=60) == (NO_LEASE, "refused")


def test_unknown_lets_it_run_out_and_adds_nothing() -> None:
    lease, outcome = after_decision(Lease(NOW_S + 20, NOW_S), decision("unknown"), at=AT, lease_s=60)
    assert (lease.until_s, outcome) == (NOW_S + 20, "unknown")


def test_a_grace_is_the_answers_own_and_never_shortens() -> None:
    running = Lease(NOW_S + 20, NOW_S)
    longer, _ = after_decision(running, decision("unknown", grace_until_s=WALL_S + 300), at=AT, lease_s=60)
    shorter, _ = after_decision(running, decision("unknown", grace_until_s=WALL_S + 5), at=AT, lease_s=60)
    assert (longer.until_s, shorter.until_s) == (NOW_S + 300, NOW_S + 20)


def test_a_refusal_with_a_grace_is_still_a_refusal() -> None:
    refused = decision("does_not_hold", grace_until_s=WALL_S + 300)
    assert after_decision(Lease(NOW_S + 20, NOW_S), refused, at=AT, lease_s=60)[0] == NO_LEASE


@pytest.mark.parametrize("outcome", ["holds", "unknown"])
def test_an_answer_that_extends_nothing_is_not_asked_for_at_once_again(outcome: Outcome) -> None:
    running = Lease(NOW_S + 20, NOW_S)
    lease, _ = after_decision(running, decision(outcome, read_at_s=WALL_S - 50), at=AT, lease_s=60)
    assert lease.ask_from_s == NOW_S + 3
    assert after_silence(running, now_s=NOW_S, lease_s=60) == Lease(NOW_S + 20, NOW_S + 3)


def test_a_grace_by_a_clock_ahead_of_ours_gives_nothing_extra() -> None:
    ahead_s = 300
    answer = decision("unknown", read_at_s=WALL_S + ahead_s, grace_until_s=WALL_S + ahead_s + 120)
    lease, _ = after_decision(Lease(NOW_S + 20, NOW_S), answer, at=AT, lease_s=60)
    assert lease.until_s == NOW_S + 120


def test_it_ends_where_time_alone_may_change_the_answer_and_is_due_right_then() -> None:
    answer = decision("holds", read_at_s=WALL_S - 10, valid_until_s=WALL_S + 4)
    for before in (NO_LEASE, Lease(NOW_S + 55, NOW_S)):
        lease, _ = after_decision(before, answer, at=AT, lease_s=60)
        assert lease == Lease(NOW_S + 4, NOW_S + 4)
    later, _ = after_decision(NO_LEASE, decision("holds", valid_until_s=WALL_S + 61), at=AT, lease_s=60)
    assert later == Lease(NOW_S + 60, NOW_S + 30)


def test_a_grace_ends_there_too() -> None:
    answer = decision("unknown", grace_until_s=WALL_S + 300, valid_until_s=WALL_S + 2)
    lease, _ = after_decision(Lease(NOW_S + 20, NOW_S), answer, at=AT, lease_s=60)
    assert lease == Lease(NOW_S + 2, NOW_S + 2)


def test_an_edge_by_a_clock_ahead_of_ours_is_no_later() -> None:
    answer = decision("holds", read_at_s=WALL_S + 300, valid_until_s=WALL_S + 304)
    assert after_decision(NO_LEASE, answer, at=AT, lease_s=60)[0].until_s == NOW_S + 4


def test_an_edge_that_is_past_opens_nothing_and_is_asked_about_soon() -> None:
    answer = decision("holds", valid_until_s=WALL_S - 0.001)
    lease, _ = after_decision(Lease(NOW_S + 20, NOW_S), answer, at=AT, lease_s=60)
    assert not lease.holds(NOW_S)
    assert NOW_S < lease.ask_from_s <= NOW_S + 1


Answers = st.tuples(
    st.sampled_from(["holds", "unknown", "silence"]), st.floats(0, 30), st.floats(-100, 100), st.floats(0, 120)
)
Edges = st.none() | st.floats(-5, 100)


@attack("B24")
@given(st.lists(st.tuples(Answers, Edges), max_size=30), st.floats(2, 120))
def test_no_order_of_answers_serves_past_a_read_and_the_lease_or_the_grace_or_an_edge(
    answers: list[tuple[tuple[str, float, float, float], float | None]], lease_s: float
) -> None:
    now_s, lease, bound_s = NOW_S, NO_LEASE, 0.0
    for (kind, pause_s, read_offset_s, grace_s), edge_s in answers:
        now_s += pause_s
        if kind == "silence":
            lease = after_silence(lease, now_s=now_s, lease_s=lease_s)
            continue
        wall_s = WALL_S + now_s - NOW_S
        read_at_s = wall_s + read_offset_s
        valid_until_s = None if edge_s is None else wall_s + edge_s
        if kind == "holds":
            answer = decision("holds", read_at_s=read_at_s, valid_until_s=valid_until_s)
            bound_s = max(bound_s, now_s + min(read_offset_s, 0) + lease_s)
        else:
            answer = decision(
                "unknown", read_at_s=read_at_s, grace_until_s=wall_s + grace_s, valid_until_s=valid_until_s
            )
            bound_s = max(bound_s, now_s + grace_s)
        if edge_s is not None:
            bound_s = min(bound_s, now_s + max(edge_s, 0))
        lease, _ = after_decision(lease, answer, at=Moment(wall_s, now_s), lease_s=lease_s)
        assert lease.until_s <= bound_s + 1e-5  # a Unix time in a float is good to a quarter of a microsecond
        assert lease.ask_from_s > now_s
