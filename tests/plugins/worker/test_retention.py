"""Jobs that ended long ago are forgotten, and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from streamgate.contracts.jobs import Cancel, Complete, Fail, JobNotFound, JobQuery, Lease
from streamgate_worker.retention import forget_ended
from streamgate_worker.sweeper import Sweeper
from streamgate_worker.tables import attempts, jobs
from tests.plugins.worker.world import World

DAY_S = 86_400.0


async def done(world: World, lease: Lease) -> None:
    await world.service.complete(Complete(lease_id=lease.lease_id, job_id=lease.job_id, result={}))


async def kept(world: World) -> set[str]:
    return set(await world.db.read(lambda session: session.scalars(select(jobs.c.idempotency_key)).all()))


async def sweep(world: World) -> None:
    await Sweeper(world.service, world.db, world.clock, every_s=60, keep_ended_s=10 * DAY_S).forget_ended()


async def test_a_task_goes_whole_when_all_of_it_ended_long_ago(world: World) -> None:
    root = await world.add("root")
    await done(world, await world.must_lease())
    await world.add("child", root_id=root)
    lease = await world.must_lease()
    await world.service.fail(Fail(lease_id=lease.lease_id, job_id=lease.job_id, code="x.y", detail="", retryable=False))
    single = await world.add("single")
    await done(world, await world.must_lease())
    world.clock.jump(9 * DAY_S)
    await world.add("young")
    await done(world, await world.must_lease())
    await sweep(world)
    assert await kept(world) == {"root", "child", "single", "young"}
    world.clock.jump(2 * DAY_S)
    await sweep(world)
    assert await kept(world) == {"young"}
    assert await world.db.read(lambda session: session.scalar(select(func.count()).select_from(attempts))) == 0
    with pytest.raises(JobNotFound):
        await world.service.get(JobQuery(job_id=single))


async def test_what_waits_runs_or_is_dead_keeps_its_task(world: World) -> None:
    for name in ("waits", "runs", "dead"):
        root = await world.add(f"{name} root")
        await done(world, await world.must_lease())
        await world.add(f"{name} child", root_id=root, max_attempts=1, priority=9)
        if name == "waits":
            continue
        lease = await world.must_lease()
        assert lease.job_id
        if name == "dead":
            failed = Fail(lease_id=lease.lease_id, job_id=lease.job_id, code="x.y", detail="", retryable=True)
            await world.service.fail(failed)
    cancelled = await world.add("cancelled")
    await world.service.cancel(Cancel(job_id=cancelled))
    before = await kept(world) - {"cancelled"}
    world.clock.jump(30 * DAY_S)
    await sweep(world)
    assert await kept(world) == before


async def test_many_go_a_few_at_once(world: World) -> None:
    for number in range(5):
        await world.service.cancel(Cancel(job_id=await world.add(f"k{number}")))
    now_ms = world.clock.now_ms() + 1
    assert await world.db.write(lambda session: forget_ended(session, now_ms, 3)) is True
    assert len(await kept(world)) == 2
    assert await world.db.write(lambda session: forget_ended(session, now_ms, 3)) is False
    assert await kept(world) == set()
