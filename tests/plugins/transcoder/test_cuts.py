"""Cutting by call and by job: real blobs, real children; the same bytes under the same names, whoever cuts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from streamgate.contracts.media import (
    CopyPayload,
    MadeResult,
    MediaChildFailed,
    MediaOutputInvalid,
    MediaPlan,
    MediaSource,
    ProbePayload,
    ProbeResult,
)
from streamgate.contracts.transcode import CutQuery, TranscoderBusy
from streamgate.sdk.blobs import BlobStore, open_blobs
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.testing.clips import ClipSpec
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.wait import eventually
from streamgate.wire import to_plain
from streamgate_transcoder import cuts as cutting
from streamgate_transcoder.config import TranscoderConfig
from streamgate_transcoder.cuts import Cuts
from streamgate_transcoder.faults import NotInPlan
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.fragments import Sample, write_segment
from streamgate_transcoder.media_jobs import MediaJobs
from streamgate_transcoder.pool import ChildPool
from streamgate_transcoder.profile_names import Profiles
from streamgate_transcoder.sizing import Sizing
from streamgate_transcoder.throughput import Throughput
from tests.plugins.transcoder.test_media_jobs import Run

PREFIX = "copies/c_1/1/"
CLIP = ClipSpec(width_px=64, height_px=36, frames=300, key_frames=(0, 60, 110, 200), audio_codec="aac", audio_s=12.0)


@attrs.frozen
class Bench:
    jobs: MediaJobs
    cuts: Cuts
    blobs: BlobStore
    pool: ChildPool

    async def probed(self, path: Path) -> ProbeResult:
        info = await self.blobs.put_bytes("sources/s_1", path.read_bytes())
        source = MediaSource(key="sources/s_1", size_bytes=info.size_bytes)
        wanted = ProbePayload(content_id="c_1", media_version=1, source=source, copies_prefix=PREFIX)
        return await self.jobs.probe(wanted, Run())

    async def kept(self, plan: MediaPlan) -> dict[str, Any]:
        data = orjson.dumps(to_plain(plan))
        key = f"plans/{hashlib.sha256(data).hexdigest()}.json"
        await self.blobs.put_bytes(key, data)
        return {"content_id": "c_1", "media_version": 1, "plan_key": key}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ctx = plugin_context("transcoder", data_dir=tmp_path)
    blobs = open_blobs(ctx)
    pool = ChildPool(size=3)
    async with running(bus_unit(ctx.bus), *blobs.units("transcoder"), pool):
        sizing, throughput = Sizing(most=2, child_bytes=1), Throughput(SYSTEM_CLOCK)
        jobs = MediaJobs(pool, blobs, TranscoderConfig(child_niceness=0), sizing, throughput, profiles=Profiles())
        yield Bench(jobs, Cuts(pool, blobs, jobs), blobs, pool)


def made(result: MadeResult) -> dict[str, str]:
    """Hashes by key."""
    return {
        **{part.init_key: part.init_sha256 for part in result.parts},
        **{segment.key: segment.sha256 for part in result.parts for segment in part.segments},
    }


async def test_probe_call_and_job_write_the_same_bytes_under_the_same_names(
    bench: Bench, clips: Callable[..., Path]
) -> None:
    probed = await bench.probed(clips("cuts.mp4", CLIP))
    plan = probed.plan
    assert [each.mode for each in plan.renditions] == ["copy", "copy"]
    begun = made(MadeResult(parts=probed.parts))
    assert len(begun) == 4  # an init and a segment each
    assert all(key.startswith(PREFIX) for key in begun)
    of_plan = await bench.kept(plan)
    last = len(plan.video_grid) - 1
    run = Run()
    whole = made(await bench.jobs.copy(CopyPayload(**of_plan, seg_from=0, seg_to=last), run))
    assert begun.items() <= whole.items()
    assert len(whole) == 2 * (last + 1)
    assert {stage for _, stage in run.told} == {"copying"}
    for n in (last - 1, 0, last - 1):
        cut = await bench.cuts.cut(CutQuery(**of_plan, seg_from=n, seg_to=n + 1))
        assert made(cut).items() <= whole.items()
        assert [[segment.n for segment in part.segments] for part in cut.parts] == [[n], [n]]
    for key, sha256 in whole.items():
        assert hashlib.sha256(await bench.blobs.read(key)).hexdigest() == sha256


async def test_many_who_ask_for_the_same_are_served_by_one_child(
    bench: Bench, clips: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    query = CutQuery(**await bench.kept((await bench.probed(clips("cuts.mp4", CLIP))).plan), seg_from=0, seg_to=2)
    children: list[str] = []
    run = ChildPool.run

    async def counted(self: ChildPool, task: Any, *more: Any) -> Any:
        children.append(task.task)
        return await run(self, task, *more)

    monkeypatch.setattr(ChildPool, "run", counted)
    found = await asyncio.gather(*(bench.cuts.cut(query) for _ in range(50)))
    assert children == ["media.copy"]
    assert all(each == found[0] for each in found)


async def test_kill_9_of_the_child_costs_one_answer(bench: Bench, clips: Callable[..., Path]) -> None:
    query = CutQuery(**await bench.kept((await bench.probed(clips("cuts.mp4", CLIP))).plan), seg_from=1, seg_to=2)

    async def killed() -> bool | None:
        for pid in bench.pool.busy_pids:
            os.kill(pid, signal.SIGSTOP)  # before it can be done
            os.kill(pid, signal.SIGKILL)
            return True
        return None

    asking = asyncio.create_task(bench.cuts.cut(query))
    await eventually(killed, every_s=0.0005, what="a child")
    with pytest.raises(MediaChildFailed):
        await asking
    assert len((await bench.cuts.cut(query)).parts) == 2


async def test_what_the_plan_does_not_have_is_refused(bench: Bench, clips: Callable[..., Path]) -> None:
    plan = (await bench.probed(clips("cuts.mp4", CLIP))).plan
    of_plan, last = await bench.kept(plan), len(plan.video_grid) - 1
    for seg_from, seg_to in ((-1, 1), (last, last + 1), (1, 1), (0, last + 1)):
        with pytest.raises(NotInPlan):
            await bench.cuts.cut(CutQuery(**of_plan, seg_from=seg_from, seg_to=seg_to))
        with pytest.raises(NotInPlan):
            await bench.jobs.copy(CopyPayload(**of_plan, seg_from=seg_from, seg_to=seg_to), Run())
    encoded = attrs.evolve(plan, renditions=tuple(attrs.evolve(each, mode="encode") for each in plan.renditions))
    with pytest.raises(NotInPlan):
        await bench.cuts.cut(CutQuery(**await bench.kept(encoded), seg_from=0, seg_to=1))


async def test_no_more_wait_than_may(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "WAITING", 0)
    with pytest.raises(TranscoderBusy):
        await bench.cuts.cut(CutQuery(content_id="c_1", media_version=1, plan_key="plans/x", seg_from=0, seg_to=1))


@pytest.mark.parametrize("count", [1, 9])
async def test_a_beginning_that_does_not_fit_the_plan_is_not_believed(
    count: int, bench: Bench, clips: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe's child is in a stranger's hands, too."""
    serve = ChildPool.run
    forged = Frame({"kind": "segment", "rendition_id": "v36", "n": 0}, write_segment(1, [Sample(3, b"x")], 9))

    async def forging(self: ChildPool, task: Any, source: Any, on_frame: Any, wall_s: float) -> Any:
        for _ in range(count):
            await on_frame(forged)
        return await serve(self, task, source, on_frame, wall_s)

    monkeypatch.setattr(ChildPool, "run", forging)
    with pytest.raises(MediaOutputInvalid):
        await bench.probed(clips("cuts.mp4", CLIP))
