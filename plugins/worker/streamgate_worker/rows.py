"""Rows of the queue as the contract's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from streamgate.contracts.jobs import Attempt, Job, JobState, Lease, Task
from streamgate.sdk.blobs.base import check_key
from streamgate.sdk.clock import rfc3339

WAITING: tuple[JobState, ...] = ("scheduled", "queued")
UNFINISHED: tuple[JobState, ...] = (*WAITING, "running")
HELD = "held"
"""The place of what waits in a task that is paused."""


def shown_status(row: Row[Any], now_ms: int) -> JobState:
    """A scheduled job whose time has come is shown as queued: nothing more must happen for it to run. One that is held
    is paused, whatever it waits for besides."""
    status: JobState = row.status
    if row.place == HELD:
        return "paused"
    return "queued" if status == "scheduled" and row.run_at_ms <= now_ms else status


def to_job(
    row: Row[Any], now_ms: int, *, result: dict[str, Any] | None = None, history: tuple[Attempt, ...] = ()
) -> Job:
    return Job(
        job_id=row.job_id,
        root_id=row.root_id,
        kind=row.kind,
        status=shown_status(row, now_ms),
        owner=row.owner,
        subject_id=row.subject_id,
        progress=row.progress,
        stage=row.stage,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        error_code=row.error_code,
        error_detail=row.error_detail,
        created_at=rfc3339(row.created_at_ms),
        updated_at=rfc3339(row.updated_at_ms),
        started_at=None if row.started_at_ms is None else rfc3339(row.started_at_ms),
        finished_at=None if row.finished_at_ms is None else rfc3339(row.finished_at_ms),
        run_at=rfc3339(row.run_at_ms),
        priority=row.priority,
        result=result,
        history=history,
    )


def to_lease(row: Row[Any], lease_s: float) -> Lease:
    return Lease(
        lease_id=row.lease_id,
        job_id=row.job_id,
        root_id=row.root_id,
        kind=row.kind,
        payload=row.payload,
        attempt=row.attempts,
        owner=row.owner,
        subject_id=row.subject_id,
        blob_prefix=blob_prefix(row.subject_id, row.job_id, row.lease_id),
        lease_s=lease_s,
        traceparent=row.traceparent,
    )


def blob_prefix(subject_id: str, job_id: str, lease_id: str) -> str:
    """`jobs/<subject>/<job>/<lease>`: what one attempt makes, apart from any other's; no `/` at the end.

    Everything of a subject is below one prefix, so that it can be removed with it.
    """
    try:
        word = check_key(subject_id).replace("/", "_")
    except ValueError:
        word = "_"
    return f"jobs/{word}/{job_id}/{lease_id}"


def to_task(
    root: Job,
    children: Sequence[Job],
    *,
    is_cancelled: bool = False,
    is_paused: bool = False,
    paused_s: float = 0.0,
) -> Task:
    jobs = (root, *children)
    states = {job.status for job in jobs}
    if is_paused and not states.isdisjoint(("running", "queued", "scheduled")):
        states.add("paused")  # what runs is the last of it
    order: tuple[JobState, ...] = ("cancelled", "failed", "dead", "paused", "running", "queued", "scheduled")
    return Task(
        root=root,
        jobs=jobs,
        status=next((state for state in order if state in states), "done"),
        progress=round(sum(job.progress for job in jobs) / len(jobs), 4),
        is_cancelled=is_cancelled,
        is_paused=is_paused,
        paused_s=paused_s,
    )
