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
from streamgate_worker import repository
from streamgate_worker.backoff import pause_ms
from streamgate_worker.config import WorkerConfig
from streamgate_worker.repository import JobRow

EXPIRE_AT_LEASE = 20
"""Run-out leases looked at before a lease is given, so that the queue goes on without its sweeper."""
EXPIRE_AT_SWEEP = 200


@attrs.frozen
class Queue:
    """The rules. Its methods are called inside `Database.write`."""

    config: WorkerConfig
    rng: random.Random = attrs.field(factory=random.Random)

    @property
    def lease_ms(self) -> int:
        return round(self.config.lease_s * 1000)

    # --- by the runner that holds the lease ------------------------------------------------------------

    def take(self, session: Session, kinds: Sequence[str], runner: str, now_ms: int) -> JobRow | None:
        self.expire(session, now_ms, EXPIRE_AT_LEASE)
        return repository.take(session, kinds, runner, now_ms, self.lease_ms)

    def beat(self, session: Session, beat: Heartbeat, now_ms: int) -> bool:
        """True when the job was cancelled. A lease that ran out but was not noticed yet goes on."""
        progress = min(1.0, max(0.0, beat.progress))
        until_ms = now_ms + self.lease_ms
        if repository.touch(session, beat.job_id, beat.lease_id, until_ms, progress, beat.stage[:200]):
            return False
        row = repository.find(session, beat.job_id)
        if row is not None and row.lease_id == beat.lease_id and row.status == "cancelled":
            return True
        raise _lost(beat.job_id)

    def checkpoint(self, session: Session, kept: Checkpoint, now_ms: int) -> None:
        self._held(session, kept.job_id, kept.lease_id)
        row = repository.change(
            session,
            kept.job_id,
            now_ms,
            progress=min(1.0, max(0.0, kept.progress)),
            lease_until_ms=now_ms + self.lease_ms,
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

    def complete(self, session: Session, done: Complete, now_ms: int) -> None:
        row = repository.lock(session, done.job_id)
        if row is not None and row.lease_id == done.lease_id and row.status == "done":
            return  # said before; the answer was lost
        self._held(session, done.job_id, done.lease_id)
        self._end(session, done.job_id, "done", now_ms, result=done.result, progress=1.0)

    def fail(self, session: Session, failed: Fail, now_ms: int) -> None:
        row = repository.lock(session, failed.job_id)
        if (
            row is not None
            and row.lease_id == failed.lease_id
            and row.status in ("scheduled", "queued", "failed", "dead")
        ):
            return  # said before
        row = self._held(session, failed.job_id, failed.lease_id)
        error: dict[str, Any] = {"error_code": failed.code[:100], "error_detail": failed.detail[:2000]}
        if not failed.retryable:
            self._end(session, row.job_id, "failed", now_ms, **error)
        elif row.attempts >= row.max_attempts:
            self._end(session, row.job_id, "dead", now_ms, **error)
        else:
            config = self.config
            rest_ms = pause_ms(row.attempts, base_s=config.retry_base_s, max_s=config.retry_max_s, rng=self.rng)
            repository.change(session, row.job_id, now_ms, status="queued", run_at_ms=now_ms + rest_ms, **error)

    def release(self, session: Session, given: Release, now_ms: int) -> str:
        """Returns the kind that may be leased again."""
        row = self._held(session, given.job_id, given.lease_id)
        repository.change(
            session, row.job_id, now_ms, status="queued", lease_id="", run_at_ms=now_ms, attempts=row.attempts - 1
        )
        kind: str = row.kind
        return kind

    # --- by others -------------------------------------------------------------------------------------

    def expire(self, session: Session, now_ms: int, limit: int) -> list[str]:
        """Takes back leases that ran out; the kinds that may be leased again."""
        again: set[str] = set()
        for row in repository.expired(session, now_ms, limit):
            said = f"{row.runner} was not heard of any more"
            error: dict[str, Any] = {"error_code": "jobs.lease_expired", "error_detail": said}
            if row.attempts >= row.max_attempts:
                self._end(session, row.job_id, "dead", now_ms, lease_id="", **error)
            else:
                repository.change(session, row.job_id, now_ms, status="queued", lease_id="", run_at_ms=now_ms, **error)
                again.add(row.kind)
        return sorted(again)

    def cancel(self, session: Session, wanted: Cancel, now_ms: int) -> tuple[JobRow, list[str]]:
        """The job as it is now, and the ids of those that were running.

        Raises:
            JobNotFound: `jobs.not_found`.
        """
        found = repository.lock(session, wanted.job_id)  # children are added under a lock on it too
        if found is None:
            raise JobNotFound(f"there is no job {wanted.job_id}")
        rows = repository.unfinished(session, wanted.job_id)
        for row in rows:
            self._end(session, row.job_id, "cancelled", now_ms)
        found = repository.find(session, wanted.job_id) or found
        if found.root_id == found.job_id and not found.is_task_cancelled:  # its children may still be on their way
            found = repository.change(session, found.job_id, now_ms, is_task_cancelled=True)
        return found, [row.job_id for row in rows if row.status == "running"]

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

    def _end(
        self,
        session: Session,
        job_id: str,
        status: Literal["done", "failed", "dead", "cancelled"],
        now_ms: int,
        *,
        result: dict[str, Any] | None = None,
        **values: Any,
    ) -> None:
        row = repository.change(session, job_id, now_ms, status=status, finished_at_ms=now_ms, **values)
        _say_finished(session, row, result)


def _lost(job_id: str) -> LeaseLost:
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
