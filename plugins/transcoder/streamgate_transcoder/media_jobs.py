"""The three kinds of media job: a child does the work, what it sends is collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from streamgate.context import current_call
from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.media import (
    AUDIO_KIND,
    CHUNK_KIND,
    PROBE_KIND,
    AudioPayload,
    ChunkPayload,
    MadeResult,
    MediaOutputInvalid,
    MediaPlan,
    ProbePayload,
    ProbeResult,
)
from streamgate.sdk.blobs import BlobStore
from streamgate.telemetry.tracing import trace_id_of
from streamgate.wire import from_plain, to_plain

from .blob_source import BlobSource, open_blob_source
from .collecting import Collector
from .config import TranscoderConfig
from .faults import NotInPlan, UnknownProfile
from .media.channel import Frame
from .media.profiles import PROFILES
from .media.task import AudioTask, ChildTask, ChunkTask
from .plans import Plans
from .pool import ChildPool
from .progress import Watch, nobody
from .sizing import Sizing
from .throughput import Throughput


class MediaJobs:
    """Handlers. Faults of the file end a job for good; a dead child or bad output costs an attempt."""

    def __init__(
        self,
        pool: ChildPool,
        blobs: BlobStore,
        config: TranscoderConfig,
        sizing: Sizing,
        throughput: Throughput,
        *,
        watch: Watch = nobody,
    ) -> None:
        self._pool = pool
        self._sizing = sizing
        self._throughput = throughput
        self._watch = watch
        self._blobs = blobs
        self._plans = Plans(blobs)
        self._config = config

    def kinds(self) -> Sequence[JobKind]:
        return (
            JobKind(
                name=PROBE_KIND,
                summary="Looks into a source and plans how it is cut and encoded.",
                payload=ProbePayload,
                result=ProbeResult,
                handler=self.probe,
            ),
            JobKind(
                name=CHUNK_KIND,
                summary="Encodes one chunk of a source into all video renditions of its plan.",
                payload=ChunkPayload,
                result=MadeResult,
                handler=self.encode_chunk,
                concurrency=self._config.encoder_count,
                places=lambda: self._sizing.places(self._pool.busy),
            ),
            JobKind(
                name=AUDIO_KIND,
                summary="Encodes the sound of a source.",
                payload=AudioPayload,
                result=MadeResult,
                handler=self.encode_audio,
            ),
        )

    async def probe(self, payload: ProbePayload, run: JobRun) -> ProbeResult:
        if payload.profile not in PROFILES:
            raise UnknownProfile(f"no profile {payload.profile!r}")

        async def take(frame: Frame) -> None:
            run.report(float(frame.head["share"]), "scanning")

        run.report(0.0, "probing")
        async with open_blob_source(self._blobs, payload.source.key) as source:
            task = self._task(PROBE_KIND, payload, source)
            # A probe may wait for its bytes as long as the wall clock says, and compute for half of that.
            task = attrs.evolve(task, sandbox=task.sandbox.within(self._config.probe_wall_s / 2))
            result = await self._pool.run(task, source, take, self._config.probe_wall_s)
        made = from_plain(ProbeResult, result)
        if (made.plan.content_id, made.plan.source) != (payload.content_id, payload.source):
            raise MediaOutputInvalid("the plan is of another content")
        return made

    async def encode_chunk(self, payload: ChunkPayload, run: JobRun) -> MadeResult:
        plan = await self._plans.of(payload)
        if not 0 <= payload.chunk_n < len(plan.chunks):
            raise NotInPlan(f"the plan has no chunk {payload.chunk_n}")
        chunk = plan.chunks[payload.chunk_n]
        ids = [item.id for item in plan.renditions if item.kind == "video" and item.mode == "encode"]
        grid, watch = plan.video_grid, self._watch
        collector = Collector(self._blobs, run, ids, grid, chunk.seg_from, chunk.seg_to, watch=watch)
        return await self._make(CHUNK_KIND, ChunkTask(plan=plan, chunk_n=chunk.n), plan, collector)

    async def encode_audio(self, payload: AudioPayload, run: JobRun) -> MadeResult:
        plan = await self._plans.of(payload)
        if not any(item.id == payload.rendition_id and item.kind == "audio" for item in plan.renditions):
            raise NotInPlan(f"the plan has no audio rendition {payload.rendition_id!r}")
        grid, watch = plan.audio_grid, self._watch
        collector = Collector(self._blobs, run, [payload.rendition_id], grid, 0, len(grid) - 1, watch=watch)
        return await self._make(AUDIO_KIND, AudioTask(plan=plan, rendition_id=payload.rendition_id), plan, collector)

    async def _make(self, kind: str, work: ChunkTask | AudioTask, plan: MediaPlan, collector: Collector) -> MadeResult:
        async with open_blob_source(self._blobs, plan.source.key) as source:
            task = self._task(kind, work, source)
            await self._pool.run(task, source, collector.take, self._config.encode_wall_s)
        made = collector.result()
        grid = plan.video_grid if kind == CHUNK_KIND else plan.audio_grid
        seconds_a_tick = plan.duration_ticks / plan.timescale / (grid[-1] - grid[0])
        for part in made.parts:
            self._throughput.note(kind, sum(each.duration_ticks for each in part.segments) * seconds_a_tick)
        return made

    def _task(self, kind: str, payload: Any, source: BlobSource) -> ChildTask:
        return ChildTask(
            task=kind,
            payload=to_plain(payload),
            source_by="reads" if source.descriptor is None else "descriptor",
            source_size_bytes=source.size_bytes,
            limits=self._config.media_limits,
            sandbox=self._config.sandbox_limits,
            trace_id=trace_id_of(current_call().traceparent),
        )
