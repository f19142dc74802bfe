"""A job may run twice and counts once: leases, and what becomes of those that fail; on both databases."""

from __future__ import annotations

import pytest

from streamgate.contracts.jobs import (
    Checkpoint,
    Complete,
    JobQuery,
    LeaseLost,
    Release,
)
from streamgate_worker import picking
from tests.plugins.worker.asked import beat, done, failed, status_of
from tests.plugins.worker.world import World


async def test_job_may_run_twice_but_counts_once(world: World) -> None:
    """SIGSTOP: the first runner is frozen past its lease, another finishes, the first wakes up and says so too."""
    await world.add("k", subject_id="c_1")
    first = await world.must_lease(runner="frozen")
    world.clock.jump(31)
    second = await world.must_lease(runner="awake")
    assert (second.job_id, second.attempt) == (first.job_id, 2)
    assert second.blob_prefix != first.blob_prefix
    await world.service.complete(done(second, by="awake"))
    for say in (
        world.service.complete(done(first, by="frozen")),
        world.service.heartbeat(beat(first)),
        world.service.checkpoint(Checkpoint(lease_id=first.lease_id, job_id=first.job_id, result={})),
        world.service.fail(failed(first)),
        world.service.release(Release(lease_id=first.lease_id, job_id=first.job_id)),
    ):
        with pytest.raises(LeaseLost) as lost:
            await say
        assert (lost.value.code, lost.value.status) == ("jobs.lease_lost", 409)
    (event,) = await world.until_finished(1)
    assert event.result == {"by": "awake"}
    assert world.checkpoints == []


async def test_frozen_runner_is_refused_before_anybody_else_finishes(world: World) -> None:
    await world.add("k")
    first = await world.must_lease(runner="frozen")
    world.clock.jump(31)
    await world.must_lease(runner="awake")
    with pytest.raises(LeaseLost):
        await world.service.complete(done(first))
    assert await status_of(world, first.job_id) == "running"


async def test_heartbeat_keeps_the_lease(world: World) -> None:
    await world.add("k")
    lease = await world.must_lease()
    for _ in range(5):
        world.clock.jump(20)
        assert not (await world.service.heartbeat(beat(lease, 0.4, "decoding"))).cancelled
        assert await world.lease() is None
    found = await world.service.get(JobQuery(job_id=lease.job_id))
    assert (found.progress, found.stage) == (0.4, "decoding")


async def test_lease_that_ran_out_unnoticed_goes_on(world: World) -> None:
    await world.add("k")
    lease = await world.must_lease()
    world.clock.jump(100)
    await world.service.heartbeat(beat(lease))
    assert await world.lease() is None
    await world.service.complete(done(lease))


async def test_last_word_said_twice_is_harmless(world: World) -> None:
    await world.add("k1")
    await world.add("k2")
    one, two = await world.must_lease(), await world.must_lease()
    for _ in range(2):
        await world.service.complete(done(one))
        await world.service.fail(failed(two, retryable=False))
    assert sorted(event.status for event in await world.until_finished(2)) == ["done", "failed"]
    with pytest.raises(LeaseLost):
        await world.service.complete(done(two))


async def test_lease_of_another_job_opens_nothing(world: World) -> None:
    await world.add("k1")
    await world.add("k2")
    one, two = await world.must_lease(), await world.must_lease()
    with pytest.raises(LeaseLost):
        await world.service.complete(Complete(lease_id=one.lease_id, job_id=two.job_id, result={}))
    with pytest.raises(LeaseLost):
        await world.service.complete(Complete(lease_id=one.lease_id, job_id="nobody", result={}))


async def test_sweep_takes_back_what_ran_out(world: World) -> None:
    await world.add("k")
    lease = await world.must_lease(runner="gone@host")
    await world.service.sweep(100)
    assert await status_of(world, lease.job_id) == "running"
    world.clock.jump(31)
    await world.service.sweep(100)
    found = await world.service.get(JobQuery(job_id=lease.job_id))
    assert (found.status, found.error_code) == ("queued", "jobs.lease_expired")
    assert "gone@host" in found.error_detail
    assert await world.until(world.woken, 2) == [("media.probe",)] * 2


async def test_job_that_kills_its_runners_is_dead_in_the_end(world: World) -> None:
    job_id = await world.add("k", max_attempts=2)
    for attempt in (1, 2):
        assert (await world.must_lease()).attempt == attempt
        world.clock.jump(31)
    assert await world.lease() is None
    (event,) = await world.until_finished(1)
    assert (event.job_id, event.status, event.error_code) == (job_id, "dead", "jobs.lease_expired")


async def test_lease_given_back_costs_no_attempt(world: World) -> None:
    await world.add("k", max_attempts=1)
    lease = await world.must_lease()
    await world.service.release(Release(lease_id=lease.lease_id, job_id=lease.job_id))
    again = await world.must_lease()
    assert again.attempt == 1
    with pytest.raises(LeaseLost):
        await world.service.complete(done(lease))
    await world.service.complete(done(again))


async def test_failed_attempt_rests_and_comes_back(world: World) -> None:
    job_id = await world.add("k", max_attempts=3)
    rests_s = []
    for _ in range(2):
        await world.service.fail(failed(await world.must_lease()))
        found = await world.service.get(JobQuery(job_id=job_id))
        assert (found.status, found.error_code, found.error_detail) == ("queued", "media.broken", "it broke")
        began_s = world.clock.now_s()
        while await world.lease("media.chunk") is None and not await _is_due(world, job_id):
            world.clock.jump(0.25)
        rests_s.append(world.clock.now_s() - began_s)
    assert 2 <= rests_s[0] <= 4.25  # half of 4 s to all of it, by chance
    assert 4 <= rests_s[1] <= 8.25
    await world.service.fail(failed(await world.must_lease()))
    (event,) = await world.until_finished(1)
    assert (event.status, event.error_code, event.error_detail) == ("dead", "media.broken", "it broke")


async def _is_due(world: World, job_id: str) -> bool:
    """Looks without leasing."""
    now_ms = world.clock.now_ms()
    return bool(await world.db.read(lambda session: picking.look(session, ["media.probe"], now_ms)))


async def test_fault_that_repeating_cannot_mend_ends_the_job(world: World) -> None:
    await world.add("k", max_attempts=5)
    await world.service.fail(failed(await world.must_lease(), retryable=False))
    (event,) = await world.until_finished(1)
    assert event.status == "failed"
    world.clock.jump(3600)
    assert await world.lease() is None


async def test_checkpoints_are_told(world: World) -> None:
    await world.add("k", subject_id="c_1")
    lease = await world.must_lease()
    for part in (1, 2):
        kept = Checkpoint(lease_id=lease.lease_id, job_id=lease.job_id, result={"parts": part}, progress=part / 4)
        await world.service.checkpoint(kept)
    told = await world.until_checkpoints(2)
    assert [event.result for event in told] == [{"parts": 1}, {"parts": 2}]
    assert told[0].revision < told[1].revision
    assert (await world.service.get(JobQuery(job_id=lease.job_id))).progress == 0.5


async def test_revisions_of_a_job_rise(world: World) -> None:
    await world.add("k")
    lease = await world.must_lease()
    await world.service.checkpoint(Checkpoint(lease_id=lease.lease_id, job_id=lease.job_id, result={}))
    await world.service.complete(done(lease))
    (kept,) = await world.until_checkpoints(1)
    (ended,) = await world.until_finished(1)
    assert 1 < kept.revision < ended.revision
