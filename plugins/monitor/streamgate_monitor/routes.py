"""GET /api/v1/monitor/health: whether all is well; for admins, what is not."""

from __future__ import annotations

from typing import Literal

import attrs
from starlette.responses import Response

from streamgate.web.routes import PUBLIC, Call, Route
from streamgate.wire import encode
from streamgate_monitor.service import HealthReports, ServiceHealth


@attrs.frozen(kw_only=True)
class HealthAnswer:
    """`services` is null for those who are not admins."""

    status: Literal["ok", "degraded"]
    checked_at: str
    services: dict[str, ServiceHealth] | None = None


def monitor_routes(reports: HealthReports) -> list[Route]:
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

    return [
        Route(
            "GET",
            "/api/v1/monitor/health",
            health,
            policy=PUBLIC,
            answer=HealthAnswer,
            summary="Health of all services",
            description="Status 503 when a service is not well. Admins see each service, its dependencies and latency.",
        )
    ]
