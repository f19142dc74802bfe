"""Adding to the queue, and who gets what when; on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio

import pytest

from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import (
    Bump,
    Enqueue,
    JobList,
    JobNotFound,
    JobQuery,
    LeaseQuery,
    UnknownKind,
)
from streamgate.errors import Conflict, Invalid
from streamgate.wire import to_plain
from tests.plugins.worker.asked import ADMIN, done, job, status_of
from tests.plugins.worker.world import World


async def test_job_goes_from_queued_to_done_and_is_told(world: World) -> None:
    job_id = await world.add("k", owner="u_1", subject_id="c_1", payload={"n": 7})
    assert await status_of(world, job_id) == "queued"
    lease = await world.must_lease(runner="transcoder@a")
    assert (lease.job_id, lease.root_id, lease.kind, lease.payload) == (job_id, job_id, "media.probe", {"n": 7})
    assert (lease.attempt, lease.owner, lease.subject_id, lease.lease_s) == (1, "u_1", "c_1", 30.0)
    assert lease.blob_prefix == f"jobs/c_1/{job_id}/{lease.lease_id}"
    assert await status_of(world, job_id) == "running"
    await world.service.complete(done(lease, plan="yes"))
    (event,) = await world.until_finished(1)
    assert (event.job_id, event.status, event.result, event.subject_id) == (job_id, "done", {"plan": "yes"}, "c_1")
    found = await world.service.get(JobQuery(job_id=job_id))
    assert (found.status, found.progress, found.attempts) == ("done", 1.0, 1)
    assert found.finished_at == found.updated_at == "2027-01-15T08:00:00.000Z"
    assert found.result == {"plan": "yes"}


async def test_same_key_is_the_same_job(world: World) -> None:
    first = await world.add("k", payload={"n": 1})
    again = await asyncio.gather(*(world.add("k", payload={"n": 2}) for _ in range(5)))
    assert again == [first] * 5
    assert (await world.must_lease()).payload == {"n": 1}
    assert await world.lease() is None


async def test_batch_keeps_its_order_and_mixes_old_and_new(world: World) -> None:
    old = await world.add("k1")
    answer = await world.service.enqueue(Enqueue(jobs=(job("k2"), job("k1"), job("k3"), job("k2"))))
    k2, again, k3, twice = answer.job_ids
    assert again == old
    assert k2 == twice
    assert len({old, k2, k3}) == 3


async def test_large_batch_is_one_transaction(world: World) -> None:
    answer = await world.service.enqueue(Enqueue(jobs=tuple(job(f"k{n}") for n in range(1_000))))
    assert len(set(answer.job_ids)) == 1_000


async def test_job_is_named_by_who_asks(world: World) -> None:
    assert await world.add("k1", job_id="mine") == "mine"
    assert await world.add("k1", job_id="other") == "mine"
    with pytest.raises(Conflict, match="mine"):
        await world.add("k2", job_id="mine")


async def test_batch_with_an_unknown_kind_adds_nothing(world: World) -> None:
    with pytest.raises(UnknownKind, match=r"no\.such"):
        await world.service.enqueue(Enqueue(jobs=(job("k1"), job("k2", kind="no.such"))))
    assert await world.lease() is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("priority", 10), ("priority", -1), ("max_attempts", 0), ("idempotency_key", ""), ("kind", "x" * 101)],
)
async def test_what_no_row_could_hold_is_named(world: World, field: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        await world.service.enqueue(Enqueue(jobs=(job("k", **{field: value}),)))
    assert [error.field for error in refused.value.errors] == [field]


async def test_requested_by_event_is_queued_once(world: World) -> None:
    body = JobsRequested(
        subject_id="c_1", revision=1, jobs=tuple(to_plain(job(f"k{n}", kind="not.yet.known")) for n in range(2))
    )
    await world.events.publish(JOBS_REQUESTED, body, event_id="e1")
    await world.events.publish(JOBS_REQUESTED, body, event_id="e2")  # other event, same keys
    page = await world.service.list_jobs(JobList(actor=ADMIN))
    assert [found.kind for found in page.items] == ["not.yet.known"] * 2


async def test_event_that_can_never_be_queued_goes_to_the_dead_letters_at_once(world: World) -> None:
    for number, jobs in enumerate((({"kind": "no key"},), (to_plain(job("k", priority=77)),))):
        body = JobsRequested(subject_id="c_1", revision=1, jobs=jobs)
        await world.events.publish(JOBS_REQUESTED, body, event_id=f"e{number}")
    assert await world.bus.dead_letters() == {"worker": 2}


async def test_runners_are_told_what_was_queued(world: World) -> None:
    await world.add("k1")
    await world.add("k2", kind="media.chunk")
    assert await world.until(world.woken, 2) == [("media.probe",), ("media.chunk",)]


async def test_lower_priority_numbers_run_first_then_the_oldest(world: World) -> None:
    for key, priority in (("late", 9), ("first", 5), ("second", 5), ("urgent", 0)):
        await world.add(key, job_id=key, priority=priority)
        await world.clock.advance(0.001)
    assert [(await world.must_lease()).job_id for _ in range(4)] == ["urgent", "first", "second", "late"]


async def test_runner_gets_only_its_kinds(world: World) -> None:
    await world.add("k", kind="media.chunk")
    assert await world.lease("media.probe") is None
    assert await world.lease("media.chunk") is not None
    assert (await world.service.lease(LeaseQuery(kinds=(), runner="r"))).lease is None


async def test_bumped_job_runs_before_the_others(world: World) -> None:
    for key in ("a", "b", "c"):
        await world.add(key, job_id=key)
        await world.clock.advance(0.001)
    await world.service.bump(Bump(job_id="c", priority=1))
    await world.service.bump(Bump(job_id="c", priority=3))  # never back
    assert (await world.must_lease()).job_id == "c"
    await world.service.bump(Bump(job_id="c"))  # runs already: nothing
    with pytest.raises(JobNotFound):
        await world.service.bump(Bump(job_id="nobody"))


async def test_scheduled_job_waits_for_its_time(world: World) -> None:
    job_id = await world.add("k", run_at_ms=world.clock.now_ms() + 60_000)
    assert await status_of(world, job_id) == "scheduled"
    assert await world.lease() is None
    world.clock.jump(60)
    assert await status_of(world, job_id) == "queued"
    assert (await world.must_lease()).job_id == job_id


async def test_sweep_wakes_runners_when_a_time_has_come(world: World) -> None:
    await world.service.sweep(100)
    await world.add("k", run_at_ms=world.clock.now_ms() + 60_000)
    await world.until(world.woken, 1)
    await world.service.sweep(100)
    world.clock.jump(61)
    await world.service.sweep(100)
    await world.service.sweep(100)
    await world.add("other", kind="media.chunk")
    assert await world.until(world.woken, 3) == [("media.probe",), ("media.probe",), ("media.chunk",)]


async def test_many_runners_never_get_the_same_job(world: World) -> None:
    await world.service.enqueue(Enqueue(jobs=tuple(job(f"k{n}") for n in range(40))))
    leases = await asyncio.gather(*(world.lease(runner=f"r{n}") for n in range(50)))
    given = [lease.job_id for lease in leases if lease is not None]
    while (lease := await world.lease()) is not None:  # passed over by everyone at once
        given.append(lease.job_id)
    assert len(given) == len(set(given)) == 40
