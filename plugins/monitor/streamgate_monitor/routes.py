"""GET /api/v1/monitor/health: whether all is well; for admins, what is not, and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs
from starlette.responses import Response

from streamgate.sdk.clock import Clock, rfc3339
from streamgate.sdk.db import Database
from streamgate.web.routes import ADMIN, PUBLIC, Call, Route
from streamgate.wire import encode
from streamgate_monitor.asking import limit_field, moment, text_field
from streamgate_monitor.history_repository import HealthNote, find_health
from streamgate_monitor.service import HealthReports, ServiceHealth

HOUR_MS = 3_600_000


@attrs.frozen(kw_only=True)
class HealthAnswer:
    """`services` is null for those who are not admins."""

    status: Literal["ok", "degraded"]
    checked_at: str
    services: dict[str, ServiceHealth] | None = None


@attrs.frozen(kw_only=True)
class HistoryQuery:
    """`since` and `until` are RFC 3339 moments; without them the last hour."""

    since: str = text_field()
    until: str = text_field()
    limit: int = limit_field(240)


@attrs.frozen(kw_only=True)
class HealthThen:
    ok: bool
    detail: str
    latency_ms: float


@attrs.frozen(kw_only=True)
class HealthMoment:
    at: str
    ok: bool
    services: dict[str, HealthThen]


@attrs.frozen(kw_only=True)
class HistoryAnswer:
    """Newest first. `ok_ratio`: of each service, the share of the moments in which it was well."""

    items: tuple[HealthMoment, ...]
    ok_ratio: dict[str, float]


def monitor_routes(reports: HealthReports, db: Database, clock: Clock) -> list[Route]:
    async def health(call: Call[None, None]) -> Response:
        report = await reports.report()
        answer = HealthAnswer(
            status="ok" if report.ok else "degraded",
            checked_at=report.checked_at,
            services=report.services if "admin" in call.actor.roles else None,
        )
        return Response(
            encode(answer),
            status_code=200 if report.ok else 503,
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def history(call: Call[None, HistoryQuery]) -> HistoryAnswer:
        asked, now_ms = call.query, clock.now_ms()
        since_ms = moment("since", asked.since) or now_ms - HOUR_MS
        until_ms = moment("until", asked.until) or now_ms + 1
        notes = await db.read(lambda session: find_health(session, since_ms, until_ms, asked.limit))
        return HistoryAnswer(items=tuple(map(_moment, notes)), ok_ratio=_ratios(notes))

    return [
        Route(
            "GET",
            "/api/v1/monitor/health/history",
            history,
            policy=ADMIN,
            query=HistoryQuery,
            answer=HistoryAnswer,
            summary="How all services were before",
        ),
        Route(
            "GET",
            "/api/v1/monitor/health",
            health,
            policy=PUBLIC,
            answer=HealthAnswer,
            summary="Health of all services",
            description="Status 503 when a service is not well. Admins see each service, its dependencies and latency.",
        ),
    ]


def _moment(note: HealthNote) -> HealthMoment:
    services = {name: HealthThen(**each) for name, each in note.services.items()}
    return HealthMoment(at=rfc3339(note.at_ms), ok=note.ok, services=services)


def _ratios(notes: Sequence[HealthNote]) -> dict[str, float]:
    seen: dict[str, list[bool]] = {}
    for note in notes:
        for name, each in note.services.items():
            seen.setdefault(name, []).append(each["ok"])
    return {name: round(sum(oks) / len(oks), 4) for name, oks in seen.items()}
