"""Tasks that are paused, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from streamgate.context import Actor, CallContext, use_call
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import (
    Bump,
    Cancel,
    Enqueue,
    JobList,
    JobNotFound,
    JobQuery,
    Pause,
    QueueQuery,
    Release,
    Resume,
    Task,
)
from streamgate.wire import to_plain
from streamgate_worker.dead import DeadLetters
from tests.plugins.worker.asked import ADMIN, done, failed, job, status_of
from tests.plugins.worker.world import World

ROOT = JobQuery(job_id="root")
PAUSE, RESUME = Pause(job_id="root"), Resume(job_id="root")
CHUNK = "media.chunk"


async def add_task(world: World, *, owner: str = "u_1") -> None:
    """Its plan is made, and three chunks wait."""
    await world.add("root", job_id="root", subject_id="c_1", owner=owner)
    await world.service.complete(done(await world.must_lease("media.probe")))
    children = (job(f"c{n}", job_id=f"c{n}", root_id="root", kind=CHUNK, owner=owner) for n in range(3))
    await world.service.enqueue(Enqueue(jobs=tuple(children)))


async def states(world: World) -> list[str]:
    return [each.status for each in (await world.service.task(ROOT)).jobs]


async def paused(world: World) -> Task:
    await world.service.pause(PAUSE)
    return await world.service.task(ROOT)


async def test_what_runs_ends_and_what_waits_is_held(world: World) -> None:
    await add_task(world)
    running = await world.must_lease(CHUNK)
    assert (await paused(world)).status == "paused"
    assert await states(world) == ["done", "running", "paused", "paused"]
    assert await world.lease() is None
    await world.service.complete(done(running))
    assert await states(world) == ["done", "done", "paused", "paused"]

    await world.clock.advance(60.0)
    world.woken.clear()
    await world.service.resume(RESUME)
    assert await world.until(world.woken, 1) == [(CHUNK,)]
    task = await world.service.task(ROOT)
    assert (task.status, task.is_paused, task.paused_s) == ("queued", False, 60.0)
    for _ in range(2):
        await world.service.complete(done(await world.must_lease(CHUNK)))
    assert (await world.service.task(ROOT)).status == "done"


async def test_a_pause_that_nothing_was_left_for_ends_with_the_last_job(world: World) -> None:
    """Days later somebody has a part of it made again."""
    await add_task(world)
    leases = [await world.must_lease(CHUNK) for _ in range(3)]
    await paused(world)
    await world.clock.advance(5.0)
    for lease in leases:
        await world.service.complete(done(lease))
    await world.clock.advance(86_400.0)
    task = await world.service.task(ROOT)
    assert (task.status, task.is_paused, task.paused_s) == ("done", True, 5.0)
    await world.service.resume(RESUME)
    await world.clock.advance(60.0)
    task = await world.service.task(ROOT)
    assert (task.is_paused, task.paused_s) == (False, 5.0)


async def test_twice_is_as_once(world: World) -> None:
    await add_task(world)
    first = await paused(world)
    await world.clock.advance(5.0)
    assert (await paused(world)).status == first.status == "paused"
    await world.service.resume(RESUME)
    await world.clock.advance(5.0)
    await world.service.resume(RESUME)
    assert (await world.service.task(ROOT)).paused_s == 5.0
    for wanted in ("nobody", "c0"):
        with pytest.raises(JobNotFound):
            await world.service.pause(Pause(job_id=wanted))
        with pytest.raises(JobNotFound):
            await world.service.resume(Resume(job_id=wanted))


async def test_an_attempt_that_is_lost_meanwhile_is_held(world: World) -> None:
    """Failed, given back or not heard of any more: none of them begins again by itself."""
    await add_task(world)
    fails, gives_back, falls_silent = [await world.must_lease(CHUNK) for _ in range(3)]
    await paused(world)
    await world.service.fail(failed(fails))
    await world.service.release(Release(lease_id=gives_back.lease_id, job_id=gives_back.job_id))
    await world.clock.advance(31.0)
    await world.service.sweep(10)
    assert await states(world) == ["done", "paused", "paused", "paused"]
    assert falls_silent.job_id == "c2"
    await world.clock.advance(600.0)
    await world.service.sweep(10)
    assert await world.lease() is None
    await world.service.resume(RESUME)
    assert sorted([(await world.must_lease(CHUNK)).job_id for _ in range(3)]) == ["c0", "c1", "c2"]


async def test_children_that_are_on_their_way_are_held(world: World) -> None:
    """The plan is done, and what it asks for arrives by event a moment later."""
    await world.add("root", job_id="root")
    await world.service.complete(done(await world.must_lease()))
    task = await paused(world)
    assert (task.status, task.is_paused) == ("done", True)
    body = JobsRequested(subject_id="c_1", revision=1, jobs=(to_plain(job("late", job_id="late", root_id="root")),))
    await world.events.publish(JOBS_REQUESTED, body, event_id="e1")
    assert await status_of(world, "late") == "paused"
    assert await world.lease() is None


async def test_what_somebody_waits_for_runs_all_the_same(world: World) -> None:
    await add_task(world)
    await paused(world)
    world.woken.clear()
    await world.service.bump(Bump(job_id="c1"))
    assert await world.until(world.woken, 1) == [(CHUNK,)]
    assert (await world.must_lease(CHUNK)).job_id == "c1"
    assert await world.lease() is None
    assert (await world.service.task(ROOT)).status == "paused"


async def test_a_task_that_is_paused_can_be_cancelled(world: World) -> None:
    await add_task(world)
    running = await world.must_lease(CHUNK)
    await paused(world)
    await world.service.cancel(Cancel(job_id="root"))
    assert await states(world) == ["done", "cancelled", "cancelled", "cancelled"]
    assert await world.until(world.cancelled, 1) == [(running.job_id,)]
    await world.service.resume(RESUME)
    task = await paused(world)
    assert (task.status, task.is_cancelled, task.is_paused) == ("cancelled", True, False)


async def test_others_go_on_and_nothing_counts_what_is_held(world: World) -> None:
    await add_task(world)
    await world.add("other", kind=CHUNK, owner="u_2", job_id="other")
    await paused(world)
    assert (await world.service.depth(QueueQuery(kinds=(CHUNK,)))).queued == 1
    assert (await world.must_lease(CHUNK)).job_id == "other"
    assert (await world.service.depth(QueueQuery(kinds=(CHUNK,)))).queued == 0
    for status, count in (("paused", 3), ("queued", 0), ("scheduled", 0)):
        page = await world.service.list_jobs(JobList(actor=ADMIN, status=status, root_only=False))
        assert len(page.items) == count, status


async def test_whoever_of_two_is_first_nothing_waits_on_in_a_paused_task(world: World) -> None:
    for number in range(6):
        root = f"root{number}"
        await world.add(root, job_id=root)
        await world.service.complete(done(await world.must_lease("media.probe")))
        await world.add(f"{root}-old", root_id=root, kind=CHUNK)
        lease = await world.must_lease(CHUNK)
        await asyncio.gather(
            world.service.pause(Pause(job_id=root)),
            world.service.release(Release(lease_id=lease.lease_id, job_id=lease.job_id)),
            *(world.add(f"{root}-{child}", root_id=root, kind=CHUNK) for child in range(3)),
        )
        jobs = (await world.service.task(JobQuery(job_id=root))).jobs
        assert [each.status for each in jobs] == ["done", *["paused"] * 4]


async def test_whoever_of_two_is_first_nothing_is_held_in_a_task_that_goes_on(world: World) -> None:
    for number in range(6):
        root = f"root{number}"
        await world.add(root, job_id=root)
        await world.service.complete(done(await world.must_lease("media.probe")))
        for child in ("gives-back", "died"):
            await world.add(f"{root}-{child}", job_id=f"{root}-{child}", root_id=root, kind=CHUNK, max_attempts=1)
        leases = {each.job_id: each for each in [await world.must_lease(CHUNK) for _ in range(2)]}
        gives_back, died = leases[f"{root}-gives-back"], leases[f"{root}-died"]
        await world.service.fail(failed(died))
        await world.service.pause(Pause(job_id=root))
        await asyncio.gather(
            world.service.release(Release(lease_id=gives_back.lease_id, job_id=gives_back.job_id)),
            DeadLetters(world.service, world.db, world.clock).replay(ADMIN, died.job_id),
            world.service.resume(Resume(job_id=root)),
        )
        task = await world.service.task(JobQuery(job_id=root))
        assert ([each.status for each in task.jobs], task.is_paused) == (["done", "queued", "queued"], False)
        await world.service.cancel(Cancel(job_id=root))


async def test_it_is_noted_who_paused_it(world: World) -> None:
    await add_task(world)
    with use_call(CallContext(request_id="r", actor=Actor(kind="user", user_id="u_1"))):
        for _ in range(2):
            await world.service.pause(PAUSE)
            await world.service.resume(RESUME)
    noted = await world.until(world.noted, 4)
    assert [(each.act, each.subject_id) for each in noted] == [
        ("job.paused", "job:root"),
        ("job.resumed", "job:root"),
    ] * 2
