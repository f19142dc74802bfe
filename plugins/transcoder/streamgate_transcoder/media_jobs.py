"""The kinds of media job: a child does the work, what it sends is collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from loguru import logger

from streamgate.context import current_call
from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.media import (
    ASKED_KIND,
    AUDIO_KIND,
    CHUNK_KIND,
    COPY_KIND,
    PROBE_KIND,
    AskedPayload,
    AudioPayload,
    ChunkPayload,
    CopyPayload,
    MadePart,
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
from .faults import NotInPlan
from .media.av1 import is_av1
from .media.channel import Frame
from .media.task import AudioTask, ChildTask, ChunkTask, CopyTask, ProbeTask
from .plans import Plans
from .policies import in_stretches, of_renditions, with_policy
from .pool import ChildPool
from .profile_names import Profiles
from .progress import Watch, nobody
from .sizing import Sizing
from .throughput import Throughput

COPIES_AT_ONCE = 2
ASKED_AT_ONCE = 2
"""Stretches of lazy rungs: beside the other encoders, for somebody waits for each."""
MOST_OPENING_FRAMES = 32
"""Of one probe: an init and a segment of each copied rendition."""


def copied_grids(plan: MediaPlan) -> dict[str, tuple[int, ...]]:
    """Of the renditions that are the source itself."""
    return {item.id: plan.grid_of(item) for item in plan.renditions if item.mode == "copy"}


def lanes_of(chunk_n: int, chunks: int, rungs: int, cores: int) -> int:
    """How many threads encode a chunk beside the one that decodes it. As many chunks as there are cores keep them busy,
    and better without (threads cost 4 % of processor time); the last ones are left with cores that nobody uses."""
    return min(cores - 1, rungs) if chunks - chunk_n < cores else 0


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
        profiles: Profiles,
        watch: Watch = nobody,
    ) -> None:
        self._pool = pool
        self._sizing = sizing
        self._throughput = throughput
        self._profiles = profiles
        self._watch = watch
        self._blobs = blobs
        self.plans = Plans(blobs)
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
                places=lambda: self._sizing.places(self._pool.holding),
            ),
            JobKind(
                name=ASKED_KIND,
                summary="Encodes a few segments of one video rendition, for which somebody waits.",
                payload=AskedPayload,
                result=MadeResult,
                handler=self.encode_asked,
                concurrency=min(ASKED_AT_ONCE, self._config.encoder_count),
            ),
            JobKind(
                name=AUDIO_KIND,
                summary="Encodes the sound of a source.",
                payload=AudioPayload,
                result=MadeResult,
                handler=self.encode_audio,
            ),
            JobKind(
                name=COPY_KIND,
                summary="Cuts a source that is played as it is.",
                payload=CopyPayload,
                result=MadeResult,
                handler=self.copy,
                concurrency=COPIES_AT_ONCE,
            ),
        )

    async def probe(self, payload: ProbePayload, run: JobRun) -> ProbeResult:
        profile = self._profiles.of(payload.profile)
        opening: list[Frame] = []

        async def take(frame: Frame) -> None:
            if frame.kind == "progress":
                run.report(float(frame.head["share"]), "scanning")
            elif len(opening) == MOST_OPENING_FRAMES:
                raise MediaOutputInvalid("more came than the beginning")
            else:
                opening.append(frame)

        run.report(0.0, "probing")
        async with open_blob_source(self._blobs, payload.source.key) as source:
            asked = ProbeTask(wanted=payload, profile=profile)
            task = self.task(PROBE_KIND, asked, source, is_waited_for=True)
            # A probe may wait for its bytes as long as the wall clock says, and compute for half of that.
            task = attrs.evolve(task, sandbox=task.sandbox.within(self._config.probe_wall_s / 2))
            result = await self._pool.run(task, source, take, self._config.probe_wall_s)
        made = from_plain(ProbeResult, result)
        if (made.plan.content_id, made.plan.source) != (payload.content_id, payload.source):
            raise MediaOutputInvalid("the plan is of another content")
        if made.plan.copies_prefix not in ("", payload.copies_prefix):
            raise MediaOutputInvalid("the plan copies to another place")
        for reason in made.plan.not_copied:
            logger.bind(content_id=payload.content_id, reason=reason).info("source is not played as it is")
        plan = with_policy(made.plan, payload.policy or profile.policy)
        return attrs.evolve(made, plan=plan, parts=await self._begun(plan, opening))

    async def _begun(self, plan: MediaPlan, frames: Sequence[Frame]) -> tuple[MadePart, ...]:
        """The beginning that a probe has cut. It came before the plan that it must fit."""
        grids = copied_grids(plan)
        if not grids:
            return ()
        collector = Collector(self._blobs, None, grids, 0, 1, prefix=plan.copies_prefix)
        for frame in frames:
            await collector.take(frame)
        return collector.result().parts

    async def copy(self, payload: CopyPayload, run: JobRun) -> MadeResult:
        plan = await self.plans.of(payload)
        grids, seg_from, seg_to = copied_grids(plan), payload.seg_from, payload.seg_to
        if not grids or not 0 <= seg_from < seg_to < len(plan.video_grid):
            raise NotInPlan(f"the plan has no segments {seg_from} to {seg_to} to copy")
        work = CopyTask(plan=plan, rendition_ids=tuple(grids), seg_from=seg_from, seg_to=seg_to)
        prefix, watch = plan.copies_prefix, self._watch
        collector = Collector(self._blobs, run, grids, seg_from, seg_to, prefix=prefix, stage="copying", watch=watch)
        return await self._make(COPY_KIND, work, plan, collector)

    async def encode_chunk(self, payload: ChunkPayload, run: JobRun) -> MadeResult:
        plan = await self.plans.of(payload)
        if not 0 <= payload.chunk_n < len(plan.chunks):
            raise NotInPlan(f"the plan has no chunk {payload.chunk_n}")
        chunk, part = plan.chunks[payload.chunk_n], of_renditions(plan, payload.rendition_ids)
        grids, watch = dict.fromkeys((item.id for item in part.renditions), plan.video_grid), self._watch
        collector = Collector(self._blobs, run, grids, chunk.seg_from, chunk.seg_to, watch=watch)
        lanes = lanes_of(chunk.n, len(plan.chunks), len(part.renditions), self._config.encoder_count)
        return await self._make(CHUNK_KIND, ChunkTask(plan=part, chunk_n=chunk.n, lanes=lanes), plan, collector)

    async def encode_asked(self, payload: AskedPayload, run: JobRun) -> MadeResult:
        plan = await self.plans.of(payload)
        part = in_stretches(plan, payload.rendition_id, payload.stretch_n)
        chunk, grids = part.chunks[payload.stretch_n], {payload.rendition_id: plan.video_grid}
        collector = Collector(self._blobs, run, grids, chunk.seg_from, chunk.seg_to)
        work = ChunkTask(plan=part, chunk_n=chunk.n, lanes=1 if self._config.encoder_count > 1 else 0)
        return await self._make(CHUNK_KIND, work, plan, collector, is_waited_for=True)

    async def encode_audio(self, payload: AudioPayload, run: JobRun) -> MadeResult:
        plan = await self.plans.of(payload)
        encoded = {item.id: item for item in plan.renditions if item.kind == "audio" and item.mode == "encode"}
        if payload.rendition_id not in encoded:
            raise NotInPlan(f"the plan has no audio rendition {payload.rendition_id!r} to encode")
        grid = plan.grid_of(encoded[payload.rendition_id])
        grids = {payload.rendition_id: grid}
        collector = Collector(self._blobs, run, grids, 0, len(grid) - 1, watch=self._watch)
        return await self._make(AUDIO_KIND, AudioTask(plan=plan, rendition_id=payload.rendition_id), plan, collector)

    async def _make(
        self,
        kind: str,
        work: ChunkTask | AudioTask | CopyTask,
        plan: MediaPlan,
        collector: Collector,
        *,
        is_waited_for: bool = False,
    ) -> MadeResult:
        rungs = sum((item.kind, item.mode) == ("video", "encode") for item in plan.renditions)
        async with open_blob_source(self._blobs, plan.source.key) as source:
            task = self.task(kind, work, source, is_waited_for=is_waited_for)
            # As many as any task of this source can use: a child may go on with each of them.
            task = attrs.evolve(task, threads=min(self._config.encoder_count - 1, rungs))
            if kind == CHUNK_KIND and any(map(is_av1, work.plan.renditions)):
                task = attrs.evolve(task, sandbox=attrs.evolve(task.sandbox, may_start_threads=True))
            await self._pool.run(task, source, collector.take, self._config.encode_wall_s, plan.source.key)
        made = collector.result()
        scales = {item.id: plan.timescale_of(item) for item in plan.renditions}
        for part in made.parts:
            ticks = sum(each.duration_ticks for each in part.segments)
            self._throughput.note(kind, ticks / scales[part.rendition_id])
        return made

    def task(self, kind: str, payload: Any, source: BlobSource, *, is_waited_for: bool = False) -> ChildTask:
        """`is_waited_for`: somebody sits before it, so that it does not stand back behind other work."""
        sandbox = self._config.sandbox_limits
        return ChildTask(
            task=kind,
            payload=to_plain(payload),
            source_by="reads" if source.descriptor is None else "descriptor",
            source_size_bytes=source.size_bytes,
            limits=self._config.media_limits,
            sandbox=attrs.evolve(sandbox, niceness=0) if is_waited_for else sandbox,
            trace_id=trace_id_of(current_call().traceparent),
        )
