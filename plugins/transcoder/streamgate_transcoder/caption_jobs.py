"""The job that reads captions out of a source: short, and waits for nothing but its place in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamgate.contracts.captions import CAPTIONS_KIND, CaptionsPayload, CaptionsResult, MadeCaptions
from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.media import MediaOutputInvalid, MediaPlan
from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.timedtext import webvtt
from streamgate.sdk.timedtext.cues import MAX_KEPT_BYTES, TextInvalid

from .blob_source import open_blob_source
from .config import TranscoderConfig
from .media.channel import Frame
from .media.task import CaptionsTask
from .media_jobs import MediaJobs
from .pool import ChildPool


class CaptionJobs:
    """The handler. A fault of the file ends a job for good, and nothing but its captions is missing."""

    def __init__(self, pool: ChildPool, blobs: BlobStore, config: TranscoderConfig, media: MediaJobs) -> None:
        self._pool = pool
        self._blobs = blobs
        self._config = config
        self._media = media

    def kinds(self) -> Sequence[JobKind]:
        return (
            JobKind(
                name=CAPTIONS_KIND,
                summary="Reads the captions out of a source.",
                payload=CaptionsPayload,
                result=CaptionsResult,
                handler=self.read_out,
            ),
        )

    async def read_out(self, payload: CaptionsPayload, run: JobRun) -> CaptionsResult:
        plan = await self._media.plans.of(payload)
        collector = CaptionCollector(self._blobs, run, plan)
        run.report(0.0, "captions")
        async with open_blob_source(self._blobs, plan.source.key) as source:
            task = self._media.task(CAPTIONS_KIND, CaptionsTask(plan=plan), source)
            await self._pool.run(task, source, collector.take, self._config.encode_wall_s)
        return collector.result()


class CaptionCollector:
    """Takes what a child sends below the lease's prefix: `captions-<index>.vtt`, one of each track of the plan at most.
    It is believed to be WebVTT where our own reader takes it, and is kept as our own writer has it."""

    def __init__(self, blobs: BlobStore, run: JobRun, plan: MediaPlan) -> None:
        self._blobs = blobs
        self._run = run
        self._expected = {track.index for track in plan.captions}
        self._made: list[MadeCaptions] = []

    async def take(self, frame: Frame) -> None:
        """Raises MediaOutputInvalid: nothing that was asked for."""
        if frame.kind == "progress":
            self._run.report(float(frame.head["share"]), "captions")
            return
        index = frame.head.get("index")
        if frame.kind != "captions" or index not in self._expected or len(frame.data) > MAX_KEPT_BYTES:
            raise MediaOutputInvalid("captions came that were not asked for")
        self._expected.discard(index)
        try:
            cues = await asyncio.to_thread(webvtt.parse, frame.data.decode())
        except (TextInvalid, UnicodeDecodeError) as fault:
            raise MediaOutputInvalid(f"captions came that cannot be read: {fault}") from fault
        key = f"{self._run.blob_prefix.rstrip('/')}/captions-{index}.vtt"
        info = await self._blobs.put_bytes(key, webvtt.render(cues).encode())
        self._made.append(MadeCaptions(index=index, key=key, size_bytes=info.size_bytes, sha256=info.sha256))

    def result(self) -> CaptionsResult:
        return CaptionsResult(captions=tuple(self._made))
