"""GET /api/v1/monitor/metrics: the numbers of all processes, now and before."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

import attrs

from streamgate.errors import FieldError, Invalid
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.sdk.db import Database
from streamgate.web.routes import ADMIN, Call, Route
from streamgate_monitor import history_repository as repository
from streamgate_monitor.asking import moment, text_field
from streamgate_monitor.numbers import Latest, MinuteValue, Numbers, canonical

MAX_NAMES = 20
MAX_POINTS = 50_000
HOUR_MS = 3_600_000


@attrs.frozen(kw_only=True)
class MetricsQuery:
    """`name`: metrics with commas; without one, all of them as they are now. `since`: an RFC 3339 moment; with a name,
    the history from then on, by the minute (default: the last hour)."""

    name: str = attrs.field(default="", validator=attrs.validators.max_len(2_000))
    since: str = text_field()
    until: str = text_field()


@attrs.frozen(kw_only=True)
class Point:
    """`value`: by how much a counter grew in the minute that begins at `at`, or what a gauge was at its end."""

    at: str
    value: float


@attrs.frozen(kw_only=True)
class MetricShown:
    """`value`: a gauge now, or a counter since its processes began; null where nobody tells of it any more."""

    service: str
    name: str
    labels: dict[str, str]
    kind: Literal["counter", "gauge"]
    value: float | None
    per_s: float | None
    history: tuple[Point, ...] = ()


@attrs.frozen(kw_only=True)
class ProcessShown:
    instance: str
    heard_at: str


@attrs.frozen(kw_only=True)
class MetricsAnswer:
    at: str
    processes: tuple[ProcessShown, ...]
    metrics: tuple[MetricShown, ...]


def metric_routes(db: Database, numbers: Numbers, clock: Clock) -> list[Route]:
    async def metrics(call: Call[None, MetricsQuery]) -> MetricsAnswer:
        asked, now_ms = call.query, clock.now_ms()
        since_ms, until_ms = moment("since", asked.since), moment("until", asked.until)
        names = [name.strip() for name in asked.name.split(",") if name.strip()]
        if len(names) > MAX_NAMES:
            raise Invalid("too many names", errors=(FieldError("name", f"names more than {MAX_NAMES} metrics"),))
        if names:
            latest = [each for name in names for each in numbers.latest(now_ms, name)]
            begin_ms, end_ms = since_ms or now_ms - HOUR_MS, until_ms or now_ms
            minutes = await db.read(
                lambda session: repository.find_minutes(session, names, begin_ms, end_ms, MAX_POINTS)
            )
        else:
            latest, minutes = list(numbers.latest(now_ms)), []
        heard = sorted(numbers.processes(now_ms).items())
        return MetricsAnswer(
            at=rfc3339(now_ms),
            processes=tuple(ProcessShown(instance=name, heard_at=rfc3339(at_ms)) for name, at_ms in heard),
            metrics=tuple(_shown(latest, minutes)),
        )

    return [
        Route(
            "GET",
            "/api/v1/monitor/metrics",
            metrics,
            policy=ADMIN,
            query=MetricsQuery,
            answer=MetricsAnswer,
            summary="Numbers of all processes, with their history",
            description="What Prometheus would scrape from each process, added up by service; no histogram buckets.",
        )
    ]


def _shown(latest: Iterable[Latest], minutes: Iterable[MinuteValue]) -> Iterable[MetricShown]:
    history: dict[tuple[str, str, str], list[MinuteValue]] = {}
    for minute in minutes:
        history.setdefault((minute.service, minute.name, minute.labels), []).append(minute)
    for each in latest:
        before = history.pop((each.service, each.name, canonical(each.labels)), [])
        yield MetricShown(
            service=each.service,
            name=each.name,
            labels=dict(each.labels),
            kind=each.kind,
            value=each.value,
            per_s=each.per_s,
            history=_points(before),
        )
    for (service, name, labels), before in history.items():  # of processes that are gone
        yield MetricShown(
            service=service,
            name=name,
            labels=json.loads(labels),
            kind=before[0].kind,
            value=None,
            per_s=None,
            history=_points(before),
        )


def _points(minutes: Iterable[MinuteValue]) -> tuple[Point, ...]:
    return tuple(Point(at=rfc3339(each.minute_ms), value=each.value) for each in minutes)
