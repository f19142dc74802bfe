"""Streaming in a house of its own: auth, metadata and worker are stand-ins of contract types, all else is real.

`Theatre` plays the parts of the others: it uploads, makes what jobs ask for (bytes of no meaning, in the real blob
store), and hears every event.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import attrs
import httpx

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts import events
from streamgate.contracts.audit import AUDITED
from streamgate.contracts.jobs import NewJob
from streamgate.contracts.media import (
    ASKED_KIND,
    ASKED_SEGMENTS,
    AUDIO_KIND,
    CHUNK_KIND,
    COPY_KIND,
    MadePart,
    MadeResult,
    MadeSegment,
    MediaPlan,
    MediaSource,
    PlannedChunk,
    PlannedRendition,
    ProbeResult,
)
from streamgate.contracts.transcode import CutQuery
from streamgate.events import EventType, Received
from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.ids import uuid7
from streamgate.sdk.playlists.presentation import Track
from streamgate.settings import KernelSettings
from streamgate.testing.house import House
from streamgate.testing.wait import eventually
from streamgate.wire import from_plain, to_plain
from streamgate_streaming.orders import BESIDE_KINDS
from streamgate_streaming.picturing import PICTURE_KINDS
from tests.plugins.streaming.others import (
    CREATOR,
    HOLDER,
    FakeAccounts,
    FakeAuth,
    FakeJobs,
    FakeMetadata,
    FakeTranscoder,
    SteppedClock,
)

STRANGER = Actor(kind="user", user_id="stranger", roles=("viewer",))
LEASE_S = 60.0

Parse = Callable[[Sequence[tuple[str, str]]], list[Any]]
MakeTrack = Callable[..., Track]


# --- plans and what is made of them -----------------------------------------------------------------


def make_plan(
    content_id: str,
    media_version: int,
    source: MediaSource,
    *,
    segments: int = 3,
    video: bool = True,
    audio: bool = True,
    copied: str = "",
    lazy: str = "",
) -> MediaPlan:
    """4 s segments at 25 frames a second; two rungs and one sound, as far as they are wanted. `copied`: ids of those
    that are the source itself (`v720`, or it and `a128`). `lazy`: ids of rungs that are made when somebody asks; there
    are four rungs then, of 720, 540, 480 and 360 lines."""
    video_grid = tuple(range(0, 4 * 12_800 * segments + 1, 4 * 12_800)) if video else ()
    audio_grid = tuple(n * 4 * 48_000 // 1024 * 1024 for n in range(segments + 1)) if audio else ()
    rungs: list[PlannedRendition] = []
    sizes = ((720, 1280), (540, 960), (480, 854), (360, 640)) if lazy else ((720, 1280), (360, 640))
    for height_px, width_px in sizes if video else ():
        rungs.append(
            PlannedRendition(
                id=f"v{height_px}",
                kind="video",
                mode="copy" if f"v{height_px}" in copied else "encode",
                base=height_px == (720 if copied else 360),
                segment_bytes=sizes_of(f"v{height_px}", segments) if f"v{height_px}" in copied else (),
                codec="avc1.64001f",
                width_px=width_px,
                height_px=height_px,
                fps_num=25,
                policy="lazy" if f"v{height_px}" in lazy else "eager",
                maxrate_bps=3_000_000,
                bufsize_bits=4_500_000,
            )
        )
    if audio:
        rungs.append(
            PlannedRendition(
                id="a128",
                kind="audio",
                mode="copy" if "a128" in copied else "encode",
                base=not video,
                segment_bytes=sizes_of("a128", segments) if "a128" in copied else (),
                codec="mp4a.40.2",
                bitrate_bps=128_000,
                sample_rate_hz=48_000,
                channels=2,
            )
        )
    chunks = [(first, min(first + 2, segments)) for first in range(0, segments, 2)] if video else []
    return MediaPlan(
        content_id=content_id,
        media_version=media_version,
        source=source,
        timescale=12_800 if video else 48_000,
        duration_ticks=(video_grid or audio_grid)[-1],
        video_grid=video_grid,
        audio_grid=audio_grid,
        target_duration_s=4,
        chunks=tuple(
            PlannedChunk(n=n, seg_from=a, seg_to=b, decode_from_ticks=video_grid[a]) for n, (a, b) in enumerate(chunks)
        ),
        renditions=tuple(rungs),
        warnings=("plan: a remark",),
        copies_prefix=f"copies/{content_id}/{media_version}/" if copied else "",
    )


def sizes_of(rendition_id: str, segments: int) -> tuple[int, ...]:
    return tuple(len(bytes_of(rendition_id, n)) for n in range(segments))


def bytes_of(rendition_id: str, n: int, marker: str = "") -> bytes:
    """Recognisable bytes of a size that differs from segment to segment."""
    return f"{rendition_id}/{n}{marker} ".encode() * (700 + 97 * n)


EVERYTHING: tuple[EventType[Any], ...] = (
    *(value for value in vars(events).values() if isinstance(value, EventType)),
    AUDITED,
)


@attrs.define(eq=False)
class Theatre:
    """A running house, and the stand-ins around it."""

    home: House
    auth: FakeAuth
    accounts: FakeAccounts
    metadata: FakeMetadata
    jobs: FakeJobs
    transcoder: FakeTranscoder
    clock: SteppedClock
    heard: list[Received[Any]]
    made: dict[str, bytes] = attrs.field(factory=dict)  # by key

    @property
    def blobs(self) -> BlobStore:
        store: BlobStore = self.home.plugins["streaming"]._blobs
        return store

    @property
    def db(self) -> Any:  # the plugin's own Database
        return self.home.plugins["streaming"]._db

    def client(self, actor: Actor = ANONYMOUS) -> httpx.AsyncClient:
        return self.home.client(actor)

    # --- events -------------------------------------------------------------------------------------

    async def say(self, event: EventType[Any], body: Any, event_id: str = "") -> str:
        """Returns when streaming has handled it."""
        event_id = event_id or uuid7()
        await self.home.events.publish(event, body, event_id=event_id)
        return event_id

    def told(self, event: EventType[Any]) -> list[Any]:
        return [received.body for received in self.heard if received.name == event.name]

    async def hear(self, event: EventType[Any], count: int = 1) -> list[Any]:
        """Waits until so many of an event were told; all of them."""

        async def enough() -> list[Any] | None:
            told = self.told(event)
            return told if len(told) >= count else None

        return await eventually(enough, timeout_s=10, every_s=0.005, what=f"{count} × {event.name}")

    # --- the others' parts --------------------------------------------------------------------------

    async def upload(self, content_id: str, revision: int = 1, **more: Any) -> NewJob:
        """A source has come; returns the probe job that it causes."""
        self.metadata.contents.add(content_id)
        before = len(self.orders())
        body = events.UploadFinished(
            **{
                "subject_id": content_id,
                "revision": revision,
                "upload_id": f"u_{content_id}_{revision}",
                "content_id": content_id,
                "owner": CREATOR.user_id,
                "filename": "film.mp4",
                "source_key": f"sources/{content_id}/{revision}",
                "size_bytes": 1_000_000,
                **more,
            }
        )
        await self.say(events.UPLOAD_FINISHED, body)
        [probe] = (await self.ordered(before + 1))[before:]
        return probe

    def orders(self) -> list[NewJob]:
        """Of media. Pictures are asked for when something plays: see `picture_orders`."""
        return [job for job in self._all_orders() if job.kind not in BESIDE_KINDS]

    def picture_orders(self) -> list[NewJob]:
        return [job for job in self._all_orders() if job.kind in PICTURE_KINDS]

    def _all_orders(self) -> list[NewJob]:
        return [from_plain(NewJob, job) for told in self.told(events.JOBS_REQUESTED) for job in told.jobs]

    async def ordered(self, count: int) -> list[NewJob]:
        async def enough() -> list[NewJob] | None:
            return self.orders() if len(self.orders()) >= count else None

        return await eventually(enough, timeout_s=10, every_s=0.005, what=f"{count} jobs")

    def plan_for(self, probe: NewJob, **shape: Any) -> MediaPlan:
        source = from_plain(MediaSource, probe.payload["source"])
        return make_plan(probe.payload["content_id"], probe.payload["media_version"], source, **shape)

    async def planned(self, probe: NewJob, plan: MediaPlan | None = None, **shape: Any) -> list[NewJob]:
        """The probe is done; returns the jobs that its plan causes, if it causes any."""
        plan = plan or self.plan_for(probe, **shape)
        before = len(self.orders())
        await self.done(probe, ProbeResult(plan=plan))
        encoded_sounds = [each for each in plan.renditions if (each.kind, each.mode) == ("audio", "encode")]
        count = len(plan.chunks) * (1 + plan.base_first) + len(encoded_sounds)
        count += 1 if plan.copies_prefix else 0
        return (await self.ordered(before + count))[before:]

    async def done(self, job: NewJob, result: Any, event_id: str = "") -> str:
        return await self.over(job, status="done", result=to_plain(result), event_id=event_id)

    async def over(self, job: NewJob, *, event_id: str = "", **how: Any) -> str:
        body = events.JobFinished(
            subject_id=job.subject_id, revision=1, job_id=job.job_id, root_id=job.root_id, kind=job.kind, **how
        )
        return await self.say(events.JOB_FINISHED, body, event_id)

    async def checkpoint(self, job: NewJob, result: MadeResult) -> str:
        body = events.JobCheckpoint(
            subject_id=job.subject_id,
            revision=1,
            job_id=job.job_id,
            root_id=job.root_id,
            kind=job.kind,
            result=to_plain(result),
        )
        return await self.say(events.JOB_CHECKPOINT, body)

    async def plan_of(self, job: NewJob) -> MediaPlan:
        """What a transcoder reads before it makes anything."""
        return from_plain(MediaPlan, json.loads(await self.blobs.read(job.payload["plan_key"])))

    async def make(self, job: NewJob, attempt: int = 1) -> MadeResult:
        """What a transcoder answers, with the bytes in the blob store."""
        plan = await self.plan_of(job)
        if job.kind == CHUNK_KIND:
            chunk = plan.chunks[job.payload["chunk_n"]]
            numbers = range(chunk.seg_from, chunk.seg_to)
            encoded = [each for each in plan.renditions if (each.kind, each.mode) == ("video", "encode")]
            asked = job.payload["rendition_ids"] or [each.id for each in encoded if each.policy == "eager"]
            wanted = [(each.id, plan.video_grid) for each in encoded if each.id in asked]
        elif job.kind == ASKED_KIND:
            first = job.payload["stretch_n"] * ASKED_SEGMENTS
            numbers = range(first, min(first + ASKED_SEGMENTS, len(plan.video_grid) - 1))
            wanted = [(job.payload["rendition_id"], plan.video_grid)]
        elif job.kind == COPY_KIND:
            return await self._copied(plan, range(job.payload["seg_from"], job.payload["seg_to"]))
        else:
            assert job.kind == AUDIO_KIND
            numbers = range(len(plan.audio_grid) - 1)
            wanted = [(job.payload["rendition_id"], plan.audio_grid)]
        prefix = f"jobs/{job.subject_id}/{job.job_id}/l_{attempt}"
        return await self._parts(prefix, wanted, numbers)

    async def cut(self, query: CutQuery) -> MadeResult:
        """What a transcoder answers to a call."""
        plan = from_plain(MediaPlan, json.loads(await self.blobs.read(query.plan_key)))
        return await self._copied(plan, range(query.seg_from, query.seg_to))

    async def _copied(self, plan: MediaPlan, numbers: range) -> MadeResult:
        copied = [each for each in plan.renditions if each.mode == "copy"]
        wanted = [(each.id, plan.video_grid if each.kind == "video" else plan.audio_grid) for each in copied]
        return await self._parts(plan.copies_prefix.rstrip("/"), wanted, numbers)

    async def _parts(self, prefix: str, wanted: Sequence[tuple[str, Sequence[int]]], numbers: range) -> MadeResult:
        parts = []
        for rendition_id, grid in wanted:
            init = f"init of {rendition_id}".encode() * 40
            await self._put(f"{prefix}/{rendition_id}/init.mp4", init)
            segments = []
            for n in numbers:
                key, data = f"{prefix}/{rendition_id}/{n}.m4s", bytes_of(rendition_id, n)
                await self._put(key, data)
                segments.append(
                    MadeSegment(
                        n=n,
                        key=key,
                        size_bytes=len(data),
                        sha256=hashlib.sha256(data).hexdigest(),
                        decode_time_ticks=grid[n],
                        duration_ticks=grid[n + 1] - grid[n],
                    )
                )
            part = MadePart(
                rendition_id=rendition_id,
                init_key=f"{prefix}/{rendition_id}/init.mp4",
                init_sha256=hashlib.sha256(init).hexdigest(),
                init_size_bytes=len(init),
                segments=tuple(segments),
            )
            parts.append(part)
        return MadeResult(parts=tuple(parts))

    async def _put(self, key: str, data: bytes) -> None:
        await self.blobs.put_bytes(key, data)
        self.made[key] = data

    async def play(self, content_id: str, *, revision: int = 1, **shape: Any) -> None:
        """From the upload to `ready`."""
        ready = len(self.told(events.MEDIA_READY))
        for job in await self.planned(await self.upload(content_id, revision), **shape):
            await self.done(job, await self.make(job))
        await self.hear(events.MEDIA_READY, ready + 1)

    async def collect(self) -> None:
        """One turn of the collector, now."""
        await self.turn("streaming.collect")

    async def turn(self, name: str) -> None:
        """One turn of a unit that acts every so often, now."""
        [unit] = [unit for unit in self.home.plugins["streaming"]._periodic if unit.name == name]
        await unit._act()

    async def collected(self, *, but: tuple[str, ...] = ()) -> None:
        """Lets time pass until nothing made or planned is left in the blob store, but what is below these prefixes."""

        async def is_gone() -> bool | None:
            await self.clock.advance(30)
            left = [each.key async for each in self.blobs.list() if not each.key.startswith(but or ("-",))]
            return None if left else True

        await eventually(is_gone, timeout_s=10, every_s=0.01, what="the collector")

    # --- viewers ------------------------------------------------------------------------------------

    async def watch(self, content_id: str, actor: Actor = HOLDER, client_id: str = "") -> dict[str, Any]:
        """A session's answer."""
        async with self.client(actor) as http:
            body = {"content_id": content_id, "client_id": client_id}
            answer = await http.post("/api/v1/stream/session", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def fetch(self, session: Mapping[str, Any], path: str = "master.m3u8", **how: Any) -> httpx.Response:
        """A file of a session, as a player does: without credentials."""
        async with self.client() as http:
            url = session["hls_url"].removesuffix("master.m3u8") + path
            return await http.request(how.pop("method", "GET"), url, **how)


class Open(Protocol):
    """Opening it again after it was closed is a restart; the stand-ins are new each time. `config`: more of the
    plugin's."""

    def __call__(
        self, settings: KernelSettings | None = None, **config: Any
    ) -> AbstractAsyncContextManager[Theatre]: ...
