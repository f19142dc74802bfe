"""Schedules become jobs: each moment once, whatever dies or overlaps; on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.jobs import JobList
from streamgate.sdk.clock import parse_rfc3339, rfc3339
from streamgate.sdk.lease import Leader, Leadership, LeadershipLost
from streamgate.testing.wait import eventually
from streamgate_worker import schedules
from streamgate_worker.cron import Cron
from streamgate_worker.scheduler import Scheduler
from streamgate_worker.schedules import WantedSchedule
from streamgate_worker.tables import jobs, leaders
from streamgate_worker.tables import schedules as table
from tests.plugins.worker.world import World

ADMIN = Actor(kind="user", user_id="root", roles=("admin",))


@pytest.fixture
async def leadership(world: World) -> AsyncIterator[Leadership]:
    """Held for the whole test."""
    got: asyncio.Queue[Leadership] = asyncio.Queue()

    async def lead(leadership: Leadership) -> None:
        got.put_nowait(leadership)
        await asyncio.Event().wait()

    leader = Leader("worker.scheduler", world.db, leaders, lead, lease_s=600)
    await leader.start()
    yield await got.get()
    await leader.stop()


def scheduler(world: World) -> Scheduler:
    return Scheduler(world.service, world.db, world.clock)


async def put(world: World, cron: str = "*/10 * * * *", **values: Any) -> None:
    wanted = WantedSchedule(
        **{
            "owner": "u_1",
            "name": "tidy",
            "cron": cron,
            "timezone": "UTC",
            "kind": "media.probe",
            "payload": {"n": 1},
            "is_enabled": True,
            "catches_up": True,
            **values,
        }
    )
    now_ms = world.clock.now_ms()
    next_ms = Cron.parse(wanted.cron, wanted.timezone).following(now_ms) if wanted.is_enabled else None
    await world.db.write(lambda session: schedules.put(session, wanted, next_ms, now_ms))


async def queued(world: World) -> list[str]:
    """The keys of all jobs, oldest first."""
    return await world.db.read(lambda session: list(session.scalars(select(jobs.c.idempotency_key).order_by("job_id"))))


def key(moment: str, name: str = "tidy") -> str:
    return f"schedule:u_1:{name}:{parse_rfc3339(moment)}"


async def test_each_moment_makes_one_job(world: World, leadership: Leadership) -> None:
    await put(world)
    work = scheduler(world)
    for _ in range(3):
        await work.fire(leadership)
    assert await queued(world) == []  # 08:00:00 was now
    world.clock.jump(600.5)
    for _ in range(3):
        await work.fire(leadership)
    assert await queued(world) == [key("2027-01-15T08:10:00Z")]
    world.clock.jump(600)
    await work.fire(leadership)
    assert await queued(world) == [key("2027-01-15T08:10:00Z"), key("2027-01-15T08:20:00Z")]
    lease = await world.must_lease()
    assert (lease.owner, lease.payload, lease.kind) == ("u_1", {"n": 1}, "media.probe")


async def test_two_leaders_at_once_make_one_job(world: World, leadership: Leadership) -> None:
    """Both believe that they lead, and neither sees the other's transaction."""
    await put(world)
    world.clock.jump(601)
    await asyncio.gather(*(scheduler(world).fire(leadership) for _ in range(8)))
    assert await queued(world) == [key("2027-01-15T08:10:00Z")]


async def test_who_leads_no_more_queues_nothing(world: World, leadership: Leadership) -> None:
    await put(world)
    world.clock.jump(601)
    stale = Leadership(leadership.name, "h_somebody", 1, leadership.table)
    with pytest.raises(LeadershipLost):
        await scheduler(world).fire(stale)
    assert await queued(world) == []


async def test_dying_between_job_and_next_moment_changes_nothing(
    world: World, leadership: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(world)
    world.clock.jump(601)

    def die(*_: object) -> None:
        raise RuntimeError("dead")

    monkeypatch.setattr(schedules, "note_run", die)
    with pytest.raises(RuntimeError):
        await scheduler(world).fire(leadership)
    assert await queued(world) == []
    monkeypatch.undo()
    await scheduler(world).fire(leadership)
    assert await queued(world) == [key("2027-01-15T08:10:00Z")]


async def test_key_holds_even_where_the_schedule_was_set_back(world: World, leadership: Leadership) -> None:
    """Whatever sets the next moment back: the job of a moment is there once."""
    await put(world)
    world.clock.jump(601)
    await scheduler(world).fire(leadership)

    def set_back(session: Session) -> None:
        row = schedules.find(session, "u_1", "tidy")
        schedules.set_next(session, row, row.last_run_at_ms)  # type: ignore[arg-type, union-attr]

    await world.db.write(set_back)
    await scheduler(world).fire(leadership)
    assert await queued(world) == [key("2027-01-15T08:10:00Z")]


@pytest.mark.parametrize(("catches_up", "expected"), [(True, [key("2027-01-15T08:10:00Z")]), (False, [])])
async def test_moments_that_were_missed(
    world: World, leadership: Leadership, catches_up: bool, expected: list[str]
) -> None:
    await put(world, catches_up=catches_up)
    world.clock.jump(7 * 24 * 3600 + 30)
    await scheduler(world).fire(leadership)
    assert await queued(world) == expected
    row = await world.db.read(lambda session: schedules.find(session, "u_1", "tidy"))
    assert row is not None
    assert rfc3339(row.next_run_at_ms) == "2027-01-22T08:10:00.000Z"


async def test_late_by_less_than_a_minute_is_not_missed(world: World, leadership: Leadership) -> None:
    await put(world, catches_up=False)
    world.clock.jump(655)
    await scheduler(world).fire(leadership)
    assert await queued(world) == [key("2027-01-15T08:10:00Z")]


async def test_what_is_not_enabled_does_not_run(world: World, leadership: Leadership) -> None:
    await put(world, is_enabled=False)
    world.clock.jump(86_400)
    await scheduler(world).fire(leadership)
    assert await queued(world) == []


async def test_one_that_cannot_be_read_any_more_does_not_stop_others(world: World, leadership: Leadership) -> None:
    await put(world)
    await put(world, name="broken")

    def spoil(session: Session) -> None:
        session.execute(update(table).where(table.c.name == "broken").values(timezone="Mars/Base"))

    await world.db.write(spoil)
    world.clock.jump(601)
    await scheduler(world).fire(leadership)
    assert await queued(world) == [key("2027-01-15T08:10:00Z")]
    row = await world.db.read(lambda session: schedules.find(session, "u_1", "broken"))
    assert row is not None
    assert row.next_run_at_ms is None


async def test_many_that_are_due_at_once(world: World, leadership: Leadership) -> None:
    for number in range(60):
        await put(world, name=f"s{number:02}")
    world.clock.jump(601)
    assert await scheduler(world).fire(leadership)  # there is more
    assert not await scheduler(world).fire(leadership)
    assert len(await queued(world)) == 60


async def test_replicas_lead_in_turn_and_run_each_moment_once(world: World) -> None:
    """Three replicas; the one that leads is stopped before each moment."""
    await put(world, "* * * * *")
    replicas = [Leader("worker.scheduler", world.db, leaders, scheduler(world).lead, lease_s=0.3) for _ in range(3)]
    await asyncio.gather(*(replica.start() for replica in replicas))

    async def leading() -> Leader | None:
        return next((replica for replica in replicas if replica.leadership), None)

    for moment in (1, 2, 3):
        await (await eventually(leading)).stop()
        world.clock.jump(60)

        async def done(count: int = moment) -> bool | None:
            await world.clock.advance(0)
            return True if len(await queued(world)) == count else None

        restarted = next(replica for replica in replicas if replica._task is None)
        await restarted.start()

        async def next_is_due(count: int = moment) -> bool | None:
            await world.clock.advance(1.0)
            return await done(count)

        await eventually(next_is_due)
    await asyncio.gather(*(replica.stop() for replica in replicas))
    found = await queued(world)
    assert len(found) == len(set(found)) == 3
    page = await world.service.list_jobs(JobList(actor=ADMIN))
    assert {item.status for item in page.items} == {"queued"}
