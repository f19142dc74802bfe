"""One leader among replicas: by the database's clock, fenced, handed over when it stops, dies or freezes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import select, update

from streamgate.bus.memory import MemoryBus
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock
from streamgate.sdk.db import Database, DatabaseUnavailable
from streamgate.sdk.lease import Leader, Leadership, LeadershipLost, database_now_ms
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.wait import eventually

LEASE_S = 0.6


class Replica:
    """One process' share: a leader whose work waits until it is stopped."""

    def __init__(self, db: Database, sample: ModuleType, clock: Clock = SYSTEM_CLOCK, lease_s: float = LEASE_S) -> None:
        self.db = db
        self.table = sample.tables.leaders
        self.led: list[Leadership] = []
        self.stopped = 0
        self.began = asyncio.Event()
        self.work: Callable[[], Awaitable[None]] = asyncio.Event().wait  # type: ignore[assignment]
        self.leader = Leader("sample.work", db, self.table, self._lead, lease_s=lease_s, clock=clock)

    async def _lead(self, leadership: Leadership) -> None:
        self.led.append(leadership)
        self.began.set()
        try:
            await self.work()
        finally:
            self.stopped += 1


@asynccontextmanager
async def opened(url: str, folder: Path, sample: ModuleType) -> AsyncIterator[Database]:
    bus = MemoryBus()
    ctx = plugin_context("sample", data_dir=folder, database_url=url, bus=bus)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    async with running(bus_unit(bus), *db.units()):
        yield db


@pytest.fixture
async def db(database: str, sample: ModuleType, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(database, tmp_path, sample) as opened_db:
        yield opened_db


async def test_one_of_many_leads_and_hands_over_when_it_stops(db: Database, sample: ModuleType) -> None:
    replicas = [Replica(db, sample) for _ in range(4)]
    await asyncio.gather(*(replica.leader.start() for replica in replicas))
    await asyncio.wait(
        [asyncio.create_task(replica.began.wait()) for replica in replicas], return_when="FIRST_COMPLETED"
    )
    order = []
    while replicas:

        async def leading() -> Replica | None:
            return next((replica for replica in replicas if replica.leader.leadership), None)

        leader = await eventually(leading, what="somebody to lead")
        assert sum(replica.leader.leadership is not None for replica in replicas) == 1
        await leader.leader.stop()
        assert (leader.stopped, leader.leader.leadership) == (1, None)
        replicas.remove(leader)
        order.append(leader.led[-1].term)
    assert order == [1, 2, 3, 4]


async def test_only_the_databases_clock_counts(db: Database, sample: ModuleType) -> None:
    """This process thinks that it is years later (the clock of tests); the row is what counts."""
    clock = FakeClock(at_s=5_000_000_000.0)
    first, second = Replica(db, sample, lease_s=600), Replica(db, sample, clock, lease_s=3.0)
    await first.leader.start()
    await first.began.wait()
    await second.leader.start()
    await asyncio.sleep(0)
    for _ in range(3):
        await clock.advance(1.0)
        await db.read(lambda session: session.execute(select(first.table)))
    assert second.led == []

    await db.write(lambda session: session.execute(update(first.table).values(until_ms=database_now_ms(session) - 1)))

    async def taken() -> bool | None:
        await clock.advance(1.0)
        return True if second.led else None

    await eventually(taken, what="the second to lead")
    assert second.led[0].term == 2
    await asyncio.gather(first.leader.stop(), second.leader.stop())


async def test_leader_that_lost_its_row_stops_its_work(db: Database, sample: ModuleType) -> None:
    replica = Replica(db, sample)
    await replica.leader.start()
    await replica.began.wait()
    far = {"holder": "another", "term": 9}
    await db.write(
        lambda session: session.execute(
            update(replica.table).values(**far, until_ms=database_now_ms(session) + 600_000)
        )
    )

    async def stopped() -> bool | None:
        return True if replica.stopped and replica.leader.leadership is None else None

    await eventually(stopped, what="the work to stop")
    with pytest.raises(LeadershipLost):
        await db.write(replica.led[0].check)
    await replica.leader.stop()
    row = await db.read(lambda session: session.execute(select(replica.table)).one())
    assert (row.holder, row.term) == ("another", 9)  # the loser gives nothing back that is not its own


async def test_leader_without_its_database_stops_in_time(
    db: Database, sample: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    replica = Replica(db, sample, clock, lease_s=3.0)
    await replica.leader.start()
    await replica.began.wait()

    async def away(_: object) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(db, "write", away)
    await clock.advance(2.0)
    assert replica.leader.leadership is not None
    await clock.advance(1.0)

    async def stopped() -> bool | None:
        return True if replica.stopped else None

    await eventually(stopped, what="the work to stop")
    monkeypatch.undo()
    await replica.leader.stop()


async def test_check_holds_while_it_leads_and_after_the_lease_ran_out_no_more(db: Database, sample: ModuleType) -> None:
    replica = Replica(db, sample, lease_s=600)
    await replica.leader.start()
    await replica.began.wait()
    await db.write(replica.led[0].check)
    await db.write(lambda session: session.execute(update(replica.table).values(until_ms=database_now_ms(session))))
    with pytest.raises(LeadershipLost):
        await db.write(replica.led[0].check)
    await replica.leader.stop()


async def test_work_that_fails_is_led_again(db: Database, sample: ModuleType) -> None:
    replica = Replica(db, sample, lease_s=0.15)

    async def fail() -> None:
        raise RuntimeError("broken")

    replica.work = fail
    await replica.leader.start()

    async def again() -> bool | None:
        return True if len(replica.led) >= 3 else None

    await eventually(again, what="the work to be led again")
    await replica.leader.stop()
    assert [leadership.term for leadership in replica.led[:3]] == [1, 2, 3]


HOLDER = """
import asyncio
from pathlib import Path
import sample_plugin.tables as tables
from streamgate.bus.memory import MemoryBus
from streamgate.sdk.db import Database
from streamgate.sdk.lease import Leader
from streamgate.testing.context import bus_unit, plugin_context, running

async def lead(leadership):
    print("leads", leadership.term, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("stops", flush=True)

async def main():
    bus = MemoryBus()
    ctx = plugin_context("sample", data_dir=Path("."), database_url=URL, bus=bus)
    db = Database.for_plugin(ctx, tables.TABLES, migrations="sample_plugin.migrations")
    leader = Leader("sample.work", db, tables.leaders, lead, lease_s=0.6, needs=("sample.db",))
    async with running(bus_unit(bus), *db.units(), leader):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_killed_and_frozen_holders_lose_it(
    postgres_database: str, sample: ModuleType, child_code: Callable[[str], list[str]], tmp_path: Path
) -> None:
    command = child_code(f"URL = {postgres_database!r}\n{HOLDER}")
    assert command[0] == sys.executable

    async def child() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)

    async def line(process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        return (await process.stdout.readline()).decode().strip()

    killed, frozen = await child(), None
    try:
        assert await line(killed) == "leads 1"
        killed.kill()
        frozen = await child()
        assert await line(frozen) == "leads 2"
        os.kill(frozen.pid, signal.SIGSTOP)
        async with opened(postgres_database, tmp_path, sample) as db:
            replica = Replica(db, sample, lease_s=60)
            replica.leader._every_s = 0.1  # asks often, holds long
            await replica.leader.start()
            await replica.began.wait()
            assert replica.led[0].term == 3
            os.kill(frozen.pid, signal.SIGCONT)
            assert await line(frozen) == "stops"
            await db.write(replica.led[0].check)
            await replica.leader.stop()
    finally:
        for process in filter(None, (killed, frozen)):
            if process.returncode is None:
                process.kill()
            await process.wait()
