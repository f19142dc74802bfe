"""Worker, streaming and metadata, as far as the transcoder's routes use them, and what they say of one task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs

from streamgate.context import Actor
from streamgate.contracts.jobs import (
    Cancel,
    Job,
    JobList,
    JobNotFound,
    JobPage,
    JobQuery,
    LeaseAnswer,
    LeaseQuery,
    Pause,
    QueueDepth,
    QueueQuery,
    RegisterKinds,
    Resume,
    Task,
)
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.contracts.metadata import AccessQuery, Content, ContentNotFound
from streamgate.contracts.streaming import (
    MediaQuery,
    MediaState,
    NotPlayable,
    RenditionNotFailed,
    RenditionState,
    RetryRendition,
    TaskQuery,
    Transcode,
    TranscodeStarted,
)
from streamgate.events import EventSubscription, Received, on_everyone
from streamgate.services import ServiceRef
from streamgate.testing.wait import eventually

ALICE = Actor(kind="user", user_id="u_alice", roles=("creator",))
BOB = Actor(kind="user", user_id="u_bob", roles=("creator",))
KINDS = ("media.probe", "media.encode_chunk", "media.encode_asked", "media.encode_audio", "media.copy")
NOON_S = 1_893_456_000.0  # 2030-01-01T00:00:00Z


def job(**facts: Any) -> Job:
    given: dict[str, Any] = {
        "job_id": "t_1",
        "root_id": "t_1",
        "kind": "media.probe",
        "status": "done",
        "owner": "u_alice",
        "subject_id": "c_1",
        "progress": 1.0,
        "stage": "",
        "attempts": 1,
        "max_attempts": 3,
        "created_at": "2030-01-01T00:00:00Z",
        "started_at": "2030-01-01T00:00:00Z",
        "finished_at": "2030-01-01T00:00:02Z",
        **facts,
    }
    return Job(**given)


RUNNING = Task(
    root=job(),
    jobs=(job(), job(job_id="j_2", status="running", stage="encoding", attempts=2, finished_at=None, progress=0.6)),
    status="running",
    progress=0.5,
)
RENDITION = RenditionState(
    id="v360",
    name="360p",
    kind="video",
    width_px=640,
    height_px=360,
    codec="",
    bitrate_bps=0,
    status="running",
    progress=0.4,
    frames=600,
    frames_planned=1500,
)
MEDIA = MediaState(
    content_id="c_1",
    media_version=1,
    state="encoding",
    playable=False,
    duration_s=60.0,
    root_id="t_1",
    renditions=(RENDITION,),
)
PLANNING = attrs.evolve(MEDIA, state="planning", renditions=())


@attrs.define
class StandIns:
    """Three services as far as the routes use them. Alice owns `c_1`, whose media task `t_1` makes."""

    known_to_worker: bool = True
    is_under_way: bool = False  # what is asked of streaming
    has_source: bool = True
    ended: Task | None = None
    asked: list[Any] = attrs.field(factory=list)
    seen: list[LiveUpdate] = attrs.field(factory=list)

    @property
    def watching(self) -> EventSubscription:
        """Somebody with an open page."""

        async def see(event: Received[LiveUpdate]) -> None:
            self.seen.append(event.body)

        async def nothing() -> None: ...

        return on_everyone(LIVE, see, resync=nothing)

    async def until_seen(self, count: int) -> None:
        async def enough() -> bool | None:
            return len(self.seen) >= count or None

        await eventually(enough, what=f"{count} things that a page hears")

    async def media(self, query: MediaQuery) -> MediaState:
        assert query == MediaQuery(content_id="c_1")
        return MEDIA

    async def register_kinds(self, wanted: RegisterKinds) -> None:
        self.asked.append(wanted)

    async def lease(self, query: LeaseQuery) -> LeaseAnswer:
        return LeaseAnswer(lease=None)

    async def depth(self, query: QueueQuery) -> QueueDepth:
        assert query.kinds == KINDS
        return QueueDepth(queued=7, running=2, oldest_queued_s=1.5)

    async def list_jobs(self, query: JobList) -> JobPage:
        self.asked.append(query)
        return JobPage(items=(job(), job(job_id="t_gone")), next_cursor="more")

    async def get(self, query: AccessQuery) -> Content:
        if query.content_id != "c_1" or query.actor.user_id != "u_alice":
            raise ContentNotFound()
        return Content(content_id="c_1", owner="u_alice", title="a title")

    async def task(self, query: JobQuery) -> Task:
        if not self.known_to_worker:
            raise JobNotFound()
        if self.ended is not None:
            return self.ended
        steered = [asked for asked in self.asked if isinstance(asked, Cancel | Pause | Resume)]
        match steered[-1:]:
            case [Cancel()]:
                return attrs.evolve(RUNNING, status="cancelled", is_cancelled=True)
            case [Pause()]:
                return attrs.evolve(RUNNING, status="paused", is_paused=True)
            case _:
                return RUNNING

    async def cancel(self, wanted: Cancel) -> Job:
        self.asked.append(wanted)
        return job(status="done")  # the root, the probe, has long ended: the task is what was cancelled

    async def pause(self, wanted: Pause) -> Job:
        return self._steered(wanted)

    async def resume(self, wanted: Resume) -> Job:
        return self._steered(wanted)

    def _steered(self, wanted: Pause | Resume) -> Job:
        if not self.known_to_worker:
            raise JobNotFound()
        self.asked.append(wanted)
        return job()

    async def transcode(self, wanted: Transcode) -> TranscodeStarted:
        if not self.has_source:
            raise NotPlayable()
        self.asked.append(wanted)
        return TranscodeStarted(task_id="t_1", is_new=not self.is_under_way)

    async def retry(self, wanted: RetryRendition) -> None:
        if wanted.rendition_id != "v360":
            raise RenditionNotFailed()
        self.asked.append(wanted)

    async def media_of_task(self, query: TaskQuery) -> MediaState:
        if query.task_id != "t_1":
            raise JobNotFound(f"no task {query.task_id}")
        return MEDIA


def standing_in(ref: ServiceRef[Any], stand_ins: StandIns) -> SimpleNamespace:
    """All methods of a service; those that no route uses fail."""

    async def unexpected(request: Any) -> None:
        raise AssertionError(f"{ref.name} was asked {request}")

    return SimpleNamespace(**{name: getattr(stand_ins, name, unexpected) for name in ref.methods})
