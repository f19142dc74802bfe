"""What keeps encoding quick: nothing is decoded twice, children go on with their source, the last chunk takes all
cores."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import pytest
from prometheus_client import REGISTRY

from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND, MediaPlan
from streamgate.testing.clips import ClipSpec
from streamgate.wire import to_plain
from streamgate_transcoder import pool as pools
from streamgate_transcoder.media.boxes import find
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.frame_feed import decoded_frames
from streamgate_transcoder.media.lanes import Here, Lane, shared_out
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.profiles import WEB
from streamgate_transcoder.media.task import AudioTask, ChildTask, ChunkTask, SandboxLimits
from streamgate_transcoder.media.video import encode_chunk
from streamgate_transcoder.media_jobs import lanes_of
from streamgate_transcoder.pool import ChildPool

CLIP = ClipSpec(
    width_px=64, height_px=36, frames=450, key_frames=tuple(range(0, 450, 50)), audio_codec="aac", audio_s=18.0
)
NICENESS = 3


@attrs.frozen
class Opened:
    size_bytes: int
    descriptor: int

    async def read_at(self, offset: int, length: int) -> bytes:
        raise AssertionError(f"it has a descriptor, and asks for {length} bytes at {offset}")


@pytest.fixture
def opened(clips: Callable[..., Path]) -> Any:
    path = clips("tiny.mp4", CLIP)
    descriptor = os.open(path, os.O_RDONLY)
    yield Opened(path.stat().st_size, descriptor)
    os.close(descriptor)


@pytest.fixture
async def pool() -> AsyncIterator[ChildPool]:
    pool = ChildPool(size=2, warm=0)
    await pool.start()
    yield pool
    await pool.stop()


def task_of(kind: str, payload: Any, source: Opened, *, threads: int = 2, **limits: Any) -> ChildTask:
    return ChildTask(
        task=kind,
        payload=to_plain(payload),
        source_by="descriptor",
        source_size_bytes=source.size_bytes,
        limits=MediaLimits(),
        sandbox=SandboxLimits(niceness=NICENESS, **limits),
        threads=threads,
    )


@pytest.mark.parametrize("container", ["mp4", "mpegts", "matroska"])
def test_a_chunk_is_decoded_from_its_own_key_frame(
    container: str, clips: Callable[..., Path], plan_of: Callable[..., MediaPlan], open_bytes: Callable[..., Any]
) -> None:
    path = clips(f"tiny.{container}", attrs.evolve(CLIP, container=container, b_frames=2))
    plan = plan_of(path)
    assert len(plan.chunks) > 1
    for chunk in plan.chunks:
        start = plan.video_grid[chunk.seg_from]
        frames = decoded_frames(open_bytes(path), plan, chunk.decode_from_ticks, start, MediaLimits())
        ticks, _ = next(frames)
        assert ticks == chunk.decode_from_ticks == start


def test_a_source_that_nothing_can_be_decoded_of_is_read_once(
    tmp_path: Path, clips: Callable[..., Path], plan_of: Callable[..., MediaPlan], open_bytes: Callable[..., Any]
) -> None:
    whole = clips("tiny.mp4", CLIP)
    data, damaged = bytearray(whole.read_bytes()), tmp_path / "damaged.mp4"
    box = find(bytes(data), b"mdat")
    assert box is not None
    data[box.start : box.end] = bytes(box.end - box.start)
    damaged.write_bytes(data)
    source, starts = open_bytes(damaged), list[int]()

    class Read:
        size_bytes = source.size_bytes

        def read_at(self, offset: int, length: int) -> bytes:
            starts.append(offset)
            return bytes(source.read_at(offset, length))

    assert list(decoded_frames(Read(), plan_of(whole), 0, 0, MediaLimits())) == []
    assert starts.count(0) == 2  # what it is, and all that it has


# Of a rung's own size, so that the source's frames themselves wait for encoders; of the other some are shown again.
OF_LANES = {
    "moving": ClipSpec(width_px=160, height_px=90, frames=110, key_frames=(0, 50)),
    "still": ClipSpec(
        width_px=160, height_px=90, pts=(0, 25, 1025, 1050, 3000), time_base=Fraction(1, 25), key_frames=(0,)
    ),
}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", OF_LANES)
def test_lanes_make_the_same_bytes(
    name: str, count: int, clips: Callable[..., Path], make_media: Callable[..., Any], open_bytes: Callable[..., Any]
) -> None:
    path = clips(f"{name}.mp4", OF_LANES[name])
    here = make_media(path)
    assert here.video_ids == ["v90", "v72"]
    beside = attrs.evolve(here, inits={}, segments={}, shares=[])
    for chunk in here.plan.chunks:
        encode_chunk(open_bytes(path), here.plan, chunk.n, MediaLimits(), beside, [Lane() for _ in range(count)])
    assert (beside.inits, beside.segments) == (here.inits, here.segments)


def test_what_fails_in_a_lane_reaches_whoever_gives_the_work() -> None:
    lane, done = Lane(), list[int]()

    def fail() -> None:
        raise MemoryError("no room")

    lane.give(lambda: done.append(threading.get_ident()))
    lane.give(fail)
    with pytest.raises(MemoryError, match="no room"):
        lane.finish()
    with pytest.raises(MemoryError, match="no room"):
        lane.give(lambda: done.append(0))
    assert len(done) == 1
    assert done[0] != threading.get_ident()


def test_the_heaviest_rung_is_encoded_apart_from_the_decoder() -> None:
    lane, other = Lane(), Lane()
    v720, v480, v360, v240 = 921_600, 409_920, 230_400, 102_240
    assert [place is lane for place in shared_out([v720, v480, v360, v240], [lane])] == [True, False, False, True]
    assert shared_out([v480], [lane]) == [lane]
    assert len(set(shared_out([v720, v720, v480, v360], [lane, other]))) == 3
    assert all(isinstance(place, Here) for place in shared_out([v720, v480], []))


def test_only_chunks_that_leave_cores_idle_are_encoded_by_threads() -> None:
    assert [lanes_of(n, 4, 5, 2) for n in range(4)] == [0, 0, 0, 1]
    assert [lanes_of(n, 4, 2, 4) for n in range(4)] == [0, 2, 2, 2]
    assert [lanes_of(0, 1, 5, cores) for cores in (1, 2, 16)] == [0, 1, 5]


async def test_a_child_goes_on_with_its_source_and_with_no_other(
    pool: ChildPool, opened: Opened, clips: Callable[..., Path], plan_of: Callable[..., MediaPlan]
) -> None:
    plan = plan_of(clips("tiny.mp4", CLIP))
    pids: list[int] = []
    counts: list[int] = []

    async def note(frame: Frame) -> None:
        if frame.kind == "init":
            pids.append(pool.busy_pids[0])
            assert (pool.holding, _told("busy"), _told("waiting")) == (1, 1.0, 0.0)
        counts.append(frame.kind == "segment")

    sound = task_of(AUDIO_KIND, AudioTask(plan=plan, rendition_id="a128"), opened)
    chunks = [task_of(CHUNK_KIND, ChunkTask(plan=plan, chunk_n=each.n, lanes=2), opened) for each in plan.chunks]
    for task in (sound, *chunks):
        await pool.run(task, opened, note, 30, "sources/a")
    assert len(set(pids)) == 1
    assert sum(counts) == len(plan.video_grid) - 1 + len(plan.audio_grid) - 1
    others = (
        (chunks[0], "sources/b"),
        (task_of(CHUNK_KIND, ChunkTask(plan=plan, chunk_n=0), opened, cpu_s=100), "sources/a"),
        (chunks[0], "sources/c"),
    )
    for task, source in others:
        await pool.run(task, opened, note, 30, source)
        assert pids.count(pids[-1]) == 1
        assert (pool.busy, pool.holding) == (0, 1)  # the one before has given its memory back for this one
    assert pool.waiting == 0


async def test_a_child_that_goes_on_takes_no_more_memory_than_for_one_task(
    pool: ChildPool, clips: Callable[..., Path], plan_of: Callable[..., MediaPlan]
) -> None:
    path = clips("larger.mp4", ClipSpec(width_px=640, height_px=360, frames=50, key_frames=(0,)))
    descriptor, taken_kb = os.open(path, os.O_RDONLY), list[int]()
    source = Opened(path.stat().st_size, descriptor)

    async def look(frame: Frame) -> None:
        if (frame.kind, frame.head.get("rendition_id")) == ("segment", "v360"):
            status = Path(f"/proc/{pool.busy_pids[0]}/status").read_text()
            taken_kb.append(int(status.split("VmRSS:")[1].split()[0]))

    task = task_of(CHUNK_KIND, ChunkTask(plan=plan_of(path, WEB), chunk_n=0), source)
    for _ in range(4):
        await pool.run(task, source, look, 30, "sources/a")
    os.close(descriptor)
    assert len(taken_kb) == 4
    assert taken_kb[-1] - taken_kb[1] < 10_000, taken_kb


async def test_a_child_that_nothing_comes_for_ends_by_itself(
    pool: ChildPool,
    opened: Opened,
    clips: Callable[..., Path],
    plan_of: Callable[..., MediaPlan],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "LINGERS_S", 0.01)
    plan, pids = plan_of(clips("tiny.mp4", CLIP)), list[int]()

    async def note(_: Frame) -> None:
        pids.append(pool.busy_pids[0])

    await pool.run(task_of(CHUNK_KIND, ChunkTask(plan=plan, chunk_n=0), opened), opened, note, 30, "sources/a")
    await asyncio.gather(*pool._chores)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_all_threads_of_a_child_are_locked_in_and_stand_back(
    pool: ChildPool, opened: Opened, clips: Callable[..., Path], plan_of: Callable[..., MediaPlan]
) -> None:
    plan, seen = plan_of(clips("tiny.mp4", CLIP)), list[tuple[str, int]]()

    async def look(frame: Frame) -> None:
        if frame.kind == "init":
            tasks = list(Path(f"/proc/{pool.busy_pids[0]}/task").iterdir())
            status = [(each / "status").read_text().split("Seccomp:\t")[1][0] for each in tasks]
            assert _address_space_mib(pool.busy_pids[0]) < 450  # threads have no 64 MiB each
            niceness = [int((each / "stat").read_text().rsplit(")", 1)[1].split()[16]) for each in tasks]
            seen.extend(zip(status, niceness, strict=True))

    task = task_of(CHUNK_KIND, ChunkTask(plan=plan, chunk_n=0, lanes=2), opened, threads=8)
    await pool.run(task, opened, look, 30)
    assert len(seen) == 9
    assert set(seen) == {("2", os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)}


def _told(state: str) -> float | None:
    return REGISTRY.get_sample_value("streamgate_transcoder_children", {"state": state})


def _address_space_mib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmSize:")[1].split()[0]) >> 10
