"""Attempts that ended without success, for whoever asks why a job is where it is."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import Attempt
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.db import insert_into
from streamgate_worker.repository import JobRow
from streamgate_worker.tables import attempts

SHOWN_ATTEMPTS = 20


def note(session: Session, row: JobRow, code: str, detail: str, now_ms: int) -> None:
    """The attempt that has just ended; `row` as it was while it ran."""
    values = {
        "lease_id": row.lease_id,
        "job_id": row.job_id,
        "attempt": row.attempts,
        "runner": row.runner,
        "began_at_ms": row.leased_at_ms,
        "ended_at_ms": now_ms,
        "code": code,
        "detail": detail,
    }
    session.execute(insert_into(session, attempts).values(**values).on_conflict_do_nothing())


def of_job(session: Session, job_id: str) -> tuple[Attempt, ...]:
    """The last ones, oldest first."""
    statement = select(attempts).where(attempts.c.job_id == job_id)
    rows = session.execute(statement.order_by(attempts.c.ended_at_ms.desc()).limit(SHOWN_ATTEMPTS)).all()
    return tuple(
        Attempt(
            attempt=row.attempt,
            runner=row.runner,
            began_at=rfc3339(row.began_at_ms),
            ended_at=rfc3339(row.ended_at_ms),
            code=row.code,
            detail=row.detail,
        )
        for row in reversed(rows)
    )
