"""Cutting on demand: what somebody waits for before a picture. Implements `contracts.transcode.Transcoder`."""

from __future__ import annotations

import asyncio

from streamgate.contracts.media import COPY_KIND, MadeResult
from streamgate.contracts.transcode import CutQuery, TranscoderBusy
from streamgate.sdk.blobs import BlobStore

from .blob_source import open_blob_source
from .collecting import Collector
from .faults import NotInPlan
from .media.task import CopyTask
from .media_jobs import MediaJobs, copied_grids
from .pool import ChildPool

AT_ONCE = 2
WAITING = 64
MOST_SEGMENTS = 8
WALL_S = 6.0
"""Of one child, below the time the caller has."""


class Cuts:
    """The same segments are cut once, however many ask for them at a time."""

    def __init__(self, pool: ChildPool, blobs: BlobStore, jobs: MediaJobs) -> None:
        self._pool = pool
        self._blobs = blobs
        self._jobs = jobs
        self._room = asyncio.Semaphore(AT_ONCE)
        self._cutting: dict[CutQuery, asyncio.Task[MadeResult]] = {}

    async def cut(self, query: CutQuery) -> MadeResult:
        cutting = self._cutting.get(query)
        if cutting is None:
            if len(self._cutting) >= WAITING:
                raise TranscoderBusy(f"{WAITING} cuts wait already", retry_after_s=1)
            cutting = self._cutting[query] = asyncio.create_task(self._cut(query))
            cutting.add_done_callback(lambda _: self._cutting.pop(query, None))
        return await asyncio.shield(cutting)

    async def _cut(self, query: CutQuery) -> MadeResult:
        plan = await self._jobs.plans.of(query)
        grids, seg_from, seg_to = copied_grids(plan), query.seg_from, query.seg_to
        is_there = 0 <= seg_from < seg_to < len(plan.video_grid)
        if not grids or not is_there or seg_to - seg_from > MOST_SEGMENTS:
            raise NotInPlan(f"the plan has no segments {seg_from} to {seg_to} to cut at once")
        work = CopyTask(plan=plan, rendition_ids=tuple(grids), seg_from=seg_from, seg_to=seg_to)
        collector = Collector(self._blobs, None, grids, seg_from, seg_to, prefix=plan.copies_prefix)
        async with self._room, open_blob_source(self._blobs, plan.source.key) as source:
            task = self._jobs.task(COPY_KIND, work, source, is_waited_for=True)
            await self._pool.run(task, source, collector.take, WALL_S)
        return collector.result()
