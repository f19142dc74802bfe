"""Dead letters: jobs whose attempts are used up. Somebody looks why, then has them done again or puts them aside."""

from __future__ import annotations

import attrs
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.jobs import JobNotDead, JobNotFound
from streamgate.errors import Unavailable
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_worker import pausing, repository
from streamgate_worker.intake import is_admin
from streamgate_worker.repository import JobRow
from streamgate_worker.service import WorkerService
from streamgate_worker.tables import jobs

REPLAY_MAX = 500
"""Jobs of a kind that one request has done again."""


class DeadLettersLeft(Unavailable):
    code, title = "jobs.dead_letters", "There are dead letters"


@attrs.frozen
class Replayed:
    """`has_more`: there are further ones of the kind."""

    job_ids: tuple[str, ...]
    has_more: bool = False


class DeadLetters:
    def __init__(self, service: WorkerService, db: Database, clock: Clock) -> None:
        self._service = service
        self._db = db
        self._clock = clock

    async def replay(self, actor: Actor, job_id: str) -> Replayed:
        """Queued again, with all its attempts.

        Raises:
            JobNotFound: also for somebody else's.
            JobNotDead: it has another state, or its task was cancelled.
        """

        def work(session: Session) -> JobRow:
            row = _dead(session, actor, job_id)
            if _is_cancelled(session, row.root_id):
                raise JobNotDead(f"the task of job {job_id} is cancelled; submit it anew")
            self._again(session, actor, row)
            return row

        row = await self._db.write(work)
        await self._service.tell_available([row.kind])
        return Replayed((row.job_id,))

    async def replay_kind(self, actor: Actor, kind: str) -> Replayed:
        """All of a kind that are one's own; administrators: everybody's. Those of a cancelled task stay."""

        def work(session: Session) -> Replayed:
            found = select(*repository.SHOWN).where(jobs.c.status == "dead", jobs.c.kind == kind)
            if not is_admin(actor):
                found = found.where(jobs.c.owner == actor.user_id)
            found = found.order_by(jobs.c.run_at_ms).limit(REPLAY_MAX + 1).with_for_update(skip_locked=True)
            rows = session.execute(found).all()
            again = [row for row in rows[:REPLAY_MAX] if not _is_cancelled(session, row.root_id)]
            for row in again:
                self._again(session, actor, row)
            return Replayed(tuple(row.job_id for row in again), len(rows) > REPLAY_MAX)

        replayed = await self._db.write(work)
        if replayed.job_ids:
            await self._service.tell_available([kind])
        return replayed

    async def discard(self, actor: Actor, job_id: str) -> None:
        """Put aside as cancelled, with its history; nobody is told again that it is over. Raises as `replay`."""
        now_ms = self._clock.now_ms()

        def work(session: Session) -> None:
            _dead(session, actor, job_id)
            repository.change(session, job_id, now_ms, status="cancelled")
            audit(session, "job.discarded", on=f"job:{job_id}", actor=actor)

        await self._db.write(work)

    async def count(self) -> int:
        """Up to 1,000."""
        some = select(jobs.c.job_id).where(jobs.c.status == "dead").limit(1_000)
        return await self._db.read(lambda session: len(session.scalars(some).all()))

    async def probe(self) -> str | None:
        """For readiness, where it is shown and stops nothing. Raises DeadLettersLeft."""
        found = await self.count()
        if found:
            raise DeadLettersLeft(f"{found} jobs have used up their attempts; GET /api/v1/jobs/dead lists them")
        return None

    def _again(self, session: Session, actor: Actor, row: JobRow) -> None:
        now_ms = self._clock.now_ms()
        queued = repository.change(
            session,
            row.job_id,
            now_ms,
            status="queued",
            run_at_ms=now_ms,
            attempts=0,
            lease_id="",
            progress=0.0,
            stage="",
            finished_at_ms=None,
        )
        pausing.hold_again(session, queued)
        audit(session, "job.replayed", on=f"job:{row.job_id}", actor=actor, detail={"kind": row.kind})


def _dead(session: Session, actor: Actor, job_id: str) -> JobRow:
    row = repository.lock(session, job_id)
    if row is None or not (is_admin(actor) or (row.owner and row.owner == actor.user_id)):
        raise JobNotFound(f"there is no job {job_id[:40]}")
    if row.status != "dead":
        raise JobNotDead(f"job {job_id} is {row.status}")
    return row


def _is_cancelled(session: Session, root_id: str) -> bool:
    """Of a task that stays so, and is neither paused nor resumed, while the transaction lasts."""
    root = repository.stopped_roots(session, [root_id]).get(root_id)
    return root is not None and bool(root.is_task_cancelled)
