"""Pausing, and trying again, over HTTP, beside the mission's paths."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.jobs import JobNotFound
from streamgate.contracts.streaming import RenditionNotFailed, RenditionUnknown, VersionFailed
from streamgate.contracts.transcode import TaskNotQueued
from streamgate.errors import Forbidden
from streamgate.web.routes import Call, Route, owner

from .routes import PREFIX, TaskAnswer, TaskBody
from .steering import Steering


@attrs.frozen(kw_only=True)
class RetryBody:
    """`rendition_id`: the `id` of one of the task's renditions."""

    task_id: str
    rendition_id: str


class SteeringRoutes:
    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                f"{PREFIX}/pause",
                self.pause,
                policy=owner("task_id"),
                body=TaskBody,
                answer=TaskAnswer,
                summary="Let a transcode rest",
                description="What is being encoded is ended and kept, at most a chunk on each encoder; nothing else is "
                "begun until it is resumed, but what somebody who watches waits for. What has ended stays as it is.",
                errors=(JobNotFound, Forbidden, TaskNotQueued),
            ),
            Route(
                "POST",
                f"{PREFIX}/resume",
                self.resume,
                policy=owner("task_id"),
                body=TaskBody,
                answer=TaskAnswer,
                summary="Let a paused transcode go on",
                errors=(JobNotFound, Forbidden, TaskNotQueued),
            ),
            Route(
                "POST",
                f"{PREFIX}/retry",
                self.retry,
                policy=owner("task_id"),
                body=RetryBody,
                answer=TaskAnswer,
                status=202,
                summary="Make one rendition again that has failed",
                description="What of it is missing, by the same task; of the others nothing. One that is made when "
                "somebody asks is listed again.",
                errors=(JobNotFound, RenditionUnknown, RenditionNotFailed, VersionFailed, Forbidden),
            ),
        ]

    async def pause(self, call: Call[TaskBody, None]) -> TaskAnswer:
        status = await self._steering.pause(call.actor, call.body.task_id)
        return TaskAnswer(task_id=status.task_id, status=status.status)

    async def resume(self, call: Call[TaskBody, None]) -> TaskAnswer:
        status = await self._steering.resume(call.actor, call.body.task_id)
        return TaskAnswer(task_id=status.task_id, status=status.status)

    async def retry(self, call: Call[RetryBody, None]) -> TaskAnswer:
        status = await self._steering.retry(call.actor, call.body.task_id, call.body.rendition_id)
        return TaskAnswer(task_id=status.task_id, status=status.status)
