"""The runner of the SDK against the real queue: what is run, how much at once, and how it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streamgate.context import current_call
from streamgate.contracts.hooks import JobRun
from streamgate.contracts.jobs import (
    HEARTBEAT_S,
    Enqueue,
    JobQuery,
    NewJob,
)
from streamgate.errors import Conflict
from streamgate.testing.context import running
from streamgate.testing.wait import eventually
from tests.plugins.worker.runner.running import Payload, Result, add, kind, make_runner, under_way, until_registered
from tests.plugins.worker.world import World


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
