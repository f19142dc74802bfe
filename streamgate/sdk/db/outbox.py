"""The two tables that make events reliable: what we say, and what we have heard."""

from __future__ import annotations

import time
from typing import TypeVar, cast

import attrs
from sqlalchemy import CursorResult, Table, delete, insert
from sqlalchemy.orm import Session

from streamgate.events import EventBody, EventType, make_envelope
from streamgate.sdk.db.tables import insert_into
from streamgate.sdk.ids import uuid7

B = TypeVar("B", bound=EventBody)

SCOPE = "streamgate"
"""Where a write's scope is in `session.info`."""


@attrs.define(eq=False)
class Scope:
    """What a write knows beside its session: whose it is, and whether it has something to relay."""

    outbox: Table
    inbox: Table
    source: str
    emitted: bool = False


def _scope(session: Session) -> Scope:
    scope = session.info.get(SCOPE)
    if not isinstance(scope, Scope):
        raise TypeError("this session is not inside Database.write: events and inbox rows ride a transaction")
    return scope


def emit(session: Session, event: EventType[B], body: B, *, event_id: str | None = None) -> str:
    """Says that something happened, if and only if this transaction commits. Returns the event's id.

    The relay publishes it right after the commit; events about one `subject_id` leave in the order of saying.

    Args:
        event_id: makes saying it again harmless where the id follows from the cause; by default a new UUIDv7.

    Raises:
        PayloadTooLarge: more than a message can carry.
    """
    scope = _scope(session)
    event_id = event_id or uuid7()
    row = {
        "event_id": event_id,
        "subject": event.subject,
        "lane": body.subject_id,
        "envelope": make_envelope(event, body, event_id, scope.source),
    }
    session.execute(insert(scope.outbox), row)
    scope.emitted = True
    return event_id


def first_time(session: Session, event_id: str, *, group: str) -> bool:
    """Whether the group handles this event now for the first time; notes it in this transaction.

    Call it first in the write that does the event's work; False means that it was done before.
    """
    inbox = _scope(session).inbox
    statement = (
        insert_into(session, inbox)
        .values(consumer=group, event_id=event_id, seen_at_ms=time.time_ns() // 1_000_000)
        .on_conflict_do_nothing()
        .returning(inbox.c.event_id)
    )
    return session.execute(statement).first() is not None


def forget_before(session: Session, inbox: Table, at_ms: int) -> int:
    """Prunes the inbox; returns how many rows went."""
    result = cast("CursorResult[tuple[()]]", session.execute(delete(inbox).where(inbox.c.seen_at_ms < at_ms)))
    return result.rowcount
