"""Worker owns the queue of jobs. Runners in other processes lease jobs by service call.

A job may run twice but counts once: heartbeat, checkpoint, complete and fail carry the `lease_id`; a stale
one is refused with `jobs.lease_lost`, and what was written under that lease's prefix is garbage.
A *task* is a root job with its children (`root_id` = the root's own id).
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import attrs

from streamgate.context import Actor
from streamgate.errors import Conflict, Invalid, NotFound, TooMany
from streamgate.events import Topic
from streamgate.services import ServiceRef, method

JobState = Literal["scheduled", "queued", "paused", "running", "done", "failed", "dead", "cancelled"]
"""`paused`: it waits, and its task is paused."""
LEASE_S = 30.0
HEARTBEAT_S = 10.0


class JobNotFound(NotFound):
    code, title = "jobs.not_found", "No such job"


class LeaseLost(Conflict):
    code, title = "jobs.lease_lost", "The lease has passed to another runner"


class UnknownKind(Invalid):
    code, title = "jobs.unknown_kind", "No plugin offers this kind of job"


class PayloadInvalid(Invalid):
    code, title = "jobs.payload_invalid", "The payload does not fit the kind"


class TooManyJobs(TooMany):
    code, title = "jobs.too_many", "Too many jobs of yours wait already"


class JobNotDead(Conflict):
    code, title = "jobs.not_dead", "The job is not a dead letter"


class ScheduleNotFound(NotFound):
    code, title = "jobs.schedule_not_found", "No such schedule"


class ScheduleInvalid(Invalid):
    code, title = "jobs.schedule_invalid", "The schedule cannot be kept"


@attrs.frozen(kw_only=True)
class NewJob:
    """`idempotency_key` unique for as long as a job is kept: enqueuing again returns the first. `job_id` empty: worker
    makes one (UUIDv7). `root_id` empty: it is its own root. Lower `priority` numbers run first (0 to 9).
    `run_at_ms`: not before (milliseconds since 1970); 0 is now."""

    kind: str
    payload: dict[str, Any]
    idempotency_key: str
    job_id: str = ""
    owner: str = ""  # user id the work is done for
    subject_id: str = ""  # e.g. the content
    root_id: str = ""
    priority: int = 5
    max_attempts: int = 3
    run_at_ms: int = 0
    traceparent: str = ""  # W3C, of who asked; kept with the job and given to its runner


@attrs.frozen(kw_only=True)
class Enqueue:
    jobs: tuple[NewJob, ...]  # in one transaction: all or none


@attrs.frozen(kw_only=True)
class Enqueued:
    job_ids: tuple[str, ...]  # in the order of `jobs`


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of job as offered. `user_may_submit`: over HTTP by creators, else admins only."""

    name: str
    summary: str
    payload_schema: dict[str, Any]  # JSON Schema
    user_may_submit: bool = False


@attrs.frozen(kw_only=True)
class RegisterKinds:
    kinds: tuple[Kind, ...]
    plugin: str


@attrs.frozen(kw_only=True)
class LeaseQuery:
    kinds: tuple[str, ...]
    runner: str


@attrs.frozen(kw_only=True)
class Lease:
    """`blob_prefix` is this lease's own: outputs go below it and nowhere else."""

    lease_id: str
    job_id: str
    root_id: str
    kind: str
    payload: dict[str, Any]
    attempt: int
    owner: str
    subject_id: str
    blob_prefix: str
    lease_s: float = LEASE_S
    traceparent: str = ""  # as the job was enqueued with


@attrs.frozen(kw_only=True)
class LeaseAnswer:
    lease: Lease | None


@attrs.frozen(kw_only=True)
class Heartbeat:
    """`progress` 0 to 1. The answer tells whether to go on."""

    lease_id: str
    job_id: str
    progress: float = 0.0
    stage: str = ""


@attrs.frozen(kw_only=True)
class HeartbeatAnswer:
    cancelled: bool


@attrs.frozen(kw_only=True)
class Checkpoint:
    """Partial result, told on as `job.checkpoint`; who hears it keeps it."""

    lease_id: str
    job_id: str
    result: dict[str, Any]
    progress: float = 0.0


@attrs.frozen(kw_only=True)
class Complete:
    lease_id: str
    job_id: str
    result: dict[str, Any]


@attrs.frozen(kw_only=True)
class Fail:
    """`retryable` and attempts left: queued again with back-off. Otherwise `failed` (not retryable) or `dead`."""

    lease_id: str
    job_id: str
    code: str
    detail: str
    retryable: bool


@attrs.frozen(kw_only=True)
class Release:
    """Gives a lease back unfinished (the runner stops): queued again at once, and the attempt does not count."""

    lease_id: str
    job_id: str


@attrs.frozen(kw_only=True)
class JobQuery:
    job_id: str


@attrs.frozen(kw_only=True)
class Bump:
    """Somebody waits for this job: it runs before what has a higher `priority` number, and though its task be paused.
    Never lowers it, and does nothing to a job that runs or has ended."""

    job_id: str
    priority: int = 0


@attrs.frozen(kw_only=True)
class Cancel:
    """Cancels the whole task when `job_id` is a root, with the children that are still to come. What has ended stays
    as it is."""

    job_id: str


@attrs.frozen(kw_only=True)
class Pause:
    """Of the whole task: `job_id` is its root. What runs ends, what waits goes on waiting, also children that are still
    to come, until `Resume`. What somebody waits for runs all the same (`Bump`)."""

    job_id: str


@attrs.frozen(kw_only=True)
class Resume:
    """`job_id`: of the task's root."""

    job_id: str


@attrs.frozen(kw_only=True)
class JobList:
    """`actor` sees their own; admins all."""

    actor: Actor
    status: str = ""
    kind: str = ""
    subject_id: str = ""
    root_only: bool = True
    limit: int = 50
    cursor: str = ""


@attrs.frozen(kw_only=True)
class Attempt:
    """One attempt that ended without success: it failed, or nothing was heard of its runner any more."""

    attempt: int
    runner: str
    began_at: str
    ended_at: str
    code: str
    detail: str


@attrs.frozen(kw_only=True)
class Job:
    """A job as others see it. `result` and `history` (the last 20 attempts that ended without success, oldest first)
    are told of a single job only, by `get`. `result` is None while there is none, and where it was larger than
    256 KiB. `run_at`: not before."""

    job_id: str
    root_id: str
    kind: str
    status: JobState
    owner: str
    subject_id: str
    progress: float
    stage: str
    attempts: int
    max_attempts: int
    error_code: str = ""
    error_detail: str = ""
    created_at: str = ""
    updated_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    run_at: str = ""
    priority: int = 5
    result: dict[str, Any] | None = None
    history: tuple[Attempt, ...] = ()


@attrs.frozen(kw_only=True)
class QueueQuery:
    kinds: tuple[str, ...]


@attrs.frozen(kw_only=True)
class QueueDepth:
    """Of the kinds asked for, together. `oldest_queued_s`: how long the first of them has been waiting."""

    queued: int
    running: int
    oldest_queued_s: float = 0.0


@attrs.frozen(kw_only=True)
class Task:
    """A root and its children, root first. `status` is the whole: cancelled > failed/dead > paused > running > queued >
    done. `is_cancelled`: as a whole, so that what comes later is cancelled too. `is_paused` also where nothing waits
    now, for children may come. `paused_s`: how long it was while something of it was unfinished, all pauses."""

    root: Job
    jobs: tuple[Job, ...]
    status: JobState
    progress: float
    is_cancelled: bool = False
    is_paused: bool = False
    paused_s: float = 0.0


@attrs.frozen(kw_only=True)
class JobPage:
    items: tuple[Job, ...]
    next_cursor: str | None = None


class Jobs(Protocol):
    @method(idempotent=True)
    async def enqueue(self, wanted: Enqueue) -> Enqueued:
        """Raises UnknownKind."""

    @method(idempotent=True)
    async def register_kinds(self, wanted: RegisterKinds) -> None: ...

    @method(timeout_s=15)
    async def lease(self, query: LeaseQuery) -> LeaseAnswer: ...

    @method(idempotent=True)
    async def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Raises LeaseLost."""

    @method(idempotent=True)
    async def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Raises LeaseLost."""

    @method(idempotent=True)
    async def complete(self, done: Complete) -> None:
        """Publishes `job.finished`. Completing again with the same lease is harmless. Raises LeaseLost."""

    @method(idempotent=True)
    async def fail(self, failed: Fail) -> None:
        """Publishes `job.finished` when no attempt is left. Raises LeaseLost."""

    @method(idempotent=True)
    async def release(self, wanted: Release) -> None:
        """Raises LeaseLost."""

    @method(idempotent=True)
    async def bump(self, wanted: Bump) -> None:
        """Raises JobNotFound."""

    @method(idempotent=True)
    async def cancel(self, wanted: Cancel) -> Job:
        """What was queued or running is cancelled when this returns; runners stop the work at once. Publishes
        `job.finished` for each. Raises JobNotFound."""

    @method(idempotent=True)
    async def pause(self, wanted: Pause) -> Job:
        """The root. A task that is paused, or cancelled, stays as it is. Raises JobNotFound: also for a child."""

    @method(idempotent=True)
    async def resume(self, wanted: Resume) -> Job:
        """The root. One that is not paused stays as it is. Raises JobNotFound: also for a child."""

    @method(idempotent=True)
    async def get(self, query: JobQuery) -> Job:
        """Raises JobNotFound."""

    @method(idempotent=True)
    async def task(self, query: JobQuery) -> Task:
        """Of the job with this id and all that have it as root. Raises JobNotFound."""

    @method(idempotent=True)
    async def list_jobs(self, query: JobList) -> JobPage: ...

    @method(timeout_s=3, idempotent=True)
    async def depth(self, query: QueueQuery) -> QueueDepth:
        """How much of these kinds waits and runs now, everybody's."""


JOBS = ServiceRef("worker", Jobs)


@attrs.frozen(kw_only=True)
class JobsAvailable:
    kinds: tuple[str, ...]


JOBS_AVAILABLE = Topic("jobs.available", JobsAvailable)
"""Told when something may be leased: runners ask at once instead of at their next poll."""


@attrs.frozen(kw_only=True)
class JobsCancelled:
    job_ids: tuple[str, ...]


JOBS_CANCELLED = Topic("jobs.cancelled", JobsCancelled)
"""Told to runners, so that work stops now and not at the next heartbeat."""


@attrs.frozen(kw_only=True)
class JobsPaused:
    """`is_paused` False: they go on."""

    root_ids: tuple[str, ...]
    is_paused: bool


JOBS_PAUSED = Topic("jobs.paused", JobsPaused)
"""Told to whoever tells people how far a task is without asking worker. Nothing else depends on it."""
