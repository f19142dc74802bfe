"""What people see of their jobs while they run, what is noted of who did what, and what is measured."""

from __future__ import annotations

from streamgate.contracts.jobs import Cancel, Checkpoint, Complete, Fail, Heartbeat, Lease
from streamgate_worker import measures
from streamgate_worker.sweeper import Sweeper
from tests.plugins.worker.world import World


def beat(lease: Lease, progress: float, stage: str = "") -> Heartbeat:
    return Heartbeat(lease_id=lease.lease_id, job_id=lease.job_id, progress=progress, stage=stage)


async def test_owner_sees_progress_and_the_end(world: World) -> None:
    job_id = await world.add("k", owner="u_1", subject_id="c_1")
    lease = await world.must_lease()
    world.clock.jump(1)
    await world.service.heartbeat(beat(lease, 0.5, "encoding"))
    world.clock.jump(1)
    await world.service.checkpoint(Checkpoint(lease_id=lease.lease_id, job_id=job_id, result={}, progress=0.75))
    await world.service.complete(Complete(lease_id=lease.lease_id, job_id=job_id, result={}))
    told = await world.until(world.live, 4)
    assert [(each.event, each.data["status"], each.data["progress"]) for each in told] == [
        ("job.progress", "running", 0.0),
        ("job.progress", "running", 0.5),
        ("job.progress", "running", 0.75),
        ("job.finished", "done", 1.0),
    ]
    assert {(each.owner, each.kind, each.id, each.content_id) for each in told} == {("u_1", "job", job_id, "c_1")}
    assert told[1].data["stage"] == "encoding"


async def test_progress_is_told_four_times_a_second_at_most(world: World) -> None:
    await world.add("k", owner="u_1")
    lease = await world.must_lease()
    for number in range(20):
        world.clock.jump(0.1)
        await world.service.heartbeat(beat(lease, number / 20))
    await world.service.complete(Complete(lease_id=lease.lease_id, job_id=lease.job_id, result={}))
    told = await world.until(world.live, 8)
    assert told[-1].event == "job.finished"
    assert len(told) == 8  # 2 s, every third beat, the beginning, the end


async def test_every_end_is_told_and_counted_once(world: World) -> None:
    before = measures.ENDED.labels("media.probe", "dead")._value.get()
    await world.add("cancelled", owner="u_1")
    await world.service.cancel(Cancel(job_id=(await world.must_lease()).job_id))
    await world.add("failed", owner="u_2")
    lease = await world.must_lease()
    failed = Fail(lease_id=lease.lease_id, job_id=lease.job_id, code="a.b", detail="c", retryable=False)
    await world.service.fail(failed)
    await world.service.fail(failed)
    await world.add("nobody's")
    lease = await world.must_lease()
    await world.service.complete(Complete(lease_id=lease.lease_id, job_id=lease.job_id, result={}))
    await world.add("lost", owner="u_3", max_attempts=1)
    await world.must_lease()
    world.clock.jump(31)
    await world.service.sweep(10)
    await world.add("last", owner="u_4")
    await world.must_lease()

    ends = [each for each in await world.until(world.live, 7) if each.event == "job.finished"]
    assert [(each.owner, each.data["status"], each.data["error_code"]) for each in ends] == [
        ("u_1", "cancelled", ""),
        ("u_2", "failed", "a.b"),
        ("u_3", "dead", "jobs.lease_expired"),
    ]
    assert measures.ENDED.labels("media.probe", "dead")._value.get() == before + 1


async def test_depth_and_age_are_measured(world: World) -> None:
    sweeper = Sweeper(world.service, world.db, world.clock, every_s=60)
    await world.add("a")
    await world.add("later", run_at_ms=world.clock.now_ms() + 600_000)
    await world.add("b", kind="media.chunk")
    await world.must_lease("media.chunk")
    world.clock.jump(5)
    await sweeper.measure()
    depth = {
        tuple(sample.labels.values()): sample.value for metric in measures.DEPTH.collect() for sample in metric.samples
    }
    assert depth == {
        ("media.chunk", "running"): 1,
        ("media.probe", "queued"): 1,
        ("media.probe", "scheduled"): 1,
    }
    assert measures.OLDEST.labels("media.probe")._value.get() == 5


async def test_trace_of_who_asked_comes_with_the_lease(world: World) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await world.add("k", traceparent=trace)
    assert (await world.must_lease()).traceparent == trace
