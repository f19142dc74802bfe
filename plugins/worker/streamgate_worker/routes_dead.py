"""Dead letters over HTTP: jobs whose attempts are used up."""

from __future__ import annotations

import attrs

from streamgate.contracts.jobs import Job, JobList, JobNotDead, JobNotFound, JobPage, JobQuery
from streamgate.errors import FieldError, Invalid
from streamgate.settings import config_field
from streamgate.web.routes import CREATOR, Call, Route
from streamgate_worker.dead import REPLAY_MAX, DeadLetters
from streamgate_worker.intake import is_admin
from streamgate_worker.routes import PREFIX
from streamgate_worker.service import WorkerService


@attrs.frozen(kw_only=True)
class DeadQuery:
    kind: str = ""
    limit: int = 50
    cursor: str = ""


@attrs.frozen(kw_only=True)
class DeadId:
    job_id: str


@attrs.frozen(kw_only=True)
class ReplayBody:
    """One of the two."""

    job_id: str | None = None
    kind: str | None = config_field(None, help=f"All dead jobs of this kind, at most {REPLAY_MAX} at a time.")


@attrs.frozen(kw_only=True)
class Replays:
    """`has_more`: ask again for further ones."""

    job_ids: tuple[str, ...]
    has_more: bool


class DeadRoutes:
    def __init__(self, service: WorkerService, letters: DeadLetters) -> None:
        self._service = service
        self._letters = letters

    def routes(self) -> list[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/dead",
                self.list_dead,
                policy=CREATOR,
                query=DeadQuery,
                answer=JobPage,
                summary="One's own jobs whose attempts are used up; administrators see all",
            ),
            Route(
                "GET",
                f"{PREFIX}/dead/{{job_id}}",
                self.show,
                policy=CREATOR,
                query=DeadId,
                answer=Job,
                summary="One of them, with what went wrong at each attempt",
                errors=(JobNotFound, JobNotDead),
            ),
            Route(
                "POST",
                f"{PREFIX}/dead/replay",
                self.replay,
                policy=CREATOR,
                body=ReplayBody,
                answer=Replays,
                summary="Queue dead jobs again, with all their attempts",
                errors=(JobNotFound, JobNotDead),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/dead/{{job_id}}",
                self.discard,
                policy=CREATOR,
                query=DeadId,
                summary="Put a dead job aside; it becomes cancelled",
                errors=(JobNotFound, JobNotDead),
            ),
        ]

    async def list_dead(self, call: Call[None, DeadQuery]) -> JobPage:
        query = call.query
        return await self._service.list_jobs(
            JobList(
                actor=call.actor,
                status="dead",
                kind=query.kind,
                root_only=False,
                limit=query.limit,
                cursor=query.cursor,
            )
        )

    async def show(self, call: Call[None, DeadId]) -> Job:
        job = await self._service.get(JobQuery(job_id=call.query.job_id))
        if not (is_admin(call.actor) or (job.owner and job.owner == call.actor.user_id)):
            raise JobNotFound(f"there is no job {job.job_id}")
        if job.status != "dead":
            raise JobNotDead(f"job {job.job_id} is {job.status}")
        return job

    async def replay(self, call: Call[ReplayBody, None]) -> Replays:
        body = call.body
        if (body.job_id is None) == (body.kind is None):
            error = FieldError("job_id", "is given, or kind is, and not both")
            raise Invalid("Say which jobs", errors=(error,))
        if body.job_id is not None:
            replayed = await self._letters.replay(call.actor, body.job_id)
        else:
            replayed = await self._letters.replay_kind(call.actor, body.kind or "")
        return Replays(job_ids=replayed.job_ids, has_more=replayed.has_more)

    async def discard(self, call: Call[None, DeadId]) -> None:
        await self._letters.discard(call.actor, call.query.job_id)
