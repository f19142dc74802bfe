"""Tasks of many jobs, and lists of jobs; on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine, event

from streamgate.context import Actor
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import (
    Cancel,
    Enqueue,
    JobList,
    JobNotFound,
    JobQuery,
    LeaseLost,
)
from streamgate.errors import Invalid
from streamgate.wire import to_plain
from tests.plugins.worker.asked import ADMIN, beat, done, failed, job, status_of
from tests.plugins.worker.world import World


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
