"""The jobs of one media version, run here: probe, copy, sound, chunks; each tried as often as a server would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs
import orjson

from streamgate.contracts.captions import CaptionsPayload, MadeCaptions
from streamgate.contracts.hooks import JobRun
from streamgate.contracts.media import (
    AudioPayload,
    ChunkPayload,
    CopyPayload,
    MadePart,
    MadeResult,
    MadeSegment,
    MediaError,
    MediaOutputInvalid,
    MediaPlan,
    MediaSource,
    ProbePayload,
)
from streamgate.contracts.transcode import Step
from streamgate.errors import StreamgateError
from streamgate.sdk.blobs.disk import DiskStore
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.wire import to_plain

from ..caption_jobs import CaptionJobs
from ..config import TranscoderConfig
from ..media_jobs import MediaJobs, copied_grids
from ..pool import ChildPool
from ..profile_names import Profiles
from ..progress import Tracker
from ..sizing import Sizing
from ..throughput import Throughput

T = TypeVar("T")

ATTEMPTS = 3
Work = Callable[[JobRun], Awaitable[MadeResult]]
CONTENT_ID = "local"
_SOURCE_KEY = "source"
_PLAN_KEY = "plan.json"
_COPIES = "made/copies"
_RESERVE_BYTES = 64 << 20


@attrs.define(kw_only=True)
class LocalRun:
    """A `JobRun` without a lease: nobody else can take the job."""

    job_id: str
    blob_prefix: str
    attempt: int
    on_scan: Callable[[float], None]
    lease_id: str = ""
    owner: str = ""
    subject_id: str = CONTENT_ID

    def report(self, progress: float, stage: str = "") -> None:
        if stage == "scanning":
            self.on_scan(progress)

    async def checkpoint(self, result: Any, progress: float) -> None:
        """Nobody would go on with a part of it."""


@attrs.frozen(kw_only=True)
class Made:
    """Everything that was planned, verified. `path_of` a part's or segment's key: its file."""

    plan: MediaPlan
    captions: tuple[MadeCaptions, ...]
    parts: Mapping[str, MadePart]
    path_of: Callable[[str], Path]


class Making:
    """What is being done, for whoever shows it: `stage`, the share that was `scanned`, and a `tracker` once there is a
    plan."""

    def __init__(self, jobs: int | None) -> None:
        config = TranscoderConfig(child_niceness=0)
        self._config = attrs.evolve(config, encoders=jobs or _as_many_as_fit(config))
        self.stage = "probe"
        self.scanned = 0.0
        self.tracker: Tracker | None = None

    async def make(self, source: Path, folder: Path, profile: str) -> Made:
        """Args:
            folder: empty; everything is written below it.

        Raises:
            MediaError: what is wrong with the source, or with what was made of it.
            StorageFull: `blobs.full`.
        """
        store = DiskStore(folder, reserve_bytes=_RESERVE_BYTES)
        await store.open()
        config = self._config
        pool = ChildPool(size=config.encoders, warm=config.encoders, is_refilled=False)
        try:
            size_bytes = _linked(source, folder / _SOURCE_KEY)
            await pool.start()
            sizing = Sizing(most=config.encoders, child_bytes=config.child_needs_bytes)
            throughput = Throughput(SYSTEM_CLOCK)
            jobs = MediaJobs(pool, store, config, sizing, throughput, profiles=Profiles(), watch=self._watch)
            wanted = ProbePayload(
                content_id=CONTENT_ID,
                media_version=1,
                source=MediaSource(key=_SOURCE_KEY, size_bytes=size_bytes),
                profile=profile,
                copies_prefix=_COPIES,
            )
            plan = (await self._tried("probe", lambda run: jobs.probe(wanted, run))).plan
            self.tracker = Tracker(plan)
            await store.put_bytes(_PLAN_KEY, orjson.dumps(to_plain(plan)))
            self.stage = "encode" if plan.chunks else "copy" if copied_grids(plan) else "audio"
            results = await self._all(_works(jobs, plan))
            plan, captions = await self._read_out(CaptionJobs(pool, store, config, jobs), plan)
        finally:
            await pool.stop()
            await store.close()
        self.stage = "package"
        return Made(plan=plan, captions=captions, parts=joined(plan, results), path_of=lambda key: folder / key)

    async def _read_out(self, jobs: CaptionJobs, plan: MediaPlan) -> tuple[MediaPlan, tuple[MadeCaptions, ...]]:
        """The captions of the source; where that fails, a warning of the plan instead."""
        if not plan.captions:
            return plan, ()
        wanted = CaptionsPayload(content_id=plan.content_id, media_version=plan.media_version, plan_key=_PLAN_KEY)
        try:
            return plan, (await self._tried("captions", partial(jobs.read_out, wanted))).captions
        except MediaError as fault:
            return attrs.evolve(plan, warnings=(*plan.warnings, f"captions: {fault.code}: {fault.detail}")), ()

    def _watch(self, step: Step) -> None:
        if self.tracker is not None:
            self.tracker.note(step)

    def _scanned(self, share: float) -> None:
        self.scanned = share

    async def _all(self, works: Mapping[str, Work]) -> list[MadeResult]:
        places = asyncio.Semaphore(self._config.encoders)

        async def in_place(name: str, work: Work) -> MadeResult:
            async with places:
                return await self._tried(name, work)

        tasks = [asyncio.create_task(in_place(name, work)) for name, work in works.items()]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _tried(self, name: str, work: Callable[[JobRun], Awaitable[T]]) -> T:
        attempt = 1
        while True:
            job_id = f"{name}-{attempt}"
            run = LocalRun(job_id=job_id, blob_prefix=f"made/{job_id}", attempt=attempt, on_scan=self._scanned)
            try:
                return await work(run)
            except StreamgateError as fault:
                if not fault.retryable or attempt == ATTEMPTS:
                    raise
            if self.tracker is not None:
                self.tracker.forget(job_id)
            attempt += 1


def joined(plan: MediaPlan, results: list[MadeResult]) -> dict[str, MadePart]:
    """One part a rendition, in the plan's order.

    Raises:
        MediaOutputInvalid: a segment is missing, or two jobs made different init segments.
    """
    made: dict[str, MadePart] = {}
    for rendition in plan.renditions:
        parts = [part for result in results for part in result.parts if part.rendition_id == rendition.id]
        segments: dict[int, MadeSegment] = {each.n: each for part in parts for each in part.segments}
        grid = plan.grid_of(rendition)
        if sorted(segments) != list(range(len(grid) - 1)):
            raise MediaOutputInvalid(f"{rendition.id}: {len(segments)} of {len(grid) - 1} segments were made")
        if len({part.init_sha256 for part in parts}) != 1:
            raise MediaOutputInvalid(f"{rendition.id}: its jobs do not agree about the init segment")
        made[rendition.id] = attrs.evolve(parts[0], segments=tuple(segments[n] for n in sorted(segments)))
    return made


def _works(jobs: MediaJobs, plan: MediaPlan) -> dict[str, Work]:
    """By name, in the order in which they begin: what is one job each comes first."""
    of_plan: dict[str, Any] = {
        "content_id": plan.content_id,
        "media_version": plan.media_version,
        "plan_key": _PLAN_KEY,
    }
    works: dict[str, Work] = {}
    if copied_grids(plan):
        whole = CopyPayload(**of_plan, seg_from=0, seg_to=len(plan.video_grid) - 1)
        works["copy"] = partial(jobs.copy, whole)
    for rendition in plan.renditions:
        if (rendition.kind, rendition.mode) == ("audio", "encode"):
            sound = AudioPayload(**of_plan, rendition_id=rendition.id)
            works[rendition.id] = partial(jobs.encode_audio, sound)
    for chunk in plan.chunks:
        piece = ChunkPayload(**of_plan, chunk_n=chunk.n)
        works[f"chunk{chunk.n}"] = partial(jobs.encode_chunk, piece)
    return works


def _linked(source: Path, place: Path) -> int:
    """Its size. The store reads it where it is."""
    place.symlink_to(source.absolute())
    return source.stat().st_size


def _as_many_as_fit(config: TranscoderConfig) -> int:
    return Sizing(most=config.encoder_count, child_bytes=config.child_needs_bytes).places(0)
