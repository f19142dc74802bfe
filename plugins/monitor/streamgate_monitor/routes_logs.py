"""GET /api/v1/monitor/logs: what the processes said."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.sdk.clock import rfc3339
from streamgate.sdk.db import Database
from streamgate.web.routes import ADMIN, Call, Route
from streamgate_monitor import log_repository as repository
from streamgate_monitor.asking import limit_field, text_field
from streamgate_monitor.paging import page_of, window_of


@attrs.frozen(kw_only=True)
class LogQuery:
    """`level`: that and worse. `q`: words that must all be in the line. `since`, `until`: RFC 3339 moments."""

    level: Literal["", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = ""
    service: str = text_field()
    request_id: str = text_field()
    trace_id: str = text_field()
    q: str = text_field()
    since: str = text_field()
    until: str = text_field()
    limit: int = limit_field(100)
    cursor: str = text_field()


@attrs.frozen(kw_only=True)
class ShownLine:
    at: str
    level: str
    event: str
    service: str
    instance: str
    request_id: str
    trace_id: str
    fields: dict[str, str]


@attrs.frozen(kw_only=True)
class LogPage:
    items: tuple[ShownLine, ...]
    next_cursor: str | None = None


def log_routes(db: Database) -> list[Route]:
    async def logs(call: Call[None, LogQuery]) -> LogPage:
        asked = call.query
        question = repository.LogQuestion(
            level=asked.level,
            service=asked.service,
            request_id=asked.request_id,
            trace_id=asked.trace_id,
            q=asked.q,
            window=window_of(asked),
        )
        found = await db.read(lambda session: repository.find(session, question))
        shown, more = page_of(found, asked.limit)
        return LogPage(items=tuple(_line(each) for each in shown), next_cursor=more)

    return [
        Route(
            "GET",
            "/api/v1/monitor/logs",
            logs,
            policy=ADMIN,
            query=LogQuery,
            answer=LogPage,
            summary="Log lines of all processes, newest first",
            description="Kept for `monitor.log_days`; secrets and playback paths were hidden where they were said.",
        )
    ]


def _line(stored: repository.StoredLine) -> ShownLine:
    line = stored.line
    return ShownLine(
        at=rfc3339(line.at_ms),
        level=line.level,
        event=line.event,
        service=line.service,
        instance=stored.instance,
        request_id=line.request_id,
        trace_id=line.trace_id,
        fields=line.fields,
    )
