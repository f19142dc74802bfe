"""GET /api/v1/monitor/audit: who did what."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.contracts.audit import AuditOutcome
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.db import Database
from streamgate.web.routes import ADMIN, Call, Route
from streamgate_monitor import audit_repository as repository
from streamgate_monitor.asking import limit_field, text_field
from streamgate_monitor.paging import page_of, window_of


@attrs.frozen(kw_only=True)
class AuditQuery:
    """`since` and `until` are RFC 3339 moments."""

    who: str = text_field()
    address: str = text_field()
    subject_id: str = text_field()
    act: str = text_field()
    outcome: Literal["", "done", "refused", "failed"] = ""
    request_id: str = text_field()
    since: str = text_field()
    until: str = text_field()
    limit: int = limit_field(50)
    cursor: str = text_field()


@attrs.frozen(kw_only=True)
class AuditLine:
    at: str
    act: str
    outcome: AuditOutcome
    who: str
    who_kind: str
    address: str
    client: str
    subject_id: str
    request_id: str
    code: str
    detail: dict[str, str]


@attrs.frozen(kw_only=True)
class AuditPage:
    items: tuple[AuditLine, ...]
    next_cursor: str | None = None


def audit_routes(db: Database) -> list[Route]:
    async def audit(call: Call[None, AuditQuery]) -> AuditPage:
        asked = call.query
        question = repository.AuditQuestion(
            who=asked.who,
            address=asked.address,
            subject_id=asked.subject_id,
            act=asked.act,
            outcome=asked.outcome,
            request_id=asked.request_id,
            window=window_of(asked),
        )
        found = await db.read(lambda session: repository.find(session, question))
        shown, more = page_of(found, asked.limit)
        return AuditPage(items=tuple(_line(each) for each in shown), next_cursor=more)

    return [
        Route(
            "GET",
            "/api/v1/monitor/audit",
            audit,
            policy=ADMIN,
            query=AuditQuery,
            answer=AuditPage,
            summary="The audit trail, newest first",
        )
    ]


def _line(stored: repository.StoredEntry) -> AuditLine:
    entry = stored.entry
    return AuditLine(
        at=rfc3339(entry.at_ms),
        act=entry.act,
        outcome=entry.outcome,
        who=entry.who,
        who_kind=entry.who_kind,
        address=entry.address,
        client=entry.client,
        subject_id=entry.subject_id,
        request_id=entry.request_id,
        code=entry.code,
        detail=entry.detail,
    )
