"""What a rule says of the numbers."""

from __future__ import annotations

from typing import Any, cast

import pytest

from streamgate.contracts.metrics import MetricsSnapshot, Sample
from streamgate.contracts.webhooks import Webhooks
from streamgate_monitor.alert_doubts import Doubts
from streamgate_monitor.alert_repository import StoredRule
from streamgate_monitor.numbers import Numbers
from streamgate_monitor.rules import Rule, Verdict, judge

NOW_MS = 1_800_000_000_000


def numbers_of(*samples: tuple[int, str, Any, dict[str, str]]) -> Numbers:
    """(seconds ago, name, value, labels); names in _total are counters."""
    numbers = Numbers()
    for ago_s, name, value, labels in samples:
        kind: Any = "counter" if name.endswith("_total") else "gauge"
        sample = Sample(name=name, kind=kind, value=float(value), labels=labels)
        at_ms = NOW_MS - ago_s * 1000
        numbers.take(MetricsSnapshot(instance="i", service="cache", at_ms=at_ms, samples=(sample,)))
    return numbers


def asked(rule: Rule, numbers: Numbers, *, listening_s: int = 3600) -> Verdict:
    return judge(rule, numbers, NOW_MS, listening_since_ms=NOW_MS - listening_s * 1000)


@pytest.mark.parametrize(
    ("op", "value", "fires"), [(">", 4, True), (">", 5, False), (">=", 5, True), ("<", 5, False), ("<=", 5, True)]
)
def test_a_threshold_compares_what_is_now(op: Any, value: float, fires: bool) -> None:
    numbers = numbers_of((20, "level", 9, {}), (5, "level", 5, {}))
    assert asked(Rule(name="n", metric="level", op=op, value=value), numbers) == Verdict(fires, 5.0)


@pytest.mark.parametrize(("aggregate", "value"), [("sum", 6.0), ("min", 1.0), ("max", 5.0)])
def test_several_series_are_taken_together(aggregate: Any, value: float) -> None:
    numbers = numbers_of((5, "level", 5, {"of": "a"}), (5, "level", 1, {"of": "b"}))
    assert asked(Rule(name="n", metric="level", aggregate=aggregate, value=100), numbers).value == value
    only = Rule(name="n", metric="level", labels={"of": "b"}, value=100)
    assert asked(only, numbers).value == 1.0


def test_a_threshold_on_what_nobody_tells_does_not_fire() -> None:
    assert asked(Rule(name="n", metric="level", op="<", value=1), Numbers()) == Verdict(False, None)


def test_a_rate_is_growth_per_second_over_its_window() -> None:
    numbers = numbers_of((70, "hits_total", 0, {}), (40, "hits_total", 60, {}), (10, "hits_total", 120, {}))
    rule = Rule(name="n", metric="hits_total", kind="rate", value=1.9, window_s=60)
    assert asked(rule, numbers) == Verdict(True, 2.0)


def test_an_absence_fires_when_nobody_told_for_its_window() -> None:
    rule = Rule(name="n", metric="level", kind="absence", window_s=30)
    assert asked(rule, numbers_of((20, "level", 1, {}))).fires is False
    assert asked(rule, numbers_of((40, "level", 1, {}))) == Verdict(True, 40.0)
    assert asked(rule, Numbers()).fires is True
    assert asked(rule, Numbers(), listening_s=10).fires is False, "who has just begun to listen has missed nothing"


@pytest.mark.parametrize(
    "values",
    [
        {"metric": "No Metric"},
        {"name": ""},
        {"name": "\n"},
        {"for_s": -1},
        {"window_s": 0},
        {"window_s": 1_000},
        {"labels": {str(n): "x" for n in range(21)}},
    ],
)
def test_what_makes_no_rule_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Rule(**{"name": "n", "metric": "level", **values})


def test_a_rule_says_itself_in_words() -> None:
    assert Rule(name="n", metric="level", labels={"of": "a"}, op="<", value=1).in_words() == "level of=a < 1"
    rate = Rule(name="n", metric="hits_total", kind="rate", value=2)
    assert rate.in_words() == "hits_total per second > 2"
    absence = Rule(name="n", metric="level", kind="absence", window_s=30)
    assert absence.in_words() == "level has not been told for 30 s"


@pytest.mark.parametrize(
    ("metric", "labels", "said"),
    [
        ("wait_seconds_count", {}, ""),
        ("wait_seconds_count", {"of": "a"}, ""),
        ("wait_seconds_count", {"of": "b", "service": "cache"}, ""),  # it may come
        ("wait_seconds_count", {"off": "a"}, "has no off; it has of, service"),
        ("python_info", {}, ""),  # declared, though nobody has told of it yet
        ("wait_seconds", {}, "there is wait_seconds_count and wait_seconds_sum"),
        ("wait_second_count", {}, "there is wait_seconds_count"),
        ("no_such_metric_at_all", {}, "until somebody does"),
    ],
)
async def test_a_rule_that_compares_nothing_is_told_so(metric: str, labels: dict[str, str], said: str) -> None:
    numbers = numbers_of((5, "wait_seconds_count", 5, {"of": "a"}), (5, "wait_seconds_sum", 5, {"of": "a"}))
    rule = Rule(name="n", metric=metric, labels=labels)
    stored = StoredRule(rule_id="r", rule=rule, enabled=True, created_at_ms=0, updated_at_ms=0)
    warnings = await Doubts(numbers, cast(Webhooks, None)).of(stored)
    assert [said in each for each in warnings] == ([True] if said else [])
