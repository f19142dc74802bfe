"""Jobs that people ask for: who may ask for what, how many may wait, and that it is noted who asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.jobs import Kind, NewJob, TooManyJobs, UnknownKind
from streamgate.errors import FieldError, Forbidden
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_worker import measures, repository
from streamgate_worker.payloads import check_payload
from streamgate_worker.rows import shown_status
from streamgate_worker.service import WorkerService, check_jobs

USER_PRIORITY = 5
"""The best that people other than administrators may ask for: lower numbers run first."""
RETRY_AFTER_S = 30.0

KindGuard = Callable[[Actor, Any], Awaitable[None]]
"""Raises when the actor may not ask for this payload (somebody else's content, an address that must not be reached).
It is given the payload as it came, checked against the kind's schema."""


@attrs.frozen
class Taken:
    """`is_new` is False where the idempotency key was known already."""

    job_id: str
    status: str
    is_new: bool


class Intake:
    """
    Args:
        max_waiting: jobs of one person that may wait or run at once.
    """

    def __init__(
        self,
        service: WorkerService,
        db: Database,
        clock: Clock,
        guards: Mapping[str, KindGuard],
        *,
        max_waiting: int,
    ) -> None:
        self._service = service
        self._db = db
        self._clock = clock
        self._guards = guards
        self._max_waiting = max_waiting

    async def check(
        self, actor: Actor, kind_name: str, payload: dict[str, Any], *, priority: int = USER_PRIORITY
    ) -> Kind:
        """Whether this person may ask for this.

        Raises:
            UnknownKind, PayloadInvalid, Forbidden, and what the kind's guard raises.
        """
        kind = await self._service.find_kind(kind_name)
        if kind is None:
            error = FieldError("kind", "is offered by no plugin; GET /api/v1/jobs/kinds lists them")
            raise UnknownKind(f"no plugin offers jobs of kind {kind_name[:100]}", errors=(error,))
        if not kind.user_may_submit and not is_admin(actor):
            raise Forbidden(f"jobs of kind {kind.name} are for administrators")
        if priority < USER_PRIORITY and not is_admin(actor):
            raise Forbidden(f"a priority below {USER_PRIORITY} is for administrators")
        check_payload(kind, payload)
        guard = self._guards.get(kind.name)
        if guard is not None:
            await guard(actor, payload)
        return kind

    async def submit(
        self, actor: Actor, job: NewJob, *, also: Callable[[Session, str], None] = lambda session, job_id: None
    ) -> Taken:
        """Queues what `check` has let through. `also` is done in the same transaction, with the new job's id.

        Raises:
            TooManyJobs: `jobs.too_many`.
        """
        check_jobs((job,))
        now_ms = self._clock.now_ms()

        def work(session: Session) -> Taken:
            known = repository.find_by_key(session, job.idempotency_key)
            if known is not None:
                return Taken(known.job_id, shown_status(known, now_ms), False)
            if repository.count_unfinished(session, job.owner, self._max_waiting) >= self._max_waiting:
                said = f"at most {self._max_waiting} jobs of one person may wait; cancel some, or come back later"
                raise TooManyJobs(said, retry_after_s=RETRY_AFTER_S)
            (job_id,), _ = self._service.add(session, (job,), now_ms)
            audit(session, "job.submitted", on=f"job:{job_id}", actor=actor, detail={"kind": job.kind})
            also(session, job_id)
            return Taken(job_id, "scheduled" if job.run_at_ms > now_ms else "queued", True)

        taken = await self._db.write(work)
        if taken.is_new:
            measures.SUBMITTED.labels(job.kind).inc()
            if taken.status == "queued":
                await self._service.tell_available([job.kind])
        return taken


def is_admin(actor: Actor) -> bool:
    return actor.kind == "service" or "admin" in actor.roles
