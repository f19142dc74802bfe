"""Children: what they may not do, how they end, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.contracts.media import (
    CHUNK_KIND,
    PROBE_KIND,
    MediaChildFailed,
    MediaPlan,
    MediaSource,
    MediaTooLarge,
    NotMedia,
    ProbePayload,
    ProbeResult,
)
from streamgate.testing.clips import ClipSpec, big_buck_bunny
from streamgate.wire import from_plain, to_plain
from streamgate_transcoder.child_process import ChildProcess
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.ladder import choose_ladder
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.profiles import EFFICIENT, WEB
from streamgate_transcoder.media.task import ChildTask, ChunkTask, ProbeTask, SandboxLimits
from streamgate_transcoder.pool import ChildPool
from tests.plugins.transcoder.test_ladder import track

PLAIN = ClipSpec(frames=260, key_frames=(0, 60, 110, 200), audio_codec="aac", audio_s=10.4)


@attrs.define
class FileSource:
    """A source as the pool wants it: by descriptor, or (`by_reads`) by ranges alone."""

    path: Path
    by_reads: bool = False
    size_bytes: int = 0
    descriptor: int | None = None
    reads: int = 0

    def __attrs_post_init__(self) -> None:
        self.size_bytes = self.path.stat().st_size
        self.descriptor = None if self.by_reads else os.open(self.path, os.O_RDONLY)

    async def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


@attrs.define
class SilentSource(FileSource):
    """Is asked, and never answers."""

    asked: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def read_at(self, offset: int, length: int) -> bytes:
        self.asked.set()
        silence: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        return await silence


@pytest.fixture
async def pool() -> AsyncIterator[ChildPool]:
    pool = ChildPool(size=2)
    await pool.start()
    yield pool
    await pool.stop()


@pytest.fixture
def source_of() -> Any:
    made: list[FileSource] = []

    def source(path: Path, *, by_reads: bool = False) -> FileSource:
        made.append(FileSource(path, by_reads))
        return made[-1]

    yield source
    for item in made:
        item.close()


def probe_task(source: FileSource, **limits: Any) -> ChildTask:
    wanted = ProbePayload(
        content_id="c_1", media_version=1, source=MediaSource(key="sources/x", size_bytes=source.size_bytes)
    )
    return task_of(PROBE_KIND, ProbeTask(wanted=wanted, profile=WEB), source, **limits)


def task_of(kind: str, payload: Any, source: FileSource, **limits: Any) -> ChildTask:
    return ChildTask(
        task=kind,
        payload=to_plain(payload),
        source_by="reads" if source.descriptor is None else "descriptor",
        source_size_bytes=source.size_bytes,
        limits=MediaLimits(),
        sandbox=SandboxLimits(niceness=0, **limits),
    )


async def ignore(frame: Frame) -> None:
    del frame


@pytest.mark.parametrize("by_reads", [False, True])
async def test_a_child_probes_by_descriptor_and_by_ranged_reads(
    by_reads: bool, pool: ChildPool, source_of: Any, clips: Callable[..., Path], plan_of: Callable[..., MediaPlan]
) -> None:
    path = clips("plain.mp4", PLAIN)
    source = source_of(path, by_reads=by_reads)
    result = await pool.run(probe_task(source), source, ignore, 30)
    plan = from_plain(ProbeResult, result).plan
    assert plan_of(path).video_grid == plan.video_grid
    assert by_reads == (source.reads > 0)


async def test_a_chunk_made_in_a_child_equals_one_made_here(
    pool: ChildPool, source_of: Any, clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    path = clips("plain.mp4", PLAIN)
    here = make_media(path)
    source = source_of(path)
    frames: list[Frame] = []

    async def keep(frame: Frame) -> None:
        frames.append(frame)

    payload = ChunkTask(plan=here.plan, chunk_n=0)
    await pool.run(task_of(CHUNK_KIND, payload, source), source, keep, 30)
    inits = {frame.head["rendition_id"]: frame.data for frame in frames if frame.kind == "init"}
    assert {rendition_id: here.inits[rendition_id] for rendition_id in here.video_ids} == inits
    for frame in frames:
        if frame.kind == "segment":
            assert here.segments[frame.head["rendition_id"]][frame.head["n"]].data == frame.data


async def test_what_the_child_finds_wrong_arrives_as_its_own_error(
    pool: ChildPool, source_of: Any, tmp_path: Path
) -> None:
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n")
    source = source_of(path)
    with pytest.raises(NotMedia):
        await pool.run(probe_task(source), source, ignore, 30)


async def test_a_killed_child_is_a_fault_worth_a_retry(
    pool: ChildPool, source_of: Any, clips: Callable[..., Path], plan_of: Callable[..., MediaPlan]
) -> None:
    path = clips("plain.mp4", PLAIN)
    source = source_of(path)

    async def kill_at_first_segment(frame: Frame) -> None:
        if frame.kind == "segment":
            os.kill(pool.busy_pids[0], signal.SIGKILL)

    payload = ChunkTask(plan=plan_of(path), chunk_n=0)
    with pytest.raises(MediaChildFailed, match="SIGKILL") as caught:
        await pool.run(task_of(CHUNK_KIND, payload, source), source, kill_at_first_segment, 30)
    assert caught.value.retryable
    again = source_of(path)
    assert await pool.run(probe_task(again), again, ignore, 30)


async def test_cancelling_kills_the_child(pool: ChildPool, clips: Callable[..., Path]) -> None:
    source = SilentSource(clips("plain.mp4", PLAIN), by_reads=True)
    running = asyncio.create_task(pool.run(probe_task(source), source, ignore, 30))
    await source.asked.wait()
    (pid,) = pool.busy_pids
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert pool.busy_pids == ()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_wall_clock_ends_a_child(pool: ChildPool, clips: Callable[..., Path]) -> None:
    source = SilentSource(clips("plain.mp4", PLAIN), by_reads=True)
    with pytest.raises(MediaChildFailed, match=r"longer than 0\.2 s"):
        await pool.run(probe_task(source), source, ignore, 0.2)


async def test_memory_is_bounded(pool: ChildPool, source_of: Any) -> None:
    source = source_of(big_buck_bunny())
    # Less than the interpreter has mapped already: there is no room for a decoded frame.
    with pytest.raises(MediaTooLarge, match="64 MiB"):
        await pool.run(probe_task(source, memory_bytes=64 << 20), source, ignore, 30)


async def test_processor_time_is_bounded_and_more_of_it_is_not_tried(
    pool: ChildPool, source_of: Any, plan_of: Callable[..., MediaPlan]
) -> None:
    source = source_of(big_buck_bunny())
    payload = ChunkTask(plan=plan_of(big_buck_bunny(), WEB), chunk_n=0)
    with pytest.raises(MediaTooLarge, match="1 s of processor time") as caught:
        await pool.run(task_of(CHUNK_KIND, payload, source, cpu_s=1), source, ignore, 30)
    assert not caught.value.retryable


async def test_stopping_leaves_no_process() -> None:
    pool = ChildPool(size=1, warm=2)
    await pool.start()
    pids = [child.pid for child in pool._spares]
    await pool.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_spare_that_died_is_replaced(pool: ChildPool, source_of: Any, clips: Callable[..., Path]) -> None:
    os.kill(pool._spares[0].pid, signal.SIGKILL)
    await pool._spares[0]._process.wait()
    source = source_of(clips("plain.mp4", PLAIN))
    assert await pool.run(probe_task(source), source, ignore, 30)


async def test_without_another_process_a_task_runs_in_a_waiting_child_or_is_tried_again(
    pool: ChildPool, source_of: Any, clips: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_process() -> Any:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    source = source_of(clips("plain.mp4", PLAIN))
    with monkeypatch.context() as patched:
        patched.setattr(ChildProcess, "spawn", no_process)
        assert await pool.run(probe_task(source), source, ignore, 30)
        with pytest.raises(MediaChildFailed, match=r"no process can be started for media\.probe") as caught:
            await pool.run(probe_task(source), source, ignore, 30)
        assert caught.value.retryable
    assert await pool.run(probe_task(source), source, ignore, 30)


WITHOUT_THREADS = """
import json, os, resource, socket, sys
from streamgate.contracts.media import MediaChildFailed, PlannedRendition
from streamgate.wire import from_plain
from streamgate_transcoder.media.channel import ChildLine, encode_frame
from streamgate_transcoder.media.child import serve
from streamgate_transcoder.media.coders import open_encoder
rendition, task = json.loads(sys.argv[1])
if os.getuid() == 0:
    os.setresuid(65534, 65534, 65534)  # the limit is for others
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    open_encoder(from_plain(PlannedRendition, rendition), 25)
except MediaChildFailed as fault:
    print(fault.detail)
ours, theirs = socket.socketpair()
ours.sendall(encode_frame({"kind": "task", "task": task}))
serve(ChildLine(theirs))
"""


def test_a_system_without_threads_is_no_fault_of_the_file(source_of: Any, clips: Callable[..., Path]) -> None:
    """An encoder that needs some says so; a child that needs some ends, which is the same to the pool."""
    av1 = next(each for each in choose_ladder(track(), EFFICIENT) if each.id == "v240-av1")
    source = source_of(clips("plain.mp4", PLAIN), by_reads=True)
    asked = json.dumps([to_plain(av1), to_plain(attrs.evolve(probe_task(source), threads=1))])
    done = subprocess.run([sys.executable, "-c", WITHOUT_THREADS, asked], capture_output=True, check=False, timeout=30)
    assert done.stdout.decode() == "v240-av1: its encoder got no thread, or too little memory\n"
    assert (done.returncode, done.stderr.decode().splitlines()[-1]) == (1, "RuntimeError: can't start new thread")
