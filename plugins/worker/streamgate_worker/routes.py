"""Worker over HTTP: administrators, and creators for the kinds that allow them and the jobs that are theirs."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.context import Actor, current_call
from streamgate.contracts.jobs import (
    Cancel,
    Job,
    JobList,
    JobNotFound,
    JobPage,
    JobQuery,
    Kind,
    NewJob,
    PayloadInvalid,
    TooManyJobs,
    UnknownKind,
)
from streamgate.errors import FieldError, Invalid
from streamgate.sdk.clock import parse_rfc3339
from streamgate.sdk.ids import uuid7
from streamgate.settings import config_field
from streamgate.web.routes import CREATOR, Call, Route
from streamgate_worker.intake import USER_PRIORITY, Intake, is_admin
from streamgate_worker.service import WorkerService

PREFIX = "/api/v1/jobs"
MAX_KEY_CHARS = 100


@attrs.frozen(kw_only=True)
class SubmitBody:
    kind: str
    payload: dict[str, Any]
    priority: int = config_field(
        USER_PRIORITY,
        help="0 to 9; lower numbers run first.",
        validator=[attrs.validators.ge(0), attrs.validators.le(9)],
    )
    run_at: str | None = config_field(None, help="Not before this time (RFC 3339); by default now.")
    max_attempts: int = config_field(
        3, help="1 to 20.", validator=attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(20))
    )
    idempotency_key: str | None = config_field(
        None, help="Submitting again with the same key answers with the first job. Also as header Idempotency-Key."
    )


@attrs.frozen(kw_only=True)
class Submitted:
    job_id: str
    status: str


@attrs.frozen(kw_only=True)
class Kinds:
    items: tuple[Kind, ...]


@attrs.frozen(kw_only=True)
class StatusQuery:
    job_id: str


@attrs.frozen(kw_only=True)
class CancelBody:
    job_id: str


@attrs.frozen(kw_only=True)
class ListQuery:
    status: str = ""
    kind: str = ""
    subject_id: str = ""
    root_only: bool = config_field(True, help="False lists the children of tasks too.")
    limit: int = 50
    cursor: str = ""


class WorkerRoutes:
    def __init__(self, service: WorkerService, intake: Intake) -> None:
        self._service = service
        self._intake = intake

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                f"{PREFIX}/submit",
                self.submit,
                policy=CREATOR,
                body=SubmitBody,
                answer=Submitted,
                status=202,
                summary="Queue a job",
                errors=(UnknownKind, PayloadInvalid, TooManyJobs),
                headers_doc={"Idempotency-Key": "Submitting again with the same key answers with the first job."},
            ),
            Route(
                "GET",
                f"{PREFIX}/status",
                self.status,
                policy=CREATOR,
                query=StatusQuery,
                answer=Job,
                summary="How far a job is",
                errors=(JobNotFound,),
            ),
            Route(
                "POST",
                f"{PREFIX}/cancel",
                self.cancel,
                policy=CREATOR,
                body=CancelBody,
                answer=Job,
                summary="Cancel a job; with a root, its whole task",
                errors=(JobNotFound,),
            ),
            Route(
                "GET",
                f"{PREFIX}/kinds",
                self.list_kinds,
                policy=CREATOR,
                answer=Kinds,
                summary="The kinds of job that one may submit, with the schema of their payload",
            ),
            Route(
                "GET",
                f"{PREFIX}/list",
                self.list_jobs,
                policy=CREATOR,
                query=ListQuery,
                answer=JobPage,
                summary="One's own jobs, newest first; administrators see all",
            ),
        ]

    async def submit(self, call: Call[SubmitBody, None]) -> Submitted:
        body = call.body
        kind = await self._intake.check(call.actor, body.kind, body.payload, priority=body.priority)
        given = body.idempotency_key
        if given is None:
            given = call.request.headers.get("idempotency-key")
        job = NewJob(
            kind=kind.name,
            payload=body.payload,
            idempotency_key=_key(call.actor, given),
            owner=call.actor.user_id,
            priority=body.priority,
            max_attempts=body.max_attempts,
            run_at_ms=_run_at_ms(body.run_at),
            traceparent=current_call().traceparent,
        )
        taken = await self._intake.submit(call.actor, job)
        return Submitted(job_id=taken.job_id, status=taken.status)

    async def list_kinds(self, call: Call[None, None]) -> Kinds:
        return Kinds(items=tuple(await self._service.kinds(for_everybody=not is_admin(call.actor))))

    async def status(self, call: Call[None, StatusQuery]) -> Job:
        return await self._visible(call.query.job_id, call.actor)

    async def cancel(self, call: Call[CancelBody, None]) -> Job:
        job = await self._visible(call.body.job_id, call.actor)
        return await self._service.cancel(Cancel(job_id=job.job_id))

    async def list_jobs(self, call: Call[None, ListQuery]) -> JobPage:
        query = call.query
        return await self._service.list_jobs(
            JobList(
                actor=call.actor,
                status=query.status,
                kind=query.kind,
                subject_id=query.subject_id,
                root_only=query.root_only,
                limit=query.limit,
                cursor=query.cursor,
            )
        )

    async def _visible(self, job_id: str, actor: Actor) -> Job:
        """Somebody else's job is not found."""
        job = await self._service.get(JobQuery(job_id=job_id))
        if is_admin(actor) or (job.owner and job.owner == actor.user_id):
            return job
        raise JobNotFound(f"there is no job {job_id}")


def _key(actor: Actor, given: str | None) -> str:
    """Keys of one person never meet another's."""
    if given is None:
        return f"submit:{uuid7()}"
    if not 1 <= len(given) <= MAX_KEY_CHARS:
        error = FieldError("idempotency_key", f"has 1 to {MAX_KEY_CHARS} characters")
        raise Invalid("The idempotency key is too long or empty", errors=(error,))
    return f"user:{actor.user_id}:{given}"


def _run_at_ms(text: str | None) -> int:
    try:
        return 0 if text is None else parse_rfc3339(text)
    except ValueError as fault:
        error = FieldError("run_at", str(fault))
        raise Invalid(f"run_at {fault}", errors=(error,)) from fault
