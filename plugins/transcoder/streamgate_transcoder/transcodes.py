"""What a person asks of the transcoder: put together from streaming (the media) and worker (the jobs)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import attrs

from streamgate.context import Actor
from streamgate.contracts.jobs import JOBS, Cancel, JobList, JobNotFound, JobQuery, JobState, Task
from streamgate.contracts.media import CHUNK_KIND, PROBE_KIND
from streamgate.contracts.metadata import METADATA, AccessQuery, ContentNotFound
from streamgate.contracts.streaming import (
    STREAMING,
    MediaQuery,
    MediaState,
    RenditionState,
    TaskQuery,
    Transcode,
    TranscodeStarted,
)
from streamgate.contracts.transcode import RenditionProgress, TranscodeStatus
from streamgate.sdk.clock import Clock
from streamgate.services import Services

from .board import Board
from .profile_names import Profiles
from .progress import Pace, pace, share_of, slowest

ASKED_AT_ONCE = 4
"""Tasks of a page: one person's list must not take every connection to the database."""
ENCODING = "encoding"
ENDED = ("done", "failed", "dead", "cancelled")
OPEN = ("scheduled", "queued", "paused", "running")


@attrs.frozen(kw_only=True)
class Wanted:
    """See `Transcode`."""

    content_id: str
    profile: str
    policy: Literal["", "eager", "lazy"] = ""
    priority: int = 5


@attrs.frozen(kw_only=True)
class TaskList:
    status: str = ""
    content_id: str = ""
    limit: int = 50
    cursor: str = ""


@attrs.frozen(kw_only=True)
class TaskPage:
    items: tuple[TranscodeStatus, ...]
    next_cursor: str | None = None


class Transcodes:
    """Submit, status, cancel. Whoever may change the content may do all three."""

    def __init__(self, services: Services, clock: Clock, board: Board, profiles: Profiles) -> None:
        self._board = board
        self._profiles = profiles
        self._jobs = services.get(JOBS)
        self._metadata = services.get(METADATA)
        self._streaming = services.get(STREAMING)
        self._clock = clock

    async def submit(self, actor: Actor, wanted: Wanted) -> TranscodeStarted:
        """The task that is queued, or was under way already.

        Raises:
            ContentNotFound, Forbidden: not the actor's to change.
            UnknownProfile: `transcode.unknown_profile`.
            NotPlayable: nothing was uploaded for it yet.
        """
        await self._metadata.get(AccessQuery(content_id=wanted.content_id, actor=actor, want="change"))
        profile = self._profiles.of(wanted.profile).name
        begun = Transcode(
            content_id=wanted.content_id,
            actor=actor,
            profile=profile,
            policy=wanted.policy,
            priority=wanted.priority,
        )
        return await self._streaming.transcode(begun)

    async def status(self, actor: Actor, task_id: str) -> TranscodeStatus:
        """Raises JobNotFound (also for what the actor may not know of), Forbidden."""
        media = await self.find(actor, task_id)
        try:
            task = await self._jobs.task(JobQuery(job_id=task_id))
        except JobNotFound:  # asked for in a transaction that worker has not heard of yet, or forgotten long ago
            return without_jobs(task_id, media)
        return self._described(task, media)

    async def list_tasks(self, actor: Actor, wanted: TaskList) -> TaskPage:
        """The actor's own transcodes, newest first; everybody's for admins. A page may hold fewer than `limit` where a
        status is asked for: what a task is follows from all its jobs.

        Raises:
            Invalid: the cursor is none of ours.
        """
        page = await self._jobs.list_jobs(
            JobList(
                actor=actor,
                kind=PROBE_KIND,
                subject_id=wanted.content_id,
                limit=wanted.limit,
                cursor=wanted.cursor,
            )
        )
        at_once = asyncio.Semaphore(ASKED_AT_ONCE)
        found = await asyncio.gather(*(self._of_root(root.job_id, at_once) for root in page.items))
        items = [each for each in found if each is not None and wanted.status in ("", each.status)]
        return TaskPage(items=tuple(items), next_cursor=page.next_cursor)

    async def _of_root(self, task_id: str, at_once: asyncio.Semaphore) -> TranscodeStatus | None:
        """None where the content is gone meanwhile."""
        try:
            async with at_once:
                media = await self._streaming.media_of_task(TaskQuery(task_id=task_id))
                task = await self._jobs.task(JobQuery(job_id=task_id))
        except JobNotFound:
            return None
        return self._described(task, media)

    async def under_way(self, content_id: str) -> TranscodeStatus:
        """Of what is encoded for a content now, without asking worker: for whoever is told again and again."""
        media = await self._streaming.media(MediaQuery(content_id=content_id))
        told = attrs.evolve(without_jobs(media.root_id, media), status="running", stage=ENCODING)
        told = paced(told, media, self._board.rates(content_id), self._board.ahead(content_id))
        if self._board.is_paused(media.root_id):  # what is at work is the last of it
            return attrs.evolve(told, status="paused", eta_s=None)
        return told

    def _described(self, task: Task, media: MediaState) -> TranscodeStatus:
        told = describe(task, media, self._clock.now_s())
        if told.status != "running":
            return told
        return paced(told, media, self._board.rates(media.content_id), self._board.ahead(media.content_id))

    async def cancel(self, actor: Actor, task_id: str) -> Task:
        """Stops the whole task; how it stands then. What has ended stays as it is.

        Raises:
            JobNotFound, Forbidden.
        """
        await self.find(actor, task_id)
        await self._jobs.cancel(Cancel(job_id=task_id))
        return await self._jobs.task(JobQuery(job_id=task_id))

    async def find(self, actor: Actor, task_id: str) -> MediaState:
        """What a task makes, for who may change it. Raises JobNotFound, Forbidden."""
        media = await self._streaming.media_of_task(TaskQuery(task_id=task_id))
        try:
            await self._metadata.get(AccessQuery(content_id=media.content_id, actor=actor, want="change"))
        except ContentNotFound as error:
            raise JobNotFound(f"no task {task_id}") from error
        return media


def without_jobs(task_id: str, media: MediaState) -> TranscodeStatus:
    """What the media says where worker knows nothing of the task."""
    ended: dict[str, JobState] = {"ready": "done", "failed": "failed"}
    status = ended.get(media.state, "queued")
    whole = _whole(media, [pace_of(each, media) for each in media.renditions])
    return TranscodeStatus(
        task_id=task_id,
        content_id=media.content_id,
        status=status,
        progress=1.0 if status == "done" else progress_of(media),
        stage=status,
        renditions=tuple(_progress(each, pace_of(each, media)) for each in media.renditions),
        frames=whole.frames,
        frames_planned=whole.frames_planned,
        speed=None,
        eta_s=None,
        error=media.error_code,
        attempts=0,
    )


def describe(task: Task, media: MediaState, now_s: float) -> TranscodeStatus:
    """Speed is seconds of the source a second of work since the first attempt began, without pauses and what lies
    between an end and another try, the whole ladder counted once.

    The jobs know what is being done, streaming what counts of it: between the last job's end and its result being
    taken in (or the next jobs being ordered) the task still runs.
    """
    status = _status(task, media)
    progress = 1.0 if status == "done" else min(progress_of(media), 0.999)
    elapsed_s = _elapsed_s(task, now_s)
    done = max(progress, min(_at_work(task), 0.999))
    speed = eta_s = None
    if elapsed_s is not None and done > 0 and status != "paused":
        speed = round(media.duration_s * done / elapsed_s, 2) if media.duration_s else None
        eta_s = round(elapsed_s * (1 - done) / done, 1) if status == "running" else None
    failed = next((job.error_code for job in task.jobs if job.status in ("failed", "dead")), "")
    whole = _whole(media, [pace_of(each, media) for each in media.renditions])
    return TranscodeStatus(
        task_id=task.root.job_id,
        content_id=media.content_id,
        status=status,
        progress=progress,
        stage=_stage(task, status),
        renditions=tuple(_progress(each, pace_of(each, media)) for each in media.renditions),
        frames=whole.frames,
        frames_planned=whole.frames_planned,
        speed=speed,
        eta_s=0.0 if status == "done" else eta_s,
        error="" if status == "done" else media.error_code or failed,
        attempts=max(job.attempts for job in task.jobs),
    )


def paced(
    told: TranscodeStatus, media: MediaState, rates: Mapping[str, float], ahead: Mapping[str, int]
) -> TranscodeStatus:
    """With how fast it goes now.

    Args:
        rates: frames a second by rendition; without one, estimates stay as they were.
        ahead: frames by rendition that are made and not kept yet.
    """
    paces = [pace_of(each, media, rates.get(each.id), ahead.get(each.id, 0)) for each in media.renditions]
    whole = _whole(media, paces)
    eager = [one for each, one in zip(media.renditions, paces, strict=True) if each.policy == "eager"]
    left_s = slowest(eager).eta_s if eager else None
    return attrs.evolve(
        told,
        stage=ENCODING if rates and told.stage == told.status else told.stage,
        renditions=tuple(_progress(each, one) for each, one in zip(media.renditions, paces, strict=True)),
        fps=whole.fps,
        speed=whole.speed or told.speed,
        eta_s=told.eta_s if left_s is None else left_s,
    )


def pace_of(rendition: RenditionState, media: MediaState, fps: float | None = None, ahead: int = 0) -> Pace:
    is_made = rendition.frames >= rendition.frames_planned
    return pace(rendition.frames, rendition.frames_planned, media.duration_s, None if is_made else fps, ahead)


def _whole(media: MediaState, paces: Sequence[Pace]) -> Pace:
    eager = [(each, one) for each, one in zip(media.renditions, paces, strict=True) if each.policy == "eager"]
    videos = [one for each, one in eager if each.kind == "video"]
    return slowest(videos or [one for _, one in eager]) if eager else Pace(frames=0, frames_planned=0)


def _progress(rendition: RenditionState, now: Pace) -> RenditionProgress:
    facts = attrs.asdict(rendition, recurse=False)
    if now.fps and rendition.status == "planned":  # nothing of it was handed in yet
        facts["status"] = "running"
    return RenditionProgress(**facts, fps=now.fps, speed=now.speed, eta_s=now.eta_s)


def progress_of(media: MediaState) -> float:
    """How much of what is planned to be made in advance is made and kept, 0 to 1; a rendition counts by the size of its
    picture.

    It is read from streaming's index, which only grows: what an attempt had handed in stays when the attempt is lost,
    and what it had not handed in was never counted. So it never falls, through retries, cancelling and failure; a new
    transcode is another media version, and begins at 0.
    """
    eager = (each for each in media.renditions if each.policy == "eager")
    return share_of((each.width_px, each.height_px, each.progress) for each in eager)


def _at_work(task: Task) -> float:
    """How far the attempts of now are, handed in or not: for estimates, which may change their mind. Of the chunks,
    which take the time, where there are any."""
    children = [job for job in task.jobs if job.job_id != task.root.job_id]
    counted = [job.progress for job in children if job.kind == CHUNK_KIND] or [job.progress for job in children]
    return sum(counted) / len(counted) if counted else 0.0


def _status(task: Task, media: MediaState) -> JobState:
    is_short_of_one = task.status in ("failed", "dead") or (task.status == "cancelled" and not task.is_cancelled)
    if is_short_of_one and media.state != "failed" and any(job.status in OPEN for job in task.jobs):
        return "paused" if task.is_paused else "running"
    if is_short_of_one and media.state == "ready":
        statuses = {each.status for each in media.renditions if each.policy == "eager"}
        if statuses.isdisjoint(("failed",)):  # it was made again, or will be in a moment
            return "done" if statuses <= {"ready"} else "running"
    if task.status != "done" or media.state == "ready":
        return task.status
    if task.is_paused and media.state != "failed":
        return "paused"
    return "failed" if media.state == "failed" else "running"


def _stage(task: Task, status: JobState) -> str:
    """What a running job says it is doing; else how the task stands."""
    running = next((job.stage for job in task.jobs if job.status == "running" and job.stage), "")
    return running or status


def _elapsed_s(task: Task, now_s: float) -> float | None:
    """While something of it was unfinished: what is made again days later did not take days."""
    started = [_seconds(job.started_at) for job in task.jobs if job.started_at]
    if not started:
        return None
    elapsed_s, counted_until_s = 0.0, min(started)
    ends = {job.job_id: _seconds(job.finished_at) if job.finished_at else now_s for job in task.jobs}
    for began_s, ended_s in sorted((_seconds(job.created_at), ends[job.job_id]) for job in task.jobs):
        elapsed_s += max(0.0, ended_s - max(began_s, counted_until_s))
        counted_until_s = max(counted_until_s, ended_s)
    return max(0.001, elapsed_s - task.paused_s)


def _seconds(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp()
