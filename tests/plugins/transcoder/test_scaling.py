"""The pool follows the queue, within what cores and memory allow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.jobs import JOBS_AVAILABLE, JobsAvailable, QueueDepth, QueueQuery
from streamgate.errors import Unavailable
from streamgate.events import Events
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.testing.clock import FakeClock, settle
from streamgate.testing.context import bus_unit, running
from streamgate.testing.wait import eventually
from streamgate_transcoder.pool import ChildPool
from streamgate_transcoder.scaler import LOOK_AGAIN_S, Scaler
from streamgate_transcoder.sizing import Sizing, available_memory_bytes
from streamgate_transcoder.throughput import Throughput

GIB = 1 << 30


class Queue:
    """As much of worker as the scaler asks."""

    def __init__(self) -> None:
        self.queued = 0
        self.is_away = False

    async def depth(self, query: QueueQuery) -> QueueDepth:
        if self.is_away:
            raise Unavailable("away")
        return QueueDepth(queued=self.queued, running=0)


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
async def pool(queue: Queue) -> AsyncIterator[tuple[ChildPool, Events]]:
    bus = MemoryBus()
    pool = ChildPool(size=4, warm=1)
    sizing = Sizing(most=3, child_bytes=GIB, available_bytes=lambda: 100 * GIB)
    jobs: Any = queue
    scaler = Scaler(pool, sizing, jobs, ("media.chunk",), bus, SYSTEM_CLOCK)
    async with running(bus_unit(bus), pool, scaler):
        yield pool, Events(bus, source="test")


def until(pool: ChildPool, waiting: int) -> Any:
    async def probe() -> bool | None:
        return True if pool.waiting == waiting else None

    return eventually(probe, what=f"{waiting} children")


async def test_it_grows_when_work_comes_and_shrinks_when_it_has_gone(
    pool: tuple[ChildPool, Events], queue: Queue
) -> None:
    children, events = pool
    await until(children, 1)
    queue.queued = 10
    await events.broadcast(JOBS_AVAILABLE, JobsAvailable(kinds=("media.chunk",)))
    await until(children, 3)
    pids = [child.pid for child in children._spares]
    queue.queued = 0
    await until(children, 1)

    async def two_are_gone() -> bool | None:
        return True if sum(not Path(f"/proc/{pid}").exists() for pid in pids) == 2 else None

    await eventually(two_are_gone, what="the end of two")


async def test_a_worker_that_is_away_changes_nothing(pool: tuple[ChildPool, Events], queue: Queue) -> None:
    children, events = pool
    await until(children, 1)
    queue.queued, queue.is_away = 10, True
    await events.broadcast(JOBS_AVAILABLE, JobsAvailable(kinds=("media.chunk",)))
    await asyncio.sleep(0)
    assert children.waiting == 1
    queue.is_away = False
    await events.broadcast(JOBS_AVAILABLE, JobsAvailable(kinds=("media.chunk",)))
    await until(children, 3)


@pytest.mark.parametrize(
    ("available", "holding", "places"),
    [(10 * GIB, 0, 4), (2 * GIB, 0, 2), (2 * GIB, 1, 3), (0, 3, 3), (0, 0, 1), (None, 0, 4)],
)
def test_places_follow_cores_and_memory(available: int | None, holding: int, places: int) -> None:
    assert Sizing(most=4, child_bytes=GIB, available_bytes=lambda: available).places(holding) == places


@given(
    st.integers(min_value=0, max_value=100),
    st.integers(min_value=0, max_value=8),
    st.integers(min_value=0, max_value=4),
    st.integers(min_value=0, max_value=64),
)
def test_never_more_wait_than_could_work(waiting: int, holding: int, warm: int, gib: int) -> None:
    sizing = Sizing(most=8, child_bytes=GIB, available_bytes=lambda: gib * GIB)
    spares = sizing.spares(waiting=waiting, holding=holding, warm=warm)
    assert warm <= spares <= max(warm, waiting)
    assert spares <= max(warm, sizing.places(holding) - holding)


def test_memory_is_the_machines_or_the_groups(tmp_path: Path) -> None:
    meminfo, group = tmp_path / "meminfo", tmp_path / "group"
    meminfo.write_text("MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n")
    group.mkdir()
    assert available_memory_bytes(meminfo, group) == 8_000_000 * 1024
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("5\n")
    assert available_memory_bytes(meminfo, group) == 8_000_000 * 1024
    (group / "memory.max").write_text("1000\n")
    assert available_memory_bytes(meminfo, group) == 995
    assert available_memory_bytes(tmp_path / "none", tmp_path / "none") is None
    if Path("/proc/meminfo").exists():
        assert (available_memory_bytes() or 0) > 0


async def test_throughput_is_of_the_last_minute() -> None:
    clock = FakeClock()
    made = Throughput(clock)
    made.note("media.chunk", 30.0)
    await clock.advance(30)
    made.note("media.chunk", 60.0)
    assert made.media_s_per_s() == 1.5
    await clock.advance(31)
    assert made.media_s_per_s() == 1.0
    await clock.advance(60)
    assert made.media_s_per_s() == 0.0


async def test_however_many_jobs_come_the_queue_is_counted_a_few_times_a_second() -> None:
    asked: list[QueueQuery] = []

    class Counted(Queue):
        async def depth(self, query: QueueQuery) -> QueueDepth:
            asked.append(query)
            return await super().depth(query)

    bus, pool, clock = MemoryBus(), ChildPool(size=4, warm=0), FakeClock()
    jobs: Any = Counted()
    scaler = Scaler(pool, Sizing(most=3, child_bytes=GIB), jobs, ("media.chunk",), bus, clock)
    async with running(bus_unit(bus), pool, scaler):
        events = Events(bus, source="test")
        for _ in range(50):
            await events.broadcast(JOBS_AVAILABLE, JobsAvailable(kinds=("media.chunk",)))
            await settle()
        assert len(asked) == 1
        await clock.advance(LOOK_AGAIN_S)
        await settle()
        assert len(asked) == 2
