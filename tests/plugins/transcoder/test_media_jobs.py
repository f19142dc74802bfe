"""Media jobs as the runner calls them: real blobs, real children, only the lease is made up."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import av
import orjson
import pytest

from streamgate.contracts.media import (
    CHUNK_KIND,
    AudioPayload,
    ChunkPayload,
    MadeResult,
    MediaChildFailed,
    MediaOutputInvalid,
    MediaPlan,
    MediaSource,
    NotMedia,
    ProbePayload,
)
from streamgate.sdk.blobs import BlobMissing, BlobStore, open_blobs
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.testing.attacks import attack
from streamgate.testing.clips import ClipSpec
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.wire import to_plain
from streamgate_transcoder.collecting import Collector
from streamgate_transcoder.config import TranscoderConfig
from streamgate_transcoder.faults import NotInPlan, UnknownProfile
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.fragments import Sample, write_segment
from streamgate_transcoder.media.task import ChildTask
from streamgate_transcoder.media_jobs import MediaJobs
from streamgate_transcoder.pool import ChildPool
from streamgate_transcoder.profile_names import Profiles
from streamgate_transcoder.sizing import Sizing
from streamgate_transcoder.throughput import Throughput

GIB = 1 << 30
CLIP = ClipSpec(width_px=128, height_px=72, frames=260, key_frames=(0, 60, 110, 200), audio_codec="aac", audio_s=10.4)


@attrs.define
class Run:
    """A lease that nobody else knows of."""

    job_id: str = "j_1"
    lease_id: str = "l_1"
    attempt: int = 1
    owner: str = "u_1"
    subject_id: str = "c_1"
    blob_prefix: str = "jobs/l_1"
    checkpoint_found: Mapping[str, Any] | None = None
    told: list[tuple[float, str]] = attrs.field(factory=list)
    kept: list[tuple[MadeResult, float]] = attrs.field(factory=list)

    def report(self, progress: float, stage: str = "") -> None:
        self.told.append((progress, stage))

    async def checkpoint(self, result: Any, progress: float) -> None:
        self.kept.append((result, progress))


@attrs.frozen
class Bench:
    jobs: MediaJobs
    blobs: BlobStore
    pool: ChildPool
    throughput: Throughput

    async def stored(self, path: Path, key: str = "sources/s_1") -> MediaSource:
        info = await self.blobs.put_bytes(key, path.read_bytes())
        return MediaSource(key=key, size_bytes=info.size_bytes)

    async def plan(self, path: Path) -> MediaPlan:
        wanted = ProbePayload(content_id="c_1", media_version=1, source=await self.stored(path))
        return (await self.jobs.probe(wanted, Run())).plan

    async def kept(self, plan: MediaPlan) -> dict[str, Any]:
        """Stores a plan as streaming does; what jobs then say of it."""
        data = orjson.dumps(to_plain(plan))
        key = f"plans/{hashlib.sha256(data).hexdigest()}.json"
        await self.blobs.put_bytes(key, data)
        return {"content_id": plan.content_id, "media_version": plan.media_version, "plan_key": key}

    async def chunk(self, plan: MediaPlan, chunk_n: int) -> ChunkPayload:
        return ChunkPayload(**await self.kept(plan), chunk_n=chunk_n)

    async def audio(self, plan: MediaPlan, rendition_id: str) -> AudioPayload:
        return AudioPayload(**await self.kept(plan), rendition_id=rendition_id)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ctx = plugin_context("transcoder", data_dir=tmp_path)
    blobs = open_blobs(ctx)
    pool = ChildPool(size=2)
    async with running(bus_unit(ctx.bus), *blobs.units("transcoder"), pool):
        sizing = Sizing(most=2, child_bytes=GIB, available_bytes=lambda: GIB)
        throughput = Throughput(SYSTEM_CLOCK)
        jobs = MediaJobs(pool, blobs, TranscoderConfig(child_niceness=0), sizing, throughput, profiles=Profiles())
        yield Bench(jobs, blobs, pool, throughput)


async def test_from_source_to_segments_below_the_leases_prefix(bench: Bench, clips: Callable[..., Path]) -> None:
    plan = await bench.plan(clips("job.mp4", CLIP))
    made: dict[str, dict[int, bytes]] = {}
    inits: dict[str, set[str]] = {}
    for number, chunk in enumerate(plan.chunks):
        run = Run(blob_prefix=f"jobs/l_{number}")
        result = await bench.jobs.encode_chunk(await bench.chunk(plan, chunk.n), run)
        for part in result.parts:
            assert part.init_key == f"jobs/l_{number}/{part.rendition_id}/init.mp4"
            inits.setdefault(part.rendition_id, set()).add(part.init_sha256)
            made.setdefault(part.rendition_id, {})[-1] = await bench.blobs.read(part.init_key)
            for segment in part.segments:
                assert segment.key == f"jobs/l_{number}/{part.rendition_id}/{segment.n}.m4s"
                made[part.rendition_id][segment.n] = await bench.blobs.read(segment.key)
                assert segment.size_bytes == len(made[part.rendition_id][segment.n])
        assert run.told[-1][1] == "encoding"
    assert bench.throughput.media_s_per_s() == pytest.approx(10.4 / 60, abs=0.001)
    assert list(made) == ["v72"]
    assert {rendition_id: len(hashes) for rendition_id, hashes in inits.items()} == {"v72": 1}
    whole = b"".join(made["v72"][n] for n in range(-1, len(plan.video_grid) - 1))
    with av.open(io.BytesIO(whole), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == 260


async def test_a_child_has_threads_for_what_its_plan_encodes_however_many_cores_there_are(
    bench: Bench, clips: Callable[..., Path]
) -> None:
    plan = await bench.plan(clips("job.mp4", CLIP))
    assert [each.id for each in plan.renditions] == ["v72", "a128"]
    tasks: list[ChildTask] = []

    class Pool(ChildPool):
        async def run(self, task: ChildTask, *_: Any, **__: Any) -> dict[str, Any]:
            tasks.append(task)
            return {}

    for cores in (1, 64):
        config, sizing = TranscoderConfig(encoders=cores), Sizing(most=cores, child_bytes=1)
        jobs = MediaJobs(Pool(size=1), bench.blobs, config, sizing, bench.throughput, profiles=Profiles())
        with pytest.raises(MediaOutputInvalid):
            await jobs.encode_chunk(await bench.chunk(plan, 0), Run())
        with pytest.raises(MediaOutputInvalid):
            await jobs.encode_audio(await bench.audio(plan, "a128"), Run())
    assert [task.threads for task in tasks] == [0, 0, 1, 1]


async def test_the_sound_is_one_job(bench: Bench, clips: Callable[..., Path]) -> None:
    (places,) = (kind.places for kind in bench.jobs.kinds() if kind.name == CHUNK_KIND)
    plan = await bench.plan(clips("job.mp4", CLIP))
    assert places is not None
    assert places() == 1
    result = await bench.jobs.encode_audio(await bench.audio(plan, "a128"), Run())
    (part,) = result.parts
    assert [segment.decode_time_ticks for segment in part.segments] == list(plan.audio_grid[:-1])
    assert sum(segment.duration_ticks for segment in part.segments) == plan.audio_grid[-1]
    assert places() == 2  # its child waits for more, and needs no further memory for that


async def test_a_store_without_files_is_read_by_ranges(
    bench: Bench, clips: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_file = await bench.plan(clips("job.mp4", CLIP))
    monkeypatch.setattr(bench.blobs, "local_path", lambda key: None)
    assert await bench.plan(clips("job.mp4", CLIP)) == by_file


async def test_what_is_not_media_ends_the_job_for_good(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\nfile:///etc/passwd\n")
    with pytest.raises(NotMedia) as caught:
        await bench.plan(path)
    assert not caught.value.retryable


async def test_an_empty_file_is_not_media(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(NotMedia):
        await bench.plan(path)


async def test_a_source_that_is_gone_is_named(bench: Bench) -> None:
    wanted = ProbePayload(content_id="c_1", media_version=1, source=MediaSource(key="sources/no", size_bytes=1))
    with pytest.raises(BlobMissing):
        await bench.jobs.probe(wanted, Run())


async def test_what_the_plan_does_not_have_is_refused(bench: Bench, clips: Callable[..., Path]) -> None:
    plan = await bench.plan(clips("job.mp4", CLIP))
    with pytest.raises(NotInPlan):
        await bench.jobs.encode_chunk(await bench.chunk(plan, len(plan.chunks)), Run())
    with pytest.raises(NotInPlan):
        await bench.jobs.encode_audio(await bench.audio(plan, "v72"), Run())
    wanted = ProbePayload(content_id="c_1", media_version=1, source=plan.source, profile="cinema")
    with pytest.raises(UnknownProfile):
        await bench.jobs.probe(wanted, Run())


async def test_kill_9_of_the_child_costs_an_attempt_and_the_next_one_succeeds(
    bench: Bench, clips: Callable[..., Path]
) -> None:
    plan = await bench.plan(clips("job.mp4", CLIP))

    class KillAtFirstReport(Run):
        def report(self, progress: float, stage: str = "") -> None:
            with suppress(ProcessLookupError):
                os.kill(bench.pool.busy_pids[0], signal.SIGKILL)

    with pytest.raises(MediaChildFailed) as caught:
        await bench.jobs.encode_chunk(await bench.chunk(plan, 0), KillAtFirstReport())
    assert caught.value.retryable
    again = await bench.jobs.encode_chunk(await bench.chunk(plan, 0), Run(blob_prefix="jobs/l_2"))
    assert len(again.parts[0].segments) == plan.chunks[0].seg_to


async def test_cancelling_the_job_ends_its_child(bench: Bench, clips: Callable[..., Path]) -> None:
    plan = await bench.plan(clips("job.mp4", CLIP))
    reported = asyncio.Event()

    class Signalling(Run):
        def report(self, progress: float, stage: str = "") -> None:
            reported.set()

    working = asyncio.create_task(bench.jobs.encode_chunk(await bench.chunk(plan, 0), Signalling()))
    await reported.wait()
    (pid,) = bench.pool.busy_pids
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# --- what a child in a stranger's hands could send ----------------------------------------------------


def segment_frame(n: int = 4, start: int = 400, end: int = 500, rendition_id: str = "v72") -> Frame:
    head = {"kind": "segment", "rendition_id": rendition_id, "n": n}
    return Frame(head, write_segment(n, [Sample(start, b"x")], end))


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def collector(bench: Bench, clock: list[float]) -> tuple[Collector, Run]:
    run = Run()
    grid = [number * 100 for number in range(9)]
    return Collector(bench.blobs, run, {"v72": grid, "v90": grid}, 4, 7, monotonic_s=lambda: clock[0]), run


@attack("B42")
@pytest.mark.parametrize(
    "frame",
    [
        segment_frame(rendition_id="../v72"),
        segment_frame(rendition_id="a128"),
        segment_frame(n=5, start=500, end=600),
        segment_frame(n=3, start=300, end=400),
        segment_frame(start=401),
        segment_frame(end=499),
        Frame({"kind": "segment", "rendition_id": "v72", "n": 4}, b"no segment"),
        Frame({"kind": "init", "rendition_id": "v1"}, b""),
        Frame({"kind": "shell"}),
        Frame({}),
    ],
)
async def test_what_the_plan_does_not_know_is_not_believed(collector: tuple[Collector, Run], frame: Frame) -> None:
    with pytest.raises(MediaOutputInvalid):
        await collector[0].take(frame)


async def test_checkpoints_hold_what_all_renditions_have_and_are_a_second_apart(
    collector: tuple[Collector, Run], clock: list[float]
) -> None:
    taking, run = collector
    for rendition_id in ("v72", "v90"):
        await taking.take(Frame({"kind": "init", "rendition_id": rendition_id}, b"init"))
    clock[0] = 2.0
    await taking.take(segment_frame(rendition_id="v72"))
    assert run.kept == []
    await taking.take(segment_frame(rendition_id="v90"))
    assert [round(progress, 2) for _, progress in run.kept] == [0.33]
    clock[0] = 2.5
    for rendition_id in ("v72", "v90"):
        await taking.take(segment_frame(5, 500, 600, rendition_id))
    assert len(run.kept) == 1
    with pytest.raises(MediaOutputInvalid, match="2 of 3 segments"):
        taking.result()
    clock[0] = 3.1
    for rendition_id in ("v72", "v90"):
        await taking.take(segment_frame(6, 600, 700, rendition_id))
    assert len(run.kept) == 2
    assert [[segment.n for segment in part.segments] for part in taking.result().parts] == [[4, 5, 6], [4, 5, 6]]


async def test_a_checkpoint_is_no_step_back_from_what_was_reported(
    collector: tuple[Collector, Run], clock: list[float]
) -> None:
    """An encoder has taken in more frames than it has given out: segments lag behind the share of the source."""
    taking, run = collector
    for rendition_id in ("v72", "v90"):
        await taking.take(Frame({"kind": "init", "rendition_id": rendition_id}, b"init"))
    await taking.take(Frame({"kind": "progress", "share": 0.8}))
    clock[0] = 2.0
    for rendition_id in ("v72", "v90"):
        await taking.take(segment_frame(rendition_id=rendition_id))
    await taking.take(Frame({"kind": "progress", "share": 0.7}))
    assert [progress for _, progress in run.kept] == [0.8]
    assert [progress for progress, _ in run.told] == [0.8, 0.8]


@pytest.mark.parametrize(("profile", "is_bounded"), [("web", True), ("efficient", False)])
async def test_only_a_child_that_makes_av1_may_start_threads(
    profile: str, is_bounded: bool, bench: Bench, clips: Callable[..., Path]
) -> None:
    """SVT-AV1 cannot do without. Root may in any case, so that what was limited is looked at."""
    source = await bench.stored(clips("few.mp4", attrs.evolve(CLIP, frames=12, key_frames=(0,), audio_codec="")))
    wanted = ProbePayload(content_id="c_1", media_version=1, source=source, profile=profile)
    plan, seen = (await bench.jobs.probe(wanted, Run())).plan, list[str]()

    class Looking(Run):
        def report(self, progress: float, stage: str = "") -> None:
            limits = Path(f"/proc/{bench.pool.busy_pids[0]}/limits").read_text().splitlines()
            seen.extend(line.split()[2] for line in limits if line.startswith("Max processes"))

    await bench.jobs.encode_chunk(await bench.chunk(plan, 0), Looking())
    assert seen
    assert (set(seen) == {"0"}) == is_bounded
