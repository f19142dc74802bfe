"""Asking for work from inside a transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence

import attrs
from sqlalchemy.orm import Session

from streamgate.context import current_call
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import NewJob
from streamgate.sdk.db import emit
from streamgate.telemetry.tracing import note_span
from streamgate.wire import to_plain


def request_jobs(session: Session, jobs: Sequence[NewJob], *, subject_id: str, revision: int) -> str:
    """Queues the jobs if and only if this transaction commits, all or none. Returns the event's id.

    Args:
        subject_id, revision: of the row that wants the work; events about one subject keep their order.
    """
    told = tuple(to_plain(in_trace(job)) for job in jobs)
    body = JobsRequested(subject_id=subject_id, revision=revision, jobs=told)
    return emit(session, JOBS_REQUESTED, body)


def in_trace(job: NewJob) -> NewJob:
    """The job as a step of the current call's trace, for whoever sends `jobs.requested` or asks `enqueue` by hand; its
    runs are below that step. One that has a trace keeps it."""
    if job.traceparent:
        return job
    about = {"streamgate.job.kind": job.kind, "streamgate.job.id": job.job_id}
    parent = current_call().traceparent
    own = note_span(f"enqueue {job.kind}", "producer", parent, start_ns=time.time_ns(), attributes=about)
    return attrs.evolve(job, traceparent=own)
