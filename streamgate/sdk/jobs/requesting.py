"""Asking for work from inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import NewJob
from streamgate.sdk.db import emit
from streamgate.wire import to_plain


def request_jobs(session: Session, jobs: Sequence[NewJob], *, subject_id: str, revision: int) -> str:
    """Queues the jobs if and only if this transaction commits, all or none. Returns the event's id.

    Args:
        subject_id, revision: of the row that wants the work; events about one subject keep their order.
    """
    body = JobsRequested(subject_id=subject_id, revision=revision, jobs=tuple(to_plain(job) for job in jobs))
    return emit(session, JOBS_REQUESTED, body)
