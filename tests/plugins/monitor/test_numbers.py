"""Numbers of many processes: growth across restarts, gauges summed, what is silent forgotten."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.metrics import MetricsSnapshot, Sample
from streamgate_monitor.numbers import MINUTE_MS, SILENT_MS, WINDOW_MS, Numbers

BEGIN_MS = 1_800_000_000_000 // MINUTE_MS * MINUTE_MS


def told(
    numbers: Numbers,
    after_s: float,
    value: float,
    *,
    instance: str = "a",
    kind: Literal["counter", "gauge"] = "counter",
    name: str = "things_total",
    **labels: str,
) -> None:
    sample = Sample(name=name, kind=kind, value=value, labels=labels)
    at_ms = BEGIN_MS + int(after_s * 1000)
    numbers.take(MetricsSnapshot(instance=instance, service="cache", at_ms=at_ms, samples=(sample,)))


def growth(numbers: Numbers, until_s: float, *, since_s: float = -1.0, **labels: str) -> float | None:
    return numbers.growth("things_total", labels, BEGIN_MS + int(since_s * 1000), BEGIN_MS + int(until_s * 1000))


def test_what_a_counter_had_before_anybody_listened_is_no_growth() -> None:
    numbers = Numbers()
    told(numbers, 0, 1_000)
    told(numbers, 15, 1_007)
    assert growth(numbers, 15) == 7


def test_a_counter_that_a_known_process_tells_for_the_first_time_has_grown_by_all_of_it() -> None:
    """The first requests that fail make the series of those that failed."""
    numbers = Numbers()
    told(numbers, 0, 7, status="2xx")
    told(numbers, 0, 3, status="3xx")  # the same snapshot, in another parcel
    told(numbers, 15, 300, status="5xx")
    assert growth(numbers, 15, status="5xx") == 300
    assert growth(numbers, 15, status="3xx") == 0


def test_a_process_with_another_clock_is_heard_when_it_tells() -> None:
    numbers = Numbers()
    sample = Sample(name="level", kind="gauge", value=3.0)
    behind = MetricsSnapshot(instance="a", service="cache", at_ms=BEGIN_MS - 3_600_000, samples=(sample,))
    numbers.take(behind, BEGIN_MS)
    assert numbers.values("level", {}, BEGIN_MS) == [3.0]
    assert numbers.last_told_ms("level", {}) == BEGIN_MS


def test_processes_that_are_gone_make_room_without_anybody_asking() -> None:
    numbers = Numbers()
    told(numbers, 0, 3, instance="gone")
    told(numbers, WINDOW_MS / 1000 + 61, 1, instance="there")
    assert numbers.last_told_ms("things_total", {}) == BEGIN_MS + WINDOW_MS + 61_000
    assert numbers.growth("things_total", {}, 0, BEGIN_MS + WINDOW_MS * 2) == 0
    assert numbers.processes(BEGIN_MS) == {"there": BEGIN_MS + WINDOW_MS + 61_000}


def test_labels_that_could_not_be_kept_are_left_out() -> None:
    numbers = Numbers()
    told(numbers, 0, 1, route="x" * 500)
    assert list(numbers.latest(BEGIN_MS)) == []


def test_a_counter_that_starts_anew_has_grown_by_what_it_is() -> None:
    numbers = Numbers()
    for after_s, value in ((0, 100), (15, 110), (30, 4)):
        told(numbers, after_s, value)
    assert growth(numbers, 30) == 14


def test_processes_of_a_service_are_added_up() -> None:
    numbers = Numbers()
    for instance in ("a", "b"):
        told(numbers, 0, 0, instance=instance)
        told(numbers, 15, 5, instance=instance)
        told(numbers, 15, 2, instance=instance, kind="gauge", name="level")
    assert growth(numbers, 15) == 10
    [level] = numbers.latest(BEGIN_MS + 15_000, "level")
    assert (level.service, level.value, level.per_s) == ("cache", 4.0, None)
    [count] = numbers.latest(BEGIN_MS + 15_000, "things_total")
    assert (count.value, count.per_s) == (10.0, 10 / 60)


def test_labels_choose_and_the_service_is_one() -> None:
    numbers = Numbers()
    for kind, value in (("big", 3.0), ("small", 4.0)):
        told(numbers, 0, 0, size=kind)
        told(numbers, 15, value, size=kind)
    assert growth(numbers, 15, size="big") == 3
    assert growth(numbers, 15, service="cache") == 7
    assert growth(numbers, 15, service="auth") is None


def test_a_silent_process_is_not_counted_any_more_and_then_forgotten() -> None:
    numbers = Numbers()
    told(numbers, 0, 3, kind="gauge", name="level")
    assert numbers.values("level", {}, BEGIN_MS + SILENT_MS) == [3.0]
    assert numbers.values("level", {}, BEGIN_MS + SILENT_MS + 1) == []
    numbers.forget_silent(BEGIN_MS + WINDOW_MS + 1)
    assert list(numbers.latest(BEGIN_MS, "level")) == []
    assert numbers.last_told_ms("level", {}) is None


def test_a_minute_holds_what_moved() -> None:
    numbers = Numbers()
    told(numbers, -5, 10)
    told(numbers, 20, 12)
    told(numbers, 59, 15)
    told(numbers, 70, 100)
    told(numbers, -5, 1, kind="gauge", name="level")
    told(numbers, 20, 1, kind="gauge", name="level")
    assert [(value.name, value.value) for value in numbers.minute(BEGIN_MS)] == [("things_total", 5.0)]
    told(numbers, 70, 2, kind="gauge", name="level")
    moved = {value.name: value.value for value in numbers.minute(BEGIN_MS + MINUTE_MS)}
    assert moved == {"things_total": 85.0, "level": 2.0}


def test_more_series_than_there_is_room_for_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamgate_monitor.numbers.MAX_SERIES", 2)
    numbers = Numbers()
    for number in range(5):
        told(numbers, 0, 1, which=str(number))
    assert len(list(numbers.latest(BEGIN_MS))) == 2
    assert numbers.dropped == 3


@given(st.lists(st.integers(min_value=0, max_value=1_000), min_size=1, max_size=40), st.data())
def test_the_minutes_add_up_to_the_growth(steps: list[int], data: st.DataObject) -> None:
    """However a counter grows and restarts, nothing is counted twice or lost between the minutes."""
    numbers, value, grown = Numbers(), 0, 0
    told(numbers, 0, 0)
    for number, step in enumerate(steps, start=1):
        restarts = data.draw(st.booleans())
        if restarts:
            value = 0
        value += step
        # A restart that comes back above where it was cannot be told from growth.
        last = grown
        told(numbers, number * 15, value)
        grown = int(growth(numbers, number * 15) or 0)
        assert grown >= last
    minutes = [numbers.minute(BEGIN_MS + n * MINUTE_MS) for n in range(len(steps) * 15 // 60 + 1)]
    edge = sum(value.value for minute in minutes for value in minute)
    assert edge <= grown
    assert grown - edge <= max(steps) + value
