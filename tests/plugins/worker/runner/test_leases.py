"""A runner whose lease is long, lost or cancelled, and one that cannot reach the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.jobs import (
    HEARTBEAT_S,
    JOBS,
    LEASE_S,
    Cancel,
    Complete,
    Heartbeat,
    HeartbeatAnswer,
    JobQuery,
    LeaseLost,
)
from streamgate.errors import Unavailable
from streamgate.events import Events
from streamgate.services import Offer, Services
from streamgate.testing.attacks import attack
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import running
from streamgate.testing.wait import eventually
from streamgate_worker.config import WorkerConfig
from tests.plugins.worker.runner.running import Payload, Result, add, kind, make_runner, under_way
from tests.plugins.worker.world import World, running_worker


@pytest.mark.parametrize("lease_s", [2.0, LEASE_S, 120.0])
async def test_long_job_keeps_its_lease(migrated_sqlite: Path, tmp_path: Path, lease_s: float) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        await gate.wait()
        return Result(said="")

    path = tmp_path / "streamgate.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    async with (
        running_worker(f"sqlite:///{path}", tmp_path, FakeClock(), WorkerConfig(lease_s=lease_s)) as world,
        running(make_runner(world, tmp_path, kind(handler))),
    ):
        await add(world)
        await under_way(started)
        for _ in range(12):
            before = await _lease_until(world)
            await world.clock.advance(min(HEARTBEAT_S, lease_s / 3))

            async def beaten(before: int = before) -> bool | None:
                return True if await _lease_until(world) > before else None

            await eventually(beaten, every_s=0.005)
            await world.service.sweep(10)
        gate.set()
        (event,) = await world.until_finished(1)
        assert event.status == "done"
        assert (await world.service.get(JobQuery(job_id="k"))).attempts == 1


async def _lease_until(world: World) -> int:
    from streamgate_worker import repository

    row = await world.db.read(lambda session: repository.find(session, "k"))
    assert row is not None
    until_ms: int = row.lease_until_ms
    return until_ms


async def test_cancelling_stops_the_work_at_once(world: World, tmp_path: Path) -> None:
    """By broadcast: the clock does not move, so no heartbeat comes."""
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError("unreachable")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world)
        await under_way(started)
        await world.service.cancel(Cancel(job_id="k"))
        await stopped.wait()
        (event,) = await world.until_finished(1)
    assert event.status == "cancelled"


class Deaf:
    """Worker as a runner sees it whose broadcasts do not arrive, or that cannot be reached for a while."""

    def __init__(self, world: World) -> None:
        self._service = world.service
        self.is_away = False
        self.completed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)

        async def call(*request: Any) -> Any:
            if self.is_away:
                raise Unavailable("nobody serves it")
            return await method(*request)

        return call

    async def complete(self, done: Complete) -> None:
        if self.is_away:
            raise Unavailable("nobody serves it")
        try:
            await self._service.complete(done)
        except LeaseLost:
            self.completed.append("lost")
            raise
        self.completed.append("done")

    async def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        if self.is_away:
            raise Unavailable("nobody serves it")
        return await self._service.heartbeat(beat)


@asynccontextmanager
async def deaf_runner(world: World, tmp_path: Path, *kinds: JobKind) -> AsyncIterator[Deaf]:
    deaf = Deaf(world)
    bus = MemoryBus()
    await bus.start()
    services = Services(bus, source="media@test")
    services.offer(Offer(JOBS, deaf))
    services.settle()
    apart = attrs.evolve(world, bus=bus, services=services, events=Events(bus, source="media@test"))
    async with running(make_runner(apart, tmp_path, *kinds)):
        yield deaf
    await bus.stop()


async def test_cancelling_is_learnt_by_heartbeat_where_broadcasts_are_lost(world: World, tmp_path: Path) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError("unreachable")

    async with deaf_runner(world, tmp_path, kind(handler)):
        await add(world)
        await world.clock.advance(2)  # found by polling
        await under_way(started)
        await world.service.cancel(Cancel(job_id="k"))
        assert not stopped.is_set()
        await world.clock.advance(HEARTBEAT_S)
        await stopped.wait()


@attack("B42")
async def test_frozen_process_wakes_up_to_a_lost_lease(world: World, tmp_path: Path) -> None:
    """SIGSTOP for longer than the lease, another runner finishes, SIGCONT: the work is cancelled, nothing counts."""
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError("unreachable")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world)
        await under_way(started)
        world.clock.jump(LEASE_S + 1)
        other = await world.must_lease("test.work", runner="other")
        await world.service.complete(Complete(lease_id=other.lease_id, job_id="k", result={"by": "other"}))
        await world.clock.advance(0)
        await stopped.wait()
        (event,) = await world.until_finished(1)
    assert event.result == {"by": "other"}


async def test_work_stops_when_worker_was_silent_for_as_long_as_the_lease(world: World, tmp_path: Path) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError("unreachable")

    async with deaf_runner(world, tmp_path, kind(handler)) as deaf:
        await add(world)
        await world.clock.advance(2)
        await under_way(started)
        deaf.is_away = True
        await world.clock.advance(LEASE_S - HEARTBEAT_S)
        assert not stopped.is_set()
        await world.clock.advance(HEARTBEAT_S)
        await stopped.wait()


async def test_outcome_is_said_again_until_worker_is_back(world: World, tmp_path: Path) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        await gate.wait()
        return Result(said="kept")

    async with deaf_runner(world, tmp_path, kind(handler)) as deaf:
        await add(world)
        await world.clock.advance(2)
        await under_way(started)
        deaf.is_away = True
        gate.set()
        await world.clock.advance(5)
        deaf.is_away = False
        await world.clock.advance(2)
        (event,) = await world.until_finished(1)
    assert (event.status, event.result) == ("done", {"said": "kept"})
    assert deaf.completed == ["done"]
