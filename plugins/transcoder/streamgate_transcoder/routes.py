"""The transcoder over HTTP, by the mission's paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from streamgate.contracts.jobs import JobNotFound, JobState
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.profiles import Policy, Profile
from streamgate.contracts.streaming import NotPlayable, TranscodeStarted
from streamgate.contracts.transcode import TranscodeStatus
from streamgate.errors import Forbidden, StreamgateError
from streamgate.web.routes import CREATOR, Call, Route, owner

from .faults import UnknownProfile
from .figures import Figures, FiguresShown
from .profile_names import Profiles
from .transcodes import TaskList, TaskPage, Transcodes, Wanted

PREFIX = "/api/v1/transcode"


@attrs.frozen(kw_only=True)
class SubmitBody:
    """`priority` 0 (first) to 9 (last). `policy`: which rungs are made in advance (`eager`: all, `lazy`: the lowest,
    the others when somebody asks); empty: as configured."""

    content_id: str
    profile: str = "web"
    policy: Literal["", "eager", "lazy"] = ""
    priority: int = attrs.field(default=5, validator=(attrs.validators.ge(0), attrs.validators.le(9)))


@attrs.frozen(kw_only=True)
class TaskBody:
    task_id: str


@attrs.frozen(kw_only=True)
class TaskAnswer:
    task_id: str
    status: JobState


@attrs.frozen(kw_only=True)
class ListQuery:
    status: Literal["", "queued", "paused", "running", "done", "failed", "dead", "cancelled"] = ""
    content_id: str = attrs.field(default="", validator=attrs.validators.max_len(40))
    limit: int = attrs.field(default=20, validator=(attrs.validators.ge(1), attrs.validators.le(100)))
    cursor: str = attrs.field(default="", validator=attrs.validators.max_len(512))


@attrs.frozen(kw_only=True)
class RungShown:
    """The picture is fitted into this box, whatever its orientation, and never made larger. `bitrate_bps`: at most."""

    name: str
    long_px: int
    short_px: int
    bitrate_bps: int


@attrs.frozen(kw_only=True)
class ProfileShown:
    """`rungs`: none where sound alone is made. `surround_bitrate_bps`: of 5.1 beside stereo, where the source has it.
    `loudness_lufs`: what sound is brought to; null: it stays as it is."""

    name: str
    summary: str
    video_codecs: tuple[str, ...]
    audio_codec: str
    audio_bitrate_bps: int
    surround_bitrate_bps: int
    loudness_lufs: float | None
    policy: Policy
    segment_s: float
    rungs: tuple[RungShown, ...]


@attrs.frozen(kw_only=True)
class ProfilesAnswer:
    items: tuple[ProfileShown, ...]


class TranscodeRoutes:
    def __init__(self, transcodes: Transcodes, figures: Figures, profiles: Profiles) -> None:
        self._transcodes = transcodes
        self._profiles = profiles
        self._figures = figures

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
                query=TaskBody,
                answer=TranscodeStatus,
                summary="How far a transcode is",
                errors=(JobNotFound, Forbidden),
            ),
            Route(
                "GET",
                f"{PREFIX}/list",
                self.list_tasks,
                policy=CREATOR,
                query=ListQuery,
                answer=TaskPage,
                summary="Your transcodes, newest first; everybody's for admins",
                description="With a status a page may hold fewer than `limit`: go on while there is a next_cursor.",
            ),
            Route(
                "GET",
                f"{PREFIX}/profiles",
                self.profiles,
                policy=CREATOR,
                answer=ProfilesAnswer,
                summary="What a transcode can make",
            ),
            Route(
                "GET",
                f"{PREFIX}/metrics",
                self.metrics,
                policy=CREATOR,
                answer=FiguresShown,
                summary="The queue, and the children of the transcoder that answers",
            ),
            Route(
                "POST",
                f"{PREFIX}/cancel",
                self.cancel,
                policy=owner("task_id"),
                body=TaskBody,
                answer=TaskAnswer,
                summary="Stop a transcode",
                errors=(JobNotFound, Forbidden),
            ),
        ]

    async def submit(self, call: Call[SubmitBody, None]) -> TaskAnswer:
        body = call.body
        wanted = Wanted(content_id=body.content_id, profile=body.profile, policy=body.policy, priority=body.priority)
        task = await self._transcodes.submit(call.actor, wanted)
        return TaskAnswer(task_id=task.task_id, status="queued" if task.is_new else await self._status_of(call, task))

    async def _status_of(self, call: Call[SubmitBody, None], task: TranscodeStarted) -> JobState:
        """Of one that was under way: it may be paused."""
        try:
            return (await self._transcodes.status(call.actor, task.task_id)).status
        except StreamgateError:  # worker is away; it is asked for all the same
            return "queued"

    async def status(self, call: Call[None, TaskBody]) -> TranscodeStatus:
        return await self._transcodes.status(call.actor, call.query.task_id)

    async def list_tasks(self, call: Call[None, ListQuery]) -> TaskPage:
        asked = call.query
        wanted = TaskList(status=asked.status, content_id=asked.content_id, limit=asked.limit, cursor=asked.cursor)
        return await self._transcodes.list_tasks(call.actor, wanted)

    async def profiles(self, call: Call[None, None]) -> ProfilesAnswer:
        return ProfilesAnswer(items=tuple(map(_profile, self._profiles.by_name().values())))

    async def metrics(self, call: Call[None, None]) -> FiguresShown:
        return await self._figures.now()

    async def cancel(self, call: Call[TaskBody, None]) -> TaskAnswer:
        task = await self._transcodes.cancel(call.actor, call.body.task_id)
        return TaskAnswer(task_id=task.root.job_id, status=task.status)


def _profile(profile: Profile) -> ProfileShown:
    return ProfileShown(
        name=profile.name,
        summary=profile.summary,
        video_codecs=profile.codecs if profile.rungs else (),
        audio_codec="aac",
        audio_bitrate_bps=profile.audio_bitrate_bps,
        surround_bitrate_bps=profile.surround_bitrate_bps,
        loudness_lufs=profile.loudness_lufs,
        policy=profile.policy,
        segment_s=profile.segment_s,
        rungs=tuple(
            RungShown(
                name=f"{rung.short_px}p",
                long_px=rung.long_px,
                short_px=rung.short_px,
                bitrate_bps=rung.maxrate_bps,
            )
            for rung in profile.rungs
        ),
    )
