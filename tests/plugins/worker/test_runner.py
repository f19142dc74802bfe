"""The runner of the SDK against the real queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.context import current_call
from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.jobs import (
    HEARTBEAT_S,
    JOBS,
    LEASE_S,
    Cancel,
    Complete,
    Enqueue,
    Heartbeat,
    HeartbeatAnswer,
    JobQuery,
    LeaseLost,
    NewJob,
)
from streamgate.errors import Conflict, Unavailable
from streamgate.events import Events
from streamgate.hooks import Hooks, hookimpl
from streamgate.plugins import discover_specs
from streamgate.sdk.clock import Clock
from streamgate.sdk.jobs import Runner
from streamgate.services import Offer, Services
from streamgate.testing.clock import FakeClock, settle
from streamgate.testing.context import plugin_context, running
from streamgate.testing.wait import eventually
from streamgate_worker.config import WorkerConfig
from tests.plugins.worker.world import World, running_worker


@attrs.frozen(kw_only=True)
class Payload:
    n: int
    name: str = ""


@attrs.frozen(kw_only=True)
class Result:
    said: str


Handler = Callable[[Payload, JobRun], Awaitable[Any]]


class Offering:
    """A plugin that offers kinds."""

    def __init__(self, kinds: Sequence[JobKind]) -> None:
        self._kinds = kinds

    @hookimpl
    def collect_job_kinds(self) -> Sequence[JobKind]:
        return self._kinds


def kind(handler: Handler, *, name: str = "test.work", concurrency: int = 1) -> JobKind:
    return JobKind(
        name=name, summary="Works.", payload=Payload, result=Result, handler=handler, concurrency=concurrency
    )


@pytest.fixture
async def world(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[World]:
    """The queue on SQLite: its rules are the same on both databases, and shown in test_queue."""
    path = tmp_path / "streamgate.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    config = WorkerConfig(retry_base_s=0.0)
    async with running_worker(f"sqlite:///{path}", tmp_path, FakeClock(), config) as running_world:
        yield running_world


def make_runner(
    world: World,
    tmp_path: Path,
    *kinds: JobKind,
    clock: Clock | None = None,
    services: Services | None = None,
    drain_s: float = 8.0,
) -> Runner:
    hooks = Hooks()
    hooks.add_specs(discover_specs())
    hooks.register("media", Offering(kinds), required=True)
    ctx = plugin_context("media", data_dir=tmp_path, bus=world.bus, services=services or world.services, hooks=hooks)
    return Runner(ctx, clock=clock or world.clock, drain_s=drain_s)


async def until_registered(world: World, name: str = "test.work") -> None:
    await eventually(lambda: world.service.find_kind(name), every_s=0.005)


async def add(world: World, key: str = "k", **values: Any) -> str:
    await until_registered(world, values.get("kind", "test.work"))
    return await world.add(key, **{"kind": "test.work", "job_id": key, **values})


async def until_status(world: World, job_id: str, *wanted: str) -> str:
    async def probe() -> str | None:
        status = (await world.service.get(JobQuery(job_id=job_id))).status
        return status if status in wanted else None

    return await eventually(probe, every_s=0.005, what=f"{job_id} to be {wanted}")


async def under_way(said: asyncio.Event) -> None:
    """The handler has got there, and its heartbeat sleeps."""
    await said.wait()
    await settle()


async def test_job_is_run_where_its_kind_is_offered(world: World, tmp_path: Path) -> None:
    seen: list[tuple[Payload, JobRun, str]] = []

    async def handler(payload: Payload, run: JobRun) -> Result:
        seen.append((payload, run, current_call().actor.kind))
        return Result(said=f"did {payload.n}")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world, payload={"n": 3}, owner="u_1", subject_id="c_1")
        (event,) = await world.until_finished(1)
    assert (event.status, event.result) == ("done", {"said": "did 3"})
    ((payload, run, actor),) = seen
    assert (payload, actor) == (Payload(n=3), "service")
    assert (run.job_id, run.attempt, run.owner, run.subject_id) == ("k", 1, "u_1", "c_1")
    assert run.blob_prefix.startswith("jobs/c_1/k/")


async def test_kind_and_its_schema_are_registered(world: World, tmp_path: Path) -> None:
    async def handler(payload: Payload, run: JobRun) -> Result:
        raise AssertionError("not asked")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await until_registered(world)
        found = await world.service.find_kind("test.work")
    assert found is not None
    assert found.payload_schema["components"]["schemas"]["Payload"]["required"] == ["n"]
    assert not found.user_may_submit


async def test_at_most_its_concurrency_at_once(world: World, tmp_path: Path) -> None:
    gate = asyncio.Event()
    now = most = 0

    async def handler(payload: Payload, run: JobRun) -> Result:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        return Result(said="")

    async with running(make_runner(world, tmp_path, kind(handler, concurrency=3))) as _:
        await until_registered(world)
        await world.service.enqueue(
            Enqueue(jobs=tuple(NewJob(kind="test.work", payload={"n": n}, idempotency_key=str(n)) for n in range(8)))
        )

        async def three_run() -> bool | None:
            return True if now == 3 else None

        await eventually(three_run, every_s=0.005)
        gate.set()
        await world.until_finished(8)
    assert most == 3


async def test_busy_kind_does_not_hold_up_another(world: World, tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slow(payload: Payload, run: JobRun) -> Result:
        await gate.wait()
        return Result(said="slow")

    async def quick(payload: Payload, run: JobRun) -> Result:
        return Result(said="quick")

    async with running(make_runner(world, tmp_path, kind(slow), kind(quick, name="test.quick"))):
        for key in ("s1", "s2"):
            await add(world, key)
        await add(world, "q", kind="test.quick")
        (event,) = await world.until_finished(1)
        assert event.job_id == "q"
        gate.set()
        await world.until_finished(3)


async def test_fault_with_a_code_is_the_jobs_answer(world: World, tmp_path: Path) -> None:
    class NoVideo(Conflict):
        code = "test.no_video"

    async def handler(payload: Payload, run: JobRun) -> Result:
        raise NoVideo("there is no picture in it")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world)
        (event,) = await world.until_finished(1)
    assert (event.status, event.error_code, event.error_detail) == (
        "failed",
        "test.no_video",
        "there is no picture in it",
    )


async def test_crash_of_a_handler_is_tried_again_and_says_nothing_internal(world: World, tmp_path: Path) -> None:
    attempts: list[int] = []

    async def handler(payload: Payload, run: JobRun) -> Result:
        attempts.append(run.attempt)
        raise RuntimeError("password=hunter2")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world, max_attempts=3)
        await world.clock.advance(10)
        (event,) = await world.until_finished(1)
    assert attempts == [1, 2, 3]
    assert (event.status, event.error_code) == ("dead", "internal")
    assert "hunter2" not in event.error_detail


async def test_result_that_is_too_large_to_tell_ends_the_job(world: World, tmp_path: Path) -> None:
    async def handler(payload: Payload, run: JobRun) -> Result:
        return Result(said="x" * 1_000_001)

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world)
        (event,) = await world.until_finished(1)
    assert (event.status, event.error_code) == ("failed", "bus.payload_too_large")


async def test_payload_that_does_not_fit_ends_the_job(world: World, tmp_path: Path) -> None:
    async def handler(payload: Payload, run: JobRun) -> Result:
        raise AssertionError("not asked")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world, payload={"n": "many"})
        (event,) = await world.until_finished(1)
    assert (event.status, event.error_code) == ("failed", "jobs.payload_invalid")


async def test_progress_goes_with_the_heartbeat_and_checkpoints_at_once(world: World, tmp_path: Path) -> None:
    reported, gate = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        await run.checkpoint(Result(said="half"), 0.5)
        run.report(0.7, "encoding")
        reported.set()
        await gate.wait()
        return Result(said="all")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world)
        await under_way(reported)
        (kept,) = await world.until_checkpoints(1)
        assert kept.result == {"said": "half"}
        await world.clock.advance(HEARTBEAT_S)

        async def probe() -> bool | None:
            found = await world.service.get(JobQuery(job_id="k"))
            return True if (found.progress, found.stage) == (0.7, "encoding") else None

        await eventually(probe, every_s=0.005)
        gate.set()
        await world.until_finished(1)


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


async def test_stop_lets_short_work_end(world: World, tmp_path: Path) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        await gate.wait()
        return Result(said="just in time")

    async with running(make_runner(world, tmp_path, kind(handler))):
        await add(world)
        await under_way(started)
        asyncio.get_running_loop().call_later(0.05, gate.set)
    (event,) = await world.until_finished(1)
    assert (event.status, event.result) == ("done", {"said": "just in time"})


async def test_stop_gives_back_what_takes_too_long(world: World, tmp_path: Path) -> None:
    started = asyncio.Event()

    async def handler(payload: Payload, run: JobRun) -> Result:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with running(make_runner(world, tmp_path, kind(handler), drain_s=0.01)):
        await add(world, max_attempts=1)
        await under_way(started)
    found = await world.service.get(JobQuery(job_id="k"))
    assert (found.status, found.attempts) == ("queued", 0)
    assert (await world.must_lease("test.work")).attempt == 1


async def test_kind_offered_twice_is_a_start_fault(world: World, tmp_path: Path) -> None:
    async def handler(payload: Payload, run: JobRun) -> Result:
        raise AssertionError("not asked")

    runner = make_runner(world, tmp_path, kind(handler), kind(handler))
    with pytest.raises(ValueError, match=r"test\.work"):
        await runner.start()


async def test_plugin_without_kinds_asks_nothing(world: World, tmp_path: Path) -> None:
    async with running(make_runner(world, tmp_path)):
        assert world.clock.sleepers == 0
