"""The plan a job names: read once, believed only when it is the plan of that media version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import orjson
import pytest

from streamgate.contracts.media import MAX_PLAN_BYTES, ChunkPayload, MediaPlan, MediaSource
from streamgate.sdk.blobs import BlobMissing, BlobStore, open_blobs
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.wire import to_plain
from streamgate_transcoder.faults import PlanUnreadable
from streamgate_transcoder.plans import Plans

PLAN = MediaPlan(
    content_id="c_1",
    media_version=2,
    source=MediaSource(key="sources/s_1", size_bytes=5),
    timescale=12_800,
    duration_ticks=51_200,
    video_grid=(0, 51_200),
    target_duration_s=4,
)
KEY = "plans/c_1/2/p.json"
JOB = ChunkPayload(content_id="c_1", media_version=2, plan_key=KEY, chunk_n=0)


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[BlobStore]:
    ctx = plugin_context("transcoder", data_dir=tmp_path)
    store = open_blobs(ctx)
    async with running(bus_unit(ctx.bus), *store.units("transcoder")):
        yield store


async def test_a_plan_is_read_once_for_all_its_jobs(blobs: BlobStore) -> None:
    await blobs.put_bytes(KEY, orjson.dumps(to_plain(PLAN)))
    plans = Plans(blobs)
    assert await plans.of(JOB) == PLAN
    await blobs.delete(KEY)
    assert await plans.of(attrs.evolve(JOB, chunk_n=1)) == PLAN


async def test_only_the_newest_plans_are_kept(blobs: BlobStore) -> None:
    plans = Plans(blobs)
    jobs = [attrs.evolve(JOB, plan_key=f"plans/{n}") for n in range(9)]
    for job in jobs:
        await blobs.put_bytes(job.plan_key, orjson.dumps(to_plain(PLAN)))
        await plans.of(job)
        await blobs.delete(job.plan_key)
    assert await plans.of(jobs[1]) == PLAN
    with pytest.raises(BlobMissing):
        await plans.of(jobs[0])


async def test_a_plan_of_another_version_is_not_obeyed(blobs: BlobStore) -> None:
    await blobs.put_bytes(KEY, orjson.dumps(to_plain(PLAN)))
    plans = Plans(blobs)
    for other in (attrs.evolve(JOB, media_version=1), attrs.evolve(JOB, content_id="c_2")):
        with pytest.raises(PlanUnreadable):
            await plans.of(other)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"plan": 1}', b" " * (MAX_PLAN_BYTES + 1)])
async def test_what_is_no_plan_is_refused(blobs: BlobStore, data: bytes) -> None:
    await blobs.put_bytes(KEY, data)
    with pytest.raises(PlanUnreadable):
        await Plans(blobs).of(JOB)


async def test_a_key_that_is_none_is_refused(blobs: BlobStore) -> None:
    with pytest.raises(PlanUnreadable):
        await Plans(blobs).of(attrs.evolve(JOB, plan_key="../secret"))
