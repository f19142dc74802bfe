"""Audit entries in the database. Functions of a session; they commit nothing."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.audit import AuditEntry
from streamgate.sdk.db import insert_into
from streamgate_monitor.paging import Window, rows_in
from streamgate_monitor.tables import audit
from streamgate_monitor.texts import storable, storable_fields

_EQUAL = ("who", "address", "subject_id", "act", "outcome", "request_id")


@attrs.frozen(kw_only=True)
class AuditQuestion:
    """Entries that fit all that is given, newest first."""

    who: str = ""
    address: str = ""
    subject_id: str = ""
    act: str = ""
    outcome: str = ""
    request_id: str = ""
    window: Window


@attrs.frozen
class StoredEntry:
    seq: int
    entry: AuditEntry


def add(session: Session, entries: Sequence[tuple[str, AuditEntry]]) -> None:
    """Entries by their ids. Telling one again changes nothing."""
    statement = insert_into(session, audit).on_conflict_do_nothing(index_elements=["event_id"])
    session.execute(statement, [_values(*each) for each in entries])


def _values(event_id: str, entry: AuditEntry) -> dict[str, object]:
    return {
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


def find(session: Session, question: AuditQuestion) -> list[StoredEntry]:
    wanted = {name: getattr(question, name) for name in _EQUAL}
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
        for row in session.execute(rows_in(audit, question.window, **wanted))
    ]
