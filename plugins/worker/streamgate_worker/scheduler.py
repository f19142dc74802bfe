"""Turns the moments of schedules into jobs: one replica does it, each moment makes one job.

The job and the schedule's next moment are one transaction, under the leader's fence and the schedule's row lock, and
the idempotency key is schedule and moment: two leaders at once, or one that dies half-way, change nothing of that.
"""

from __future__ import annotations

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import NewJob
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.lease import Leadership
from streamgate_worker import measures, schedules
from streamgate_worker.cron import Cron, CronFault
from streamgate_worker.schedules import DUE_MAX, ScheduleRow
from streamgate_worker.service import WorkerService

POLL_S = 1.0
"""A schedule that another replica was told of is seen after at most so long."""
MISSED_AFTER_MS = 60_000
"""A moment that is older was missed: nobody led at the time."""


class Scheduler:
    """The work of the leader `worker.scheduler`."""

    def __init__(self, service: WorkerService, db: Database, clock: Clock) -> None:
        self._service = service
        self._db = db
        self._clock = clock

    async def lead(self, leadership: Leadership) -> None:
        while True:
            has_more = await self.fire(leadership)
            if not has_more:
                await self._clock.sleep(await self._rest_s())

    async def _rest_s(self) -> float:
        next_ms = await self._db.read(schedules.next_due_ms)
        left_s = POLL_S if next_ms is None else (next_ms - self._clock.now_ms()) / 1000
        return min(POLL_S, max(0.0, left_s))

    async def fire(self, leadership: Leadership) -> bool:
        """Queues what is due now; whether more is.

        Raises:
            LeadershipLost: nothing was queued.
        """
        now_ms = self._clock.now_ms()
        next_ms = await self._db.read(schedules.next_due_ms)
        if next_ms is None or next_ms > now_ms:
            return False

        def work(session: Session) -> tuple[int, list[tuple[str, int]]]:
            leadership.check(session)
            due = schedules.due(session, now_ms)
            return len(due), [(row.kind, row.next_run_at_ms) for row in due if self._run(session, row, now_ms)]

        seen, begun = await self._db.write(work)
        for _, moment_ms in begun:
            measures.SCHEDULE_LAG.observe((now_ms - moment_ms) / 1000)
        if begun:
            await self._service.tell_available(kind for kind, _ in begun)
        return seen >= DUE_MAX

    def _run(self, session: Session, row: ScheduleRow, now_ms: int) -> bool:
        """Moments that were missed while nobody led become one job, for the first of them, or none (`catch_up`)."""
        moment_ms: int = row.next_run_at_ms
        log = logger.bind(schedule=row.name, owner=row.owner)
        try:
            next_ms = Cron.parse(row.cron, row.timezone).following(now_ms)
        except CronFault as fault:  # the time zone database of this machine knows less
            log.bind(error=str(fault)).error("a schedule cannot be read any more; it does not run")
            schedules.set_next(session, row, None)
            return False
        schedules.set_next(session, row, next_ms)
        if now_ms - moment_ms > MISSED_AFTER_MS and not row.catches_up:
            log.info("moments of a schedule were missed; left out")
            return False
        (job_id,), _ = self._service.add(session, (job_of(row, f"{moment_ms}"),), now_ms)
        schedules.note_run(session, row, moment_ms, job_id)
        return True


def job_of(row: ScheduleRow, which: str) -> NewJob:
    """`which`: the moment, or what else makes this run one of its own."""
    key = f"schedule:{row.owner}:{row.name}:{which}"
    return NewJob(kind=row.kind, payload=row.payload, idempotency_key=key, owner=row.owner)
