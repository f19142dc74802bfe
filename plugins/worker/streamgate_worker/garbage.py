"""Blobs of attempts that came to nothing: noted here, deleted by jobs of kind `blob.collect_garbage`.

What an attempt made becomes visible by `complete` or by a checkpoint, and by nothing else. So the prefix of a lease
that ended without either is garbage for certain. Where a checkpoint was told, whoever heard it may use blobs below
the prefix: those are that service's to collect (`streaming`'s own collector looks into its index first).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate_worker.repository import JobRow
from streamgate_worker.rows import blob_prefix
from streamgate_worker.tables import garbage

LOST_AFTER_MS = 600_000
"""A runner that was cut off may write on until it hears that its lease is lost."""


def note(session: Session, row: JobRow, now_ms: int) -> None:
    """`row` as it was while the attempt ran."""
    if row.has_told or not row.lease_id:
        return
    prefix = blob_prefix(row.subject_id, row.job_id, row.lease_id)
    values = {"prefix": prefix, "due_at_ms": now_ms + LOST_AFTER_MS}
    session.execute(insert_into(session, garbage).values(**values).on_conflict_do_nothing())


def due(session: Session, now_ms: int, limit: int) -> list[str]:
    statement = select(garbage.c.prefix).where(garbage.c.due_at_ms <= now_ms).order_by(garbage.c.due_at_ms)
    return list(session.scalars(statement.limit(limit)))


def is_due(session: Session, now_ms: int) -> bool:
    return bool(due(session, now_ms, 1))


def forget(session: Session, prefixes: Sequence[str]) -> None:
    session.execute(delete(garbage).where(garbage.c.prefix.in_(prefixes)))


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(garbage)) or 0
