"""Jobs that have ended are forgotten after a time, whole tasks at once. Dead ones stay until somebody has looked at
them."""

from __future__ import annotations

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from streamgate_worker.rows import UNFINISHED
from streamgate_worker.tables import attempts, jobs

TASKS_AT_ONCE = 200


def forget_ended(session: Session, before_ms: int, most: int = TASKS_AT_ONCE) -> bool:
    """Forgets tasks of which every job ended before; whether there may be more of them. Their idempotency keys are
    forgotten with them."""
    child = jobs.alias()
    is_kept = exists().where(
        child.c.root_id == jobs.c.root_id,
        or_(child.c.status.in_((*UNFINISHED, "dead")), child.c.finished_at_ms >= before_ms),
    )
    old = select(jobs.c.job_id).where(jobs.c.root_id == jobs.c.job_id, jobs.c.finished_at_ms < before_ms, ~is_kept)
    roots = list(session.scalars(old.order_by(jobs.c.finished_at_ms).limit(most)))
    if roots:
        gone = select(jobs.c.job_id).where(jobs.c.root_id.in_(roots))
        session.execute(delete(attempts).where(attempts.c.job_id.in_(gone)))
        session.execute(delete(jobs).where(jobs.c.root_id.in_(roots)))
    return len(roots) == most
