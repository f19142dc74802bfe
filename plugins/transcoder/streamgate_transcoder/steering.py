"""What the owner of a transcode does with it, beside cancelling it."""

from __future__ import annotations

from streamgate.context import Actor
from streamgate.contracts.jobs import JOBS, JobNotFound, JobQuery, Pause, Resume
from streamgate.contracts.live import LIVE
from streamgate.contracts.streaming import STREAMING, RetryRendition, VersionFailed
from streamgate.contracts.transcode import TaskNotQueued, TranscodeStatus
from streamgate.events import Events
from streamgate.services import Services

from .telling import progress_update
from .transcodes import ENDED, OPEN, Transcodes

_RETRY_AFTER_S = 1


class Steering:
    """Whoever may change the content may. Each says how the task stands then."""

    def __init__(self, services: Services, transcodes: Transcodes, events: Events) -> None:
        self._jobs = services.get(JOBS)
        self._streaming = services.get(STREAMING)
        self._transcodes = transcodes
        self._events = events

    async def pause(self, actor: Actor, task_id: str) -> TranscodeStatus:
        """What runs ends, at most a chunk on each encoder; nothing else begins until `resume`, but what somebody who
        watches waits for. What has ended stays as it is.

        Raises:
            JobNotFound (also for what the actor may not know of), Forbidden.
            TaskNotQueued: worker has not heard of it yet.
        """
        return await self._steer(actor, task_id, is_paused=True)

    async def resume(self, actor: Actor, task_id: str) -> TranscodeStatus:
        """Raises as `pause`."""
        return await self._steer(actor, task_id, is_paused=False)

    async def retry(self, actor: Actor, task_id: str, rendition_id: str) -> TranscodeStatus:
        """What is missing of a rendition that failed is made again, now: a pause that the task has outlived is over.

        Raises:
            JobNotFound (also for what the actor may not know of), Forbidden.
            RenditionUnknown, RenditionNotFailed.
            VersionFailed: also where the task was cancelled; nothing is made in it any more.
        """
        media = await self._transcodes.find(actor, task_id)
        if not any(each.id == rendition_id and each.policy == "lazy" for each in media.renditions):
            await self._open(task_id)  # for lazy ones it has no jobs
        await self._streaming.retry(RetryRendition(task_id=task_id, rendition_id=rendition_id, actor=actor))
        return await self._transcodes.status(actor, task_id)

    async def _open(self, task_id: str) -> None:
        """Raises VersionFailed."""
        try:
            task = await self._jobs.task(JobQuery(job_id=task_id))
        except JobNotFound:  # forgotten long ago
            return
        if task.is_cancelled:
            raise VersionFailed("its transcode was cancelled; submit another to make what is missing")
        if task.is_paused and not any(job.status in OPEN for job in task.jobs):
            await self._jobs.resume(Resume(job_id=task_id))

    async def _steer(self, actor: Actor, task_id: str, *, is_paused: bool) -> TranscodeStatus:
        status = await self._transcodes.status(actor, task_id)
        if status.status in ENDED:
            return status
        try:
            root = await (
                self._jobs.pause(Pause(job_id=task_id)) if is_paused else self._jobs.resume(Resume(job_id=task_id))
            )
        except JobNotFound as fault:
            raise TaskNotQueued("ask again in a second", retry_after_s=_RETRY_AFTER_S) from fault
        status = await self._transcodes.status(actor, task_id)
        if root.owner:
            await self._events.broadcast(LIVE, progress_update(root.owner, status))
        return status
