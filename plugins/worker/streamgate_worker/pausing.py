"""Tasks that rest because somebody wants it so, in SQL: what runs of them ends, what waits is held.

Whether a task is paused stands in its root, so that it lasts: children that come later are held, and so is what waits
again after an attempt that was lost. Functions of a session; they never commit.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import exists, func, literal, select, update
from sqlalchemy.orm import Session

from streamgate.context import current_call
from streamgate.contracts.jobs import JobNotFound
from streamgate.sdk.audit import audit
from streamgate_worker import repository
from streamgate_worker.repository import JobRow
from streamgate_worker.rows import HELD, UNFINISHED, WAITING
from streamgate_worker.tables import jobs


def pause(session: Session, job_id: str, now_ms: int) -> tuple[JobRow, bool]:
    """The root as it is now, and whether it was paused by this. Raises JobNotFound."""
    root = _root(session, job_id)
    if root.is_task_cancelled or root.paused_at_ms is not None:
        return root, False
    repository.unfinished(session, job_id)  # locked: what an attempt gives back meanwhile is seen
    waits = (jobs.c.root_id == job_id) & jobs.c.status.in_(WAITING)
    session.execute(update(jobs).where(waits).values(place=HELD, updated_at_ms=now_ms))
    _note(session, "job.paused", job_id)
    return repository.change(session, job_id, now_ms, paused_at_ms=now_ms), True


def resume(session: Session, job_id: str, now_ms: int) -> tuple[JobRow, tuple[str, ...], bool]:
    """The root as it is now, the kinds of what waits in the queue again, and whether it was paused. What rests comes by
    its time. Raises JobNotFound."""
    root = _root(session, job_id)
    repository.unfinished(session, job_id)  # locked: what an attempt gives back meanwhile is seen, and not held after
    held = (jobs.c.root_id == job_id) & (jobs.c.place == HELD)
    is_due = jobs.c.run_at_ms <= now_ms
    moved = update(jobs).values(updated_at_ms=now_ms).returning(jobs.c.kind)
    kinds = set(session.scalars(moved.where(held, is_due).values(place="ready")))
    session.execute(update(jobs).where(held).values(place="rests", updated_at_ms=now_ms))
    if root.paused_at_ms is None:
        return root, tuple(sorted(kinds)), False
    _note(session, "job.resumed", job_id)
    return repository.change(session, job_id, now_ms, **no_longer(session, root, now_ms)), tuple(sorted(kinds)), True


def hold_again(session: Session, row: JobRow) -> JobRow:
    """The row of a job that waits again, held where its task is paused."""
    root = jobs.alias("root")
    is_paused = exists(literal(1)).where(root.c.job_id == row.root_id, root.c.paused_at_ms.is_not(None))
    statement = update(jobs).where(jobs.c.job_id == row.job_id, is_paused).values(place=HELD).returning(jobs)
    return session.execute(statement).first() or row


def no_longer(session: Session, root: JobRow, now_ms: int) -> dict[str, Any]:
    """What is to be changed in a root that is paused no more."""
    return {"paused_at_ms": None, "paused_ms": round(paused_s(session, root, now_ms) * 1000)}


def paused_s(session: Session, root: JobRow, now_ms: int) -> float:
    """Of a root: all its pauses, with the one that lasts: until now, or until the last of its jobs had ended."""
    now_paused_ms = 0
    if root.paused_at_ms is not None:
        of_task = jobs.c.root_id == root.job_id
        goes_on = exists(literal(1)).where(of_task, jobs.c.status.in_(UNFINISHED))
        ended_ms = select(func.max(jobs.c.finished_at_ms)).where(of_task, ~goes_on).scalar_subquery()
        until_ms = session.scalar(select(func.coalesce(ended_ms, now_ms)))
        now_paused_ms = max(0, (until_ms or now_ms) - root.paused_at_ms)
    return float((root.paused_ms + now_paused_ms) / 1000)


def _note(session: Session, act: str, job_id: str) -> None:
    if current_call().actor.kind == "user":
        audit(session, act, on=f"job:{job_id}")


def _root(session: Session, job_id: str) -> JobRow:
    """Locked, as those do who add children to it."""
    root = repository.lock(session, job_id)
    if root is None or root.root_id != root.job_id:
        raise JobNotFound(f"there is no task {job_id}")
    return root
