"""The queue's rules, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine, event

from streamgate.context import Actor
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import (
    Bump,
    Cancel,
    Checkpoint,
    Complete,
    Enqueue,
    Fail,
    Heartbeat,
    JobList,
    JobNotFound,
    JobQuery,
    Lease,
    LeaseLost,
    LeaseQuery,
    NewJob,
    Release,
    UnknownKind,
)
from streamgate.errors import Conflict, Invalid
from streamgate.wire import to_plain
from streamgate_worker import picking
from tests.plugins.worker.world import World

ADMIN = Actor(kind="user", user_id="root", roles=("admin",))


def job(key: str, **values: Any) -> NewJob:
    return NewJob(**{"kind": "media.probe", "payload": {}, "idempotency_key": key, **values})


def done(lease: Lease, **result: Any) -> Complete:
    return Complete(lease_id=lease.lease_id, job_id=lease.job_id, result=result)


def failed(lease: Lease, *, retryable: bool = True, code: str = "media.broken") -> Fail:
    return Fail(lease_id=lease.lease_id, job_id=lease.job_id, code=code, detail="it broke", retryable=retryable)


def beat(lease: Lease, progress: float = 0.0, stage: str = "") -> Heartbeat:
    return Heartbeat(lease_id=lease.lease_id, job_id=lease.job_id, progress=progress, stage=stage)


async def status_of(world: World, job_id: str) -> str:
    return (await world.service.get(JobQuery(job_id=job_id))).status


# --- adding ----------------------------------------------------------------------------------------------


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


# --- order -----------------------------------------------------------------------------------------------


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


# --- the fence -------------------------------------------------------------------------------------------


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


# --- failing ---------------------------------------------------------------------------------------------


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


# --- tasks -----------------------------------------------------------------------------------------------


async def add_task(world: World) -> None:
    await world.add("root", job_id="root", subject_id="c_1")
    children = tuple(job(f"c{n}", job_id=f"c{n}", root_id="root", kind="media.chunk") for n in range(3))
    await world.service.enqueue(Enqueue(jobs=children))


async def test_task_is_its_root_and_children(world: World) -> None:
    await add_task(world)
    task = await world.service.task(JobQuery(job_id="root"))
    assert [each.job_id for each in task.jobs] == ["root", "c0", "c1", "c2"]
    assert (task.status, task.progress, task.root.job_id) == ("queued", 0.0, "root")
    await world.service.complete(done(await world.must_lease("media.probe")))
    chunk = await world.must_lease("media.chunk")
    await world.service.heartbeat(beat(chunk, 0.5))
    task = await world.service.task(JobQuery(job_id="root"))
    assert (task.status, task.progress) == ("running", 0.375)
    await world.service.complete(done(chunk))
    await world.service.complete(done(await world.must_lease("media.chunk")))
    await world.service.fail(failed(await world.must_lease("media.chunk"), retryable=False))
    assert (await world.service.task(JobQuery(job_id="root"))).status == "failed"
    with pytest.raises(JobNotFound):
        await world.service.task(JobQuery(job_id="nobody"))


async def test_looking_reads_no_payload(world: World) -> None:
    """Pages ask for the status every few seconds; a task has hundreds of payloads of many kilobytes."""
    await add_task(world)
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await world.service.task(JobQuery(job_id="root"))
        await world.service.get(JobQuery(job_id="root"))
        await world.service.list_jobs(JobList(actor=ADMIN))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len([statement for statement in asked if "worker_jobs" in statement]) == 4
    assert not [statement for statement in asked if "payload" in statement]


async def test_cancelled_root_takes_its_children_with_it(world: World) -> None:
    await add_task(world)
    await world.service.complete(done(await world.must_lease("media.probe")))
    running = await world.must_lease("media.chunk")
    await world.service.complete(done(await world.must_lease("media.chunk")))
    answer = await world.service.cancel(Cancel(job_id="root"))
    assert (answer.job_id, answer.status) == ("root", "done")
    events = await world.until_finished(4)
    assert sorted(event.status for event in events) == ["cancelled", "cancelled", "done", "done"]
    assert await world.lease() is None
    assert (await world.service.heartbeat(beat(running))).cancelled
    assert await world.until(world.cancelled, 1) == [(running.job_id,)]
    with pytest.raises(LeaseLost):
        await world.service.complete(done(running))
    assert (await world.service.task(JobQuery(job_id="root"))).status == "cancelled"


async def test_child_that_comes_after_the_cancelling_is_cancelled(world: World) -> None:
    await add_task(world)
    await world.service.cancel(Cancel(job_id="root"))
    await world.until_finished(4)
    late = await world.add("late", kind="media.chunk", root_id="root", job_id="late")
    assert await status_of(world, late) == "cancelled"
    assert (await world.until_finished(5))[-1].job_id == "late"
    assert await world.lease() is None


async def test_no_child_slips_through_a_cancelling_beside_it(world: World) -> None:
    """Whichever of the two is first, nothing of the task is left to run."""
    for number in range(8):
        root = f"root{number}"
        await world.add(root, job_id=root)
        await world.service.complete(done(await world.must_lease("media.probe")))
        await world.add(f"{root}-old", root_id=root, kind="media.chunk")
        await asyncio.gather(
            world.service.cancel(Cancel(job_id=root)),
            *(world.add(f"{root}-{child}", root_id=root, kind="media.chunk") for child in range(4)),
        )
        assert {each.status for each in (await world.service.task(JobQuery(job_id=root))).jobs[1:]} == {"cancelled"}


async def test_children_that_are_on_their_way_when_their_task_is_cancelled_are_cancelled(world: World) -> None:
    """The plan is done, and what it asks for arrives by event a moment later."""
    root = await world.add("plan", job_id="plan")
    await world.service.complete(done(await world.must_lease()))
    assert (await world.service.cancel(Cancel(job_id=root))).status == "done"
    body = JobsRequested(subject_id="c_1", revision=1, jobs=(to_plain(job("chunk", job_id="chunk", root_id=root)),))
    await world.events.publish(JOBS_REQUESTED, body, event_id="e1")
    assert await status_of(world, "chunk") == "cancelled"
    assert [event.status for event in await world.until_finished(2)] == ["done", "cancelled"]
    assert (await world.service.task(JobQuery(job_id=root))).status == "cancelled"


async def test_cancelling_what_has_ended_tells_nothing(world: World) -> None:
    await world.add("k", job_id="k")
    await world.service.complete(done(await world.must_lease()))
    assert (await world.service.cancel(Cancel(job_id="k"))).status == "done"
    assert (await world.service.cancel(Cancel(job_id="k"))).status == "done"
    await world.add("other", job_id="other")
    assert (await world.service.cancel(Cancel(job_id="other"))).status == "cancelled"
    assert (await world.service.cancel(Cancel(job_id="other"))).status == "cancelled"
    events = await world.until_finished(2)
    assert [event.status for event in events] == ["done", "cancelled"]
    assert world.cancelled == []
    with pytest.raises(JobNotFound):
        await world.service.cancel(Cancel(job_id="nobody"))


async def test_cancelled_child_leaves_its_task_running(world: World) -> None:
    await add_task(world)
    await world.service.cancel(Cancel(job_id="c1"))
    await world.add("c3", root_id="root", kind="media.chunk", job_id="c3")
    assert [await status_of(world, job_id) for job_id in ("root", "c0", "c1", "c2", "c3")] == [
        "queued",
        "queued",
        "cancelled",
        "queued",
        "queued",
    ]


# --- listing ---------------------------------------------------------------------------------------------


async def test_list_pages_from_newest_to_oldest(world: World) -> None:
    for number in range(5):
        await world.add(f"k{number}", job_id=f"j{number}")
        if number % 2:
            await world.clock.advance(1)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await world.service.list_jobs(JobList(actor=ADMIN, limit=2, cursor=cursor))
        seen += [each.job_id for each in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == ["j4", "j3", "j2", "j1", "j0"]


async def test_list_shows_people_their_own(world: World) -> None:
    await world.add("a", job_id="alices", owner="alice")
    await world.add("b", job_id="bobs", owner="bob")
    await world.add("c", job_id="nobodys")
    alice = Actor(kind="user", user_id="alice", roles=("creator",))
    stranger = Actor(kind="user", user_id="", roles=("creator",))
    for actor, expected in (
        (alice, ["alices"]),
        (stranger, []),
        (ADMIN, ["nobodys", "bobs", "alices"]),
        (Actor(kind="service"), ["nobodys", "bobs", "alices"]),
    ):
        page = await world.service.list_jobs(JobList(actor=actor))
        assert sorted(each.job_id for each in page.items) == sorted(expected)


async def test_list_filters(world: World) -> None:
    await add_task(world)
    await world.add("timed", job_id="timed", run_at_ms=world.clock.now_ms() + 5_000)
    await world.must_lease("media.probe")

    async def ids(**filters: Any) -> list[str]:
        page = await world.service.list_jobs(JobList(actor=ADMIN, **filters))
        return sorted(each.job_id for each in page.items)

    assert await ids() == ["root", "timed"]
    assert await ids(root_only=False, kind="media.chunk") == ["c0", "c1", "c2"]
    assert await ids(subject_id="c_1") == ["root"]
    assert await ids(status="running") == ["root"]
    assert await ids(status="scheduled") == ["timed"]
    assert await ids(status="queued", root_only=False) == ["c0", "c1", "c2"]
    world.clock.jump(6)
    assert await ids(status="scheduled") == []
    assert "timed" in await ids(status="queued")


@pytest.mark.parametrize(
    "values", [{"status": "lost"}, {"limit": 0}, {"limit": 201}, {"cursor": "???"}, {"cursor": "QQ"}]
)
async def test_list_that_cannot_be_is_named(world: World, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        await world.service.list_jobs(JobList(actor=ADMIN, **values))
    assert [error.field for error in refused.value.errors] == list(values)
