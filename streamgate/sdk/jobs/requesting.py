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
    """Queues the jobs if and only if this transaction commits, all or none. Returns the event's id. They belong to the
    trace of the current call.

    Args:
        subject_id, revision: of the row that wants the work; events about one subject keep their order.
    """
    traced = [job if job.traceparent else attrs.evolve(job, traceparent=_enqueued(job)) for job in jobs]
    body = JobsRequested(subject_id=subject_id, revision=revision, jobs=tuple(to_plain(job) for job in traced))
    return emit(session, JOBS_REQUESTED, body)


def _enqueued(job: NewJob) -> str:
    """Notes the step in the current call's trace; its runs are below it."""
    about = {"streamgate.job.kind": job.kind, "streamgate.job.id": job.job_id}
    call = current_call()
    return note_span(f"enqueue {job.kind}", "producer", call.traceparent, start_ns=time.time_ns(), attributes=about)
