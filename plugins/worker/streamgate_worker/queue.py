"""What happens to a job, in one transaction each: the rows, and the events that ride with them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.events import JOB_CHECKPOINT, JOB_FINISHED, JobCheckpoint, JobFinished
from streamgate.contracts.jobs import Cancel, Checkpoint, Complete, Fail, Heartbeat, JobNotFound, LeaseLost, Release
from streamgate.sdk.db import emit
from streamgate_worker import garbage, history, measures, pausing, picking, repository
from streamgate_worker.backoff import pause_ms
from streamgate_worker.config import WorkerConfig
from streamgate_worker.picking import Look, Rounds
from streamgate_worker.repository import JobRow
from streamgate_worker.results import kept_result

EXPIRE_AT_LEASE = 20
"""Run-out leases looked at before a lease is given, so that the queue goes on without its sweeper."""
EXPIRE_AT_SWEEP = 200


@attrs.frozen
class Queue:
    """The rules. Its methods are called inside `Database.write`; rows that they return are as they are now."""

    config: WorkerConfig
    rng: random.Random = attrs.field(factory=random.Random)
    _rounds: Rounds = attrs.field(factory=Rounds)

    @property
    def lease_ms(self) -> int:
        return round(self.config.lease_s * 1000)

    # --- by the runner that holds the lease ------------------------------------------------------------

    def take(
        self, session: Session, kinds: Sequence[str], runner: str, now_ms: int, seen: Look
    ) -> tuple[JobRow | None, Expired]:
        """`seen`: what a look just before has found, so that only what is there is asked for."""
        picking.by_index(session)
        expired = self.expire(session, now_ms, EXPIRE_AT_LEASE) if seen.has_expired else Expired()
        if seen.has_due:
            picking.promote(session, now_ms)
        return picking.take(session, kinds, runner, now_ms, self.lease_ms, self._rounds), expired

    def beat(self, session: Session, beat: Heartbeat, now_ms: int) -> JobRow | None:
        """None when the job was cancelled. A lease that ran out but was not noticed yet goes on."""
        progress = min(1.0, max(0.0, beat.progress))
        until_ms = now_ms + self.lease_ms
        touched = repository.touch(session, beat.job_id, beat.lease_id, until_ms, progress, beat.stage[:200])
        if touched is not None:
            return touched
        row = repository.find(session, beat.job_id)
        if row is not None and row.lease_id == beat.lease_id and row.status == "cancelled":
            return None
        raise _lost(beat.job_id)

    def checkpoint(self, session: Session, kept: Checkpoint, now_ms: int) -> JobRow:
        self._held(session, kept.job_id, kept.lease_id)
        row = repository.change(
            session,
            kept.job_id,
            now_ms,
            progress=min(1.0, max(0.0, kept.progress)),
            lease_until_ms=now_ms + self.lease_ms,
            has_told=True,
        )
        body = JobCheckpoint(
            subject_id=row.subject_id,
            revision=row.revision,
            job_id=row.job_id,
            root_id=row.root_id,
            kind=row.kind,
            result=kept.result,
        )
        emit(session, JOB_CHECKPOINT, body, event_id=_event_id(row))
        return row

    def complete(self, session: Session, done: Complete, now_ms: int) -> JobRow | None:
        """None when it was said before; the answer was lost."""
        row = repository.lock(session, done.job_id)
        if row is not None and row.lease_id == done.lease_id and row.status == "done":
            return None
        self._held(session, done.job_id, done.lease_id)
        row = repository.change(
            session,
            done.job_id,
            now_ms,
            status="done",
            finished_at_ms=now_ms,
            result=kept_result(done.result),
            progress=1.0,
        )
        _say_finished(session, row, done.result)
        return row

    def fail(self, session: Session, failed: Fail, now_ms: int) -> JobRow | None:
        """None when it was said before."""
        row = repository.lock(session, failed.job_id)
        if (
            row is not None
            and row.lease_id == failed.lease_id
            and row.status in ("scheduled", "queued", "failed", "dead")
        ):
            return None
        row = self._held(session, failed.job_id, failed.lease_id)
        code, detail = failed.code[:100], failed.detail[:2000]
        self._note_lost(session, row, code, detail, now_ms)
        if not failed.retryable:
            return self._end(session, row.job_id, "failed", now_ms, error_code=code, error_detail=detail)
        if row.attempts >= row.max_attempts:
            return self._end(session, row.job_id, "dead", now_ms, error_code=code, error_detail=detail)
        config = self.config
        rest_ms = pause_ms(row.attempts, base_s=config.retry_base_s, max_s=config.retry_max_s, rng=self.rng)
        error = {"error_code": code, "error_detail": detail}
        return self._again(session, row.job_id, now_ms, run_at_ms=now_ms + rest_ms, **error)

    def release(self, session: Session, given: Release, now_ms: int) -> JobRow:
        row = self._held(session, given.job_id, given.lease_id)
        garbage.note(session, row, now_ms)
        return self._again(session, row.job_id, now_ms, run_at_ms=now_ms, lease_id="", attempts=row.attempts - 1)

    # --- by others -------------------------------------------------------------------------------------

    def expire(self, session: Session, now_ms: int, limit: int) -> Expired:
        """Takes back leases that ran out."""
        again: list[JobRow] = []
        dead: list[JobRow] = []
        for row in repository.expired(session, now_ms, limit):
            code, said = "jobs.lease_expired", f"{row.runner} was not heard of any more"
            self._note_lost(session, row, code, said, now_ms)
            error: dict[str, Any] = {"lease_id": "", "error_code": code, "error_detail": said}
            if row.attempts >= row.max_attempts:
                dead.append(self._end(session, row.job_id, "dead", now_ms, **error))
            else:
                again.append(self._again(session, row.job_id, now_ms, run_at_ms=now_ms, **error))
        return Expired(tuple(again), tuple(dead))

    def cancel(self, session: Session, wanted: Cancel, now_ms: int) -> Cancelled:
        """Raises JobNotFound: `jobs.not_found`."""
        found = repository.lock(session, wanted.job_id)  # children are added under a lock on it too
        if found is None:
            raise JobNotFound(f"there is no job {wanted.job_id}")
        rows = repository.unfinished(session, wanted.job_id)
        ended = []
        for row in rows:
            if row.status == "running":
                garbage.note(session, row, now_ms)
            ended.append(self._end(session, row.job_id, "cancelled", now_ms))
        found = repository.find(session, wanted.job_id) or found
        if found.root_id == found.job_id and not found.is_task_cancelled:  # its children may still be on their way
            over = pausing.no_longer(session, found, now_ms)
            found = repository.change(session, found.job_id, now_ms, is_task_cancelled=True, **over)
        return Cancelled(found, tuple(ended), tuple(row.job_id for row in rows if row.status == "running"))

    def say_cancelled(self, session: Session, rows: Sequence[JobRow]) -> None:
        """For jobs that were added to a task that is cancelled."""
        for row in rows:
            _say_finished(session, row, None)

    # --- the fence -------------------------------------------------------------------------------------

    def _held(self, session: Session, job_id: str, lease_id: str) -> JobRow:
        """The row, locked, if this lease still counts.

        Raises:
            LeaseLost: `jobs.lease_lost`.
        """
        row = repository.lock(session, job_id)
        if row is None or row.status != "running" or row.lease_id != lease_id:
            raise _lost(job_id)
        return row

    def _note_lost(self, session: Session, row: JobRow, code: str, detail: str, now_ms: int) -> None:
        history.note(session, row, code, detail, now_ms)
        garbage.note(session, row, now_ms)

    def _again(self, session: Session, job_id: str, now_ms: int, *, run_at_ms: int, **values: Any) -> JobRow:
        row = repository.change(session, job_id, now_ms, status="queued", run_at_ms=run_at_ms, **values)
        return pausing.hold_again(session, row)

    def _end(
        self,
        session: Session,
        job_id: str,
        status: Literal["failed", "dead", "cancelled"],
        now_ms: int,
        **values: Any,
    ) -> JobRow:
        row = repository.change(session, job_id, now_ms, status=status, finished_at_ms=now_ms, **values)
        _say_finished(session, row, None)
        return row


@attrs.frozen
class Expired:
    """Jobs whose lease ran out: those that wait again, and those that were given up."""

    again: tuple[JobRow, ...] = ()
    dead: tuple[JobRow, ...] = ()


@attrs.frozen
class Cancelled:
    """`found`: the job that was asked for; `ended`: all that were cancelled; `running`: ids of those that ran."""

    found: JobRow
    ended: tuple[JobRow, ...]
    running: tuple[str, ...]


def _lost(job_id: str) -> LeaseLost:
    measures.STALE_WORDS.inc()
    return LeaseLost(f"job {job_id} is not this runner's any more; what it made does not count")


def _event_id(row: JobRow) -> str:
    """The same cause has the same id, however often it is said."""
    return f"{row.job_id}:{row.revision}"


def _say_finished(session: Session, row: JobRow, result: dict[str, Any] | None) -> None:
    body = JobFinished(
        subject_id=row.subject_id,
        revision=row.revision,
        job_id=row.job_id,
        root_id=row.root_id,
        kind=row.kind,
        status=row.status,
        result=result,
        error_code=row.error_code,
        error_detail=row.error_detail,
    )
    emit(session, JOB_FINISHED, body, event_id=_event_id(row))
