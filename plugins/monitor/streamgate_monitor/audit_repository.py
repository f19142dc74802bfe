"""Audit entries in the database. Functions of a session; they commit nothing."""

from __future__ import annotations

import attrs
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.audit import AuditEntry
from streamgate.sdk.db import insert_into
from streamgate_monitor.tables import audit
from streamgate_monitor.texts import storable, storable_fields


@attrs.frozen(kw_only=True)
class AuditQuestion:
    """Entries that fit all that is given, newest first. `before`: only those that came before this one."""

    who: str = ""
    address: str = ""
    subject_id: str = ""
    act: str = ""
    outcome: str = ""
    request_id: str = ""
    since_ms: int = 0
    until_ms: int = 0
    before: int = 0
    limit: int = 50


@attrs.frozen
class StoredEntry:
    seq: int
    entry: AuditEntry


def add(session: Session, event_id: str, entry: AuditEntry) -> None:
    """Telling it again changes nothing."""
    values = {
        "event_id": event_id,
        "at_ms": entry.at_ms,
        "act": storable(entry.act[:100]),
        "outcome": entry.outcome,
        "who": storable(entry.who[:100]),
        "who_kind": entry.who_kind,
        "address": storable(entry.address[:100]),
        "client": storable(entry.client[:64]),
        "request_id": storable(entry.request_id[:64]),
        "code": storable(entry.code[:100]),
        "subject_id": storable(entry.subject_id[:500]),
        "detail": storable_fields(entry.detail),
    }
    session.execute(insert_into(session, audit).values(values).on_conflict_do_nothing(index_elements=["event_id"]))


def find(session: Session, question: AuditQuestion) -> list[StoredEntry]:
    query = select(audit).order_by(audit.c.seq.desc()).limit(question.limit)
    for name in ("who", "address", "subject_id", "act", "outcome", "request_id"):
        wanted = getattr(question, name)
        if wanted:
            query = query.where(audit.c[name] == storable(wanted))
    if question.since_ms:
        query = query.where(audit.c.at_ms >= question.since_ms)
    if question.until_ms:
        query = query.where(audit.c.at_ms < question.until_ms)
    if question.before:
        query = query.where(audit.c.seq < question.before)
    return [
        StoredEntry(
            row.seq,
            AuditEntry(
                subject_id=row.subject_id,
                at_ms=row.at_ms,
                act=row.act,
                outcome=row.outcome,
                who=row.who,
                who_kind=row.who_kind,
                address=row.address,
                client=row.client,
                request_id=row.request_id,
                code=row.code,
                detail=row.detail,
            ),
        )
        for row in session.execute(query)
    ]
