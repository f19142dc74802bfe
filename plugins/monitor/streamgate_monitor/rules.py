"""Alert rules: what is asked of the numbers, and what the answer is. Pure.

{"metric": "streamgate_service_up", "kind": "threshold", "op": "<", "value": 1, "for_s": 30}
{"metric": "streamgate_http_request_duration_seconds_count", "labels": {"status": "5xx"}, "kind": "rate", "value": 1}
{"metric": "streamgate_uptime_seconds", "labels": {"service": "transcoder"}, "kind": "absence", "window_s": 120}
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Literal

import attrs

from streamgate_monitor.numbers import WINDOW_MS, Numbers

Kind = Literal["threshold", "rate", "absence"]
Op = Literal[">", ">=", "<", "<="]
Severity = Literal["info", "warning", "critical"]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_AGGREGATE: dict[str, Callable[[list[float]], float]] = {"sum": sum, "min": min, "max": max}
_METRIC = re.compile(r"[a-z_][a-z0-9_]{2,199}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,98}")


def _is_metric(_: Any, __: Any, value: str) -> None:
    if not _METRIC.fullmatch(value):
        raise ValueError("must be the name of a metric, as /metrics shows it")


def _is_name(_: Any, __: Any, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise ValueError("must begin with a letter or digit and have at most 99 letters, digits, blanks, . _ and -")


def _within(least: float, most: float) -> Any:
    return attrs.validators.and_(attrs.validators.ge(least), attrs.validators.le(most))


@attrs.frozen(kw_only=True)
class Rule:
    """What fires an alert.

    Args:
        kind: threshold compares the latest value (`aggregate` of the series that match), rate a counter's growth per
            second over `window_s`, absence fires when nobody told of the metric for `window_s`.
        labels: what a series must have; `service` is the process' own.
        op, value: fires when the number is so. Not for absence.
        for_s: how long it must be so before the alert fires.
        notify_url: an https URL that is told of each alert that fires or is over, or "".
        notify_secret: the name of the webhook secret that signs it, of who made or changed the rule; "" for none.
    """

    name: str = attrs.field(validator=_is_name)
    metric: str = attrs.field(validator=_is_metric)
    kind: Kind = "threshold"
    labels: dict[str, str] = attrs.field(factory=dict, validator=attrs.validators.max_len(20))
    aggregate: Literal["sum", "min", "max"] = "sum"
    op: Op = ">"
    value: float = 0.0
    for_s: float = attrs.field(default=0.0, validator=_within(0, 86_400))
    window_s: float = attrs.field(default=60.0, validator=_within(1, WINDOW_MS / 1000))
    severity: Severity = "warning"
    notify_url: str = attrs.field(default="", validator=attrs.validators.max_len(2_000))
    notify_secret: str = attrs.field(default="", validator=attrs.validators.max_len(100))

    def in_words(self) -> str:
        labels = "".join(f" {name}={value}" for name, value in sorted(self.labels.items()))
        if self.kind == "absence":
            return f"{self.metric}{labels} has not been told for {self.window_s:g} s"
        what = f"{self.metric}{labels}" if self.kind == "threshold" else f"{self.metric}{labels} per second"
        return f"{what} {self.op} {self.value:g}"


@attrs.frozen
class Verdict:
    """`value` is what was compared; None where there is nothing to compare, which does not fire."""

    fires: bool
    value: float | None


def judge(rule: Rule, numbers: Numbers, now_ms: int, *, listening_since_ms: int) -> Verdict:
    """What the rule says now; `for_s` is the caller's.

    Args:
        listening_since_ms: since when numbers are heard: an absence is none while it is shorter than the window.
    """
    window_ms = int(rule.window_s * 1000)
    if rule.kind == "absence":
        told_ms = numbers.last_told_ms(rule.metric, rule.labels)
        silent_ms = now_ms - max(told_ms or 0, listening_since_ms)
        return Verdict(silent_ms >= window_ms, silent_ms / 1000)
    if rule.kind == "rate":
        growth = numbers.growth(rule.metric, rule.labels, now_ms - window_ms, now_ms)
        value = None if growth is None else growth / rule.window_s
    else:
        values = numbers.values(rule.metric, rule.labels, now_ms)
        value = _AGGREGATE[rule.aggregate](values) if values else None
    return Verdict(value is not None and _COMPARE[rule.op](value, rule.value), value)
