"""The queue as a service (`contracts.jobs.Jobs`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast, get_args

from sqlalchemy.orm import Session

from streamgate.context import current_call
from streamgate.contracts.jobs import (
    JOBS_AVAILABLE,
    JOBS_CANCELLED,
    JOBS_PAUSED,
    Attempt,
    Bump,
    Cancel,
    Checkpoint,
    Complete,
    Enqueue,
    Enqueued,
    Fail,
    Heartbeat,
    HeartbeatAnswer,
    Job,
    JobList,
    JobNotFound,
    JobPage,
    JobQuery,
    JobsAvailable,
    JobsCancelled,
    JobsPaused,
    JobState,
    Kind,
    LeaseAnswer,
    LeaseQuery,
    NewJob,
    Pause,
    QueueDepth,
    QueueQuery,
    RegisterKinds,
    Release,
    Resume,
    Task,
    UnknownKind,
)
from streamgate.errors import FieldError, Invalid
from streamgate.events import Events
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, first_time
from streamgate_worker import history, measures, pausing, picking, repository
from streamgate_worker.cursor import read_cursor, write_cursor
from streamgate_worker.live import Live
from streamgate_worker.queue import Cancelled, Expired, Queue
from streamgate_worker.repository import JobRow
from streamgate_worker.rows import HELD, WAITING, to_job, to_lease, to_task

MAX_PAGE = 200
GROUP = "worker"


class WorkerService:
    """Each method is one transaction; runners are told by broadcast once it is committed."""

    def __init__(self, db: Database, events: Events, clock: Clock, queue: Queue) -> None:
        self._db = db
        self._events = events
        self._clock = clock
        self._queue = queue
        self._live = Live(events, clock)

    # --- asking for work -------------------------------------------------------------------------------

    async def register_kinds(self, wanted: RegisterKinds) -> None:
        def work(session: Session) -> None:
            for kind in wanted.kinds:
                repository.register_kind(session, kind, wanted.plugin)

        await self._db.write(work)

    async def find_kind(self, name: str) -> Kind | None:
        return await self._db.read(lambda session: repository.find_kind(session, name))

    async def kinds(self, *, for_everybody: bool) -> list[Kind]:
        return await self._db.read(lambda session: repository.all_kinds(session, for_everybody=for_everybody))

    async def enqueue(self, wanted: Enqueue) -> Enqueued:
        now_ms = self._clock.now_ms()

        def work(session: Session) -> tuple[list[str], list[JobRow]]:
            unknown = repository.unknown_kinds(session, (job.kind for job in wanted.jobs))
            if unknown:
                raise UnknownKind(f"no plugin offers jobs of kind {', '.join(unknown)}")
            return self.add(session, wanted.jobs, now_ms)

        check_jobs(wanted.jobs)
        job_ids, cancelled = await self._db.write(work)
        await self.tell_available(job.kind for job in wanted.jobs)
        await self._live.ended(cancelled)
        return Enqueued(job_ids=tuple(job_ids))

    async def enqueue_requested(self, event_id: str, wanted: Sequence[NewJob]) -> None:
        """By event. A kind that nobody has registered yet is taken all the same: its owner may start later."""
        now_ms = self._clock.now_ms()

        def work(session: Session) -> list[JobRow]:
            return self.add(session, wanted, now_ms)[1] if first_time(session, event_id, group=GROUP) else []

        check_jobs(wanted)
        cancelled = await self._db.write(work)
        await self.tell_available(job.kind for job in wanted)
        await self._live.ended(cancelled)

    def add(self, session: Session, wanted: Sequence[NewJob], now_ms: int) -> tuple[list[str], list[JobRow]]:
        """In a transaction: the ids, and the rows that are cancelled from the start. Whoever calls it does
        `tell_available` after the commit."""
        job_ids, cancelled = repository.add(session, wanted, now_ms)
        self._queue.say_cancelled(session, cancelled)
        return job_ids, cancelled

    # --- doing work ------------------------------------------------------------------------------------

    async def lease(self, query: LeaseQuery) -> LeaseAnswer:
        row, expired = await self._take(query)
        await self._told_expired(expired)
        if row is None:
            return LeaseAnswer(lease=None)
        await self._live.progress(row)
        return LeaseAnswer(lease=to_lease(row, self._queue.config.lease_s))

    async def _take(self, query: LeaseQuery) -> tuple[JobRow | None, Expired]:
        """Looks before it writes: most asking finds nothing."""
        if not query.kinds:
            return None, Expired()
        now_ms = self._clock.now_ms()
        seen = await self._db.read(lambda session: picking.look(session, query.kinds, now_ms))
        if not seen:
            return None, Expired()
        return await self._db.write(
            lambda session: self._queue.take(session, query.kinds, query.runner[:200], now_ms, seen)
        )

    async def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        now_ms = self._clock.now_ms()
        row = await self._db.write(lambda session: self._queue.beat(session, beat, now_ms))
        if row is not None:
            await self._live.progress(row)
        return HeartbeatAnswer(cancelled=row is None)

    async def checkpoint(self, checkpoint: Checkpoint) -> None:
        now_ms = self._clock.now_ms()
        row = await self._db.write(lambda session: self._queue.checkpoint(session, checkpoint, now_ms))
        await self._live.progress(row)

    async def complete(self, done: Complete) -> None:
        now_ms = self._clock.now_ms()
        row = await self._db.write(lambda session: self._queue.complete(session, done, now_ms))
        await self._live.ended(() if row is None else (row,))

    async def fail(self, failed: Fail) -> None:
        now_ms = self._clock.now_ms()
        row = await self._db.write(lambda session: self._queue.fail(session, failed, now_ms))
        await self._live.ended(() if row is None else (row,))

    async def release(self, wanted: Release) -> None:
        now_ms = self._clock.now_ms()
        row = await self._db.write(lambda session: self._queue.release(session, wanted, now_ms))
        await self.tell_available([row.kind])

    # --- steering ----------------------------------------------------------------------------------------

    async def bump(self, wanted: Bump) -> None:
        now_ms = self._clock.now_ms()

        def work(session: Session) -> str:
            """The kind of one that was held, and may run now."""
            row = repository.lock(session, wanted.job_id)
            if row is None:
                raise JobNotFound(f"there is no job {wanted.job_id}")
            priority = min(row.priority, wanted.priority)
            if row.place == HELD:
                waits = {"status": row.status, "run_at_ms": row.run_at_ms}
                repository.change(session, row.job_id, now_ms, priority=priority, **waits)
                return str(row.kind)
            if row.status in WAITING and row.priority > priority:
                repository.change(session, row.job_id, now_ms, priority=priority)
            return ""

        freed = await self._db.write(work)
        if freed:
            await self.tell_available([freed])

    async def cancel(self, wanted: Cancel) -> Job:
        now_ms = self._clock.now_ms()

        def work(session: Session) -> Cancelled:
            if current_call().actor.kind == "user":
                audit(session, "job.cancelled", on=f"job:{wanted.job_id}")
            return self._queue.cancel(session, wanted, now_ms)

        cancelled = await self._db.write(work)
        if cancelled.running:
            await self._events.broadcast(JOBS_CANCELLED, JobsCancelled(job_ids=cancelled.running))
        await self._live.ended(cancelled.ended)
        return to_job(cancelled.found, now_ms)

    async def pause(self, wanted: Pause) -> Job:
        now_ms = self._clock.now_ms()

        root, is_new = await self._db.write(lambda session: pausing.pause(session, wanted.job_id, now_ms))
        if is_new:
            await self._events.broadcast(JOBS_PAUSED, JobsPaused(root_ids=(root.job_id,), is_paused=True))
        return to_job(root, now_ms)

    async def resume(self, wanted: Resume) -> Job:
        now_ms = self._clock.now_ms()

        resumed = await self._db.write(lambda session: pausing.resume(session, wanted.job_id, now_ms))
        root, kinds, was_paused = resumed
        if was_paused:
            await self._events.broadcast(JOBS_PAUSED, JobsPaused(root_ids=(root.job_id,), is_paused=False))
        if kinds:
            await self.tell_available(kinds)
        return to_job(root, now_ms)

    # --- looking -----------------------------------------------------------------------------------------

    async def get(self, query: JobQuery) -> Job:
        def work(session: Session) -> tuple[JobRow | None, tuple[Attempt, ...]]:
            return repository.find_with_result(session, query.job_id), history.of_job(session, query.job_id)

        row, attempts = await self._db.read(work)
        if row is None:
            raise JobNotFound(f"there is no job {query.job_id}")
        return to_job(row, self._clock.now_ms(), result=row.result, history=attempts)

    async def task(self, query: JobQuery) -> Task:
        now_ms = self._clock.now_ms()

        def work(session: Session) -> Task | None:
            root = repository.find(session, query.job_id)
            if root is None:
                return None
            return to_task(
                to_job(root, now_ms),
                [to_job(row, now_ms) for row in repository.children(session, query.job_id)],
                is_cancelled=root.is_task_cancelled,
                is_paused=root.paused_at_ms is not None,
                paused_s=pausing.paused_s(session, root, now_ms),
            )

        task = await self._db.read(work)
        if task is None:
            raise JobNotFound(f"there is no job {query.job_id}")
        return task

    async def list_jobs(self, query: JobList) -> JobPage:
        _check_list(query)
        after = read_cursor(query.cursor)
        now_ms = self._clock.now_ms()
        rows = await self._db.read(lambda session: repository.page(session, query, now_ms, after))
        shown = rows[: query.limit]
        has_more = len(rows) > query.limit
        return JobPage(
            items=tuple(to_job(row, now_ms) for row in shown),
            next_cursor=write_cursor(shown[-1].created_at_ms, shown[-1].job_id) if has_more else None,
        )

    async def depth(self, query: QueueQuery) -> QueueDepth:
        found = [each for each in await self._db.read(repository.depths) if each.kind in query.kinds]
        now_ms = self._clock.now_ms()
        queued = [each for each in found if each.status == "queued"]
        since_ms = min((each.since_ms for each in queued), default=now_ms)
        return QueueDepth(
            queued=sum(each.count for each in queued),
            running=sum(each.count for each in found if each.status == "running"),
            oldest_queued_s=max(0, now_ms - since_ms) / 1000,
        )

    # --- for the sweeper -----------------------------------------------------------------------------------

    async def sweep(self, limit: int) -> None:
        """Takes back leases that ran out, makes ready what has become due, and wakes runners for both."""
        now_ms = self._clock.now_ms()
        if not await self._db.read(lambda session: picking.look(session, (), now_ms)):
            return

        def work(session: Session) -> tuple[Expired, list[str]]:
            return self._queue.expire(session, now_ms, limit), picking.promote(session, now_ms, limit)

        expired, due = await self._db.write(work)
        await self._told_expired(expired)
        if due:
            await self.tell_available(due)

    async def _told_expired(self, expired: Expired) -> None:
        for row in (*expired.again, *expired.dead):
            measures.LEASES_LOST.labels(row.kind).inc()
        await self._live.ended(expired.dead)
        if expired.again:
            await self.tell_available(row.kind for row in expired.again)

    async def tell_available(self, kinds: Iterable[str]) -> None:
        await self._events.broadcast(JOBS_AVAILABLE, JobsAvailable(kinds=tuple(sorted(set(kinds)))))


def check_jobs(wanted: Sequence[NewJob]) -> None:
    """Raises Invalid: what no row could hold, or what would never run."""
    for job in wanted:
        errors = [
            FieldError(field, said)
            for field, is_wrong, said in (
                ("kind", not 1 <= len(job.kind) <= 100, "has 1 to 100 characters"),
                ("idempotency_key", not 1 <= len(job.idempotency_key) <= 300, "has 1 to 300 characters"),
                ("priority", not 0 <= job.priority <= 9, "is 0 to 9"),
                ("max_attempts", not 1 <= job.max_attempts <= 100, "is 1 to 100"),
            )
            if is_wrong
        ]
        if errors:
            raise Invalid(f"job of kind {job.kind[:100]} cannot be queued", errors=tuple(errors))


def _check_list(query: JobList) -> None:
    if query.status and query.status not in get_args(JobState):
        states = ", ".join(cast("tuple[str, ...]", get_args(JobState)))
        raise Invalid("Unknown status", errors=(FieldError("status", f"is one of {states}"),))
    if not 1 <= query.limit <= MAX_PAGE:
        raise Invalid("The page is too large or too small", errors=(FieldError("limit", f"is 1 to {MAX_PAGE}"),))
