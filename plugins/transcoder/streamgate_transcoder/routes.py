"""The transcoder over HTTP, by the mission's paths."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.jobs import JobNotFound, JobState
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.streaming import NotPlayable
from streamgate.contracts.transcode import TranscodeStatus
from streamgate.errors import Forbidden
from streamgate.web.routes import Call, Route, owner

from .faults import UnknownProfile
from .transcodes import Transcodes

PREFIX = "/api/v1/transcode"


@attrs.frozen(kw_only=True)
class SubmitBody:
    """`priority` 0 (first) to 9 (last)."""

    content_id: str
    profile: str = "web"
    priority: int = attrs.field(default=5, validator=(attrs.validators.ge(0), attrs.validators.le(9)))


@attrs.frozen(kw_only=True)
class StatusQuery:
    task_id: str


@attrs.frozen(kw_only=True)
class CancelBody:
    task_id: str


@attrs.frozen(kw_only=True)
class TaskAnswer:
    task_id: str
    status: JobState


class TranscodeRoutes:
    def __init__(self, transcodes: Transcodes) -> None:
        self._transcodes = transcodes

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                f"{PREFIX}/submit",
                self.submit,
                policy=owner("content_id"),
                body=SubmitBody,
                answer=TaskAnswer,
                status=202,
                summary="Make a content's media again from its source",
                errors=(ContentNotFound, Forbidden, NotPlayable, UnknownProfile),
            ),
            Route(
                "GET",
                f"{PREFIX}/status",
                self.status,
                policy=owner("task_id"),
                query=StatusQuery,
                answer=TranscodeStatus,
                summary="How far a transcode is",
                errors=(JobNotFound, Forbidden),
            ),
            Route(
                "POST",
                f"{PREFIX}/cancel",
                self.cancel,
                policy=owner("task_id"),
                body=CancelBody,
                answer=TaskAnswer,
                summary="Stop a transcode",
                errors=(JobNotFound, Forbidden),
            ),
        ]

    async def submit(self, call: Call[SubmitBody, None]) -> TaskAnswer:
        body = call.body
        task_id = await self._transcodes.submit(call.actor, body.content_id, body.profile, body.priority)
        return TaskAnswer(task_id=task_id, status="queued")

    async def status(self, call: Call[None, StatusQuery]) -> TranscodeStatus:
        return await self._transcodes.status(call.actor, call.query.task_id)

    async def cancel(self, call: Call[CancelBody, None]) -> TaskAnswer:
        task = await self._transcodes.cancel(call.actor, call.body.task_id)
        return TaskAnswer(task_id=task.root.job_id, status=task.status)
