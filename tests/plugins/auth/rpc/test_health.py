"""What is thought of an endpoint follows from the calls that were made."""

from __future__ import annotations

import pytest

from streamgate.testing.clock import FakeClock
from streamgate_auth.rpc.health import OPENS_AFTER, PAUSE_S, BreakerState, Health
from streamgate_auth.rpc.wire import FaultKind


def health(clock: FakeClock | None = None) -> Health:
    return Health(clock=clock or FakeClock(), timeout_s=2.0)


def state(one: Health) -> BreakerState:
    """By a call, so that what was true once is not taken for true for ever by the type checker."""
    return one.breaker


def head(one: Health) -> int | None:
    return one.fresh_head


def test_it_opens_after_some_failures_in_a_row_and_closes_by_one_answer() -> None:
    one = health()
    for _ in range(OPENS_AFTER - 1):
        one.failed("timeout")
    one.worked(0.01)
    for _ in range(OPENS_AFTER - 1):
        one.failed("timeout")
    assert state(one) == "closed"
    one.failed("timeout")
    assert state(one) == "open"
    one.worked(0.01)
    assert state(one) == "closed"


@pytest.mark.parametrize("kind", ["wrong_chain", "rate_limited"])
def test_some_faults_open_it_at_once(kind: FaultKind) -> None:
    one = health()
    one.failed(kind)
    assert (one.breaker, one.last_fault) == ("open", kind)


def test_a_node_that_is_a_block_late_is_well() -> None:
    one = health()
    for _ in range(2 * OPENS_AFTER):
        one.failed("behind")
    assert (one.breaker, one.cost_s, one.last_fault) == ("closed", health().cost_s, "behind")


def test_half_open_lets_one_try_and_a_failure_doubles_the_pause() -> None:
    clock = FakeClock()
    one = health(clock)
    one.failed("wrong_chain")
    assert one.begin_probe() is False
    clock.jump(PAUSE_S)
    assert state(one) == "half_open"
    assert [one.begin_probe(), one.begin_probe()] == [True, False]
    one.failed("timeout")
    clock.jump(PAUSE_S)
    assert state(one) == "open"
    clock.jump(PAUSE_S)
    assert one.begin_probe()
    one.worked(0.01)
    assert state(one) == "closed"


def test_failures_and_slowness_cost() -> None:
    good, slow, failing = health(), health(), health()
    for _ in range(10):
        good.worked(0.01)
        slow.worked(0.5)
        failing.worked(0.01)
    failing.failed("status")
    assert good.cost_s < failing.cost_s < slow.cost_s
    assert 1 > good.score > failing.score > slow.score > 0


def test_an_endpoint_that_others_overtake_is_slow() -> None:
    one = health()
    for _ in range(20):
        one.overtaken(1.0)
    assert one.cost_s == pytest.approx(1.0)


def test_what_is_usual_is_known_after_some_calls() -> None:
    one = health()
    for n in range(7):
        one.worked(n / 1000)
    assert one.usual_s(0.95) is None
    one.worked(0.007)
    assert (one.usual_s(0.5), one.usual_s(0.95)) == (0.004, 0.007)


def test_an_old_head_says_nothing() -> None:
    clock = FakeClock()
    one = health(clock)
    assert head(one) is None
    one.note_head(7)
    assert head(one) == 7
    clock.jump(121)
    assert (head(one), one.head) == (None, 7)
