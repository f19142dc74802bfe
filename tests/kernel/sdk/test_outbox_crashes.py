"""Events outlive who said them: processes killed in between, and replicas that take turns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from streamgate.bus.base import BusUnavailable
from streamgate.bus.memory import MemoryBus
from streamgate.events import Received
from streamgate.sdk.db import Database, first_time
from tests.kernel.sdk.outbox import Heard, Moved, move, process, until_empty

COMMITS_AND_HANGS = """
import asyncio, sys
from pathlib import Path
from sample_plugin.tables import TABLES, things
import attrs
from sqlalchemy import insert
from streamgate.bus.memory import MemoryBus
from streamgate.events import EventType, EventsUnit
from streamgate.sdk.db import Database, emit
from streamgate.testing.context import bus_unit, plugin_context, running

@attrs.frozen(kw_only=True)
class Moved:
    subject_id: str
    revision: int

class HangingBus(MemoryBus):
    async def publish(self, subject, payload, *, message_id):
        await asyncio.Event().wait()

async def main():
    bus = HangingBus()
    ctx = plugin_context("sample", data_dir=Path("."), database_url=sys.argv[1], bus=bus)
    db = Database.for_plugin(ctx, TABLES, migrations="sample_plugin.migrations")
    async with running(bus_unit(bus), *db.units(), EventsUnit(bus, [], needs=("bus",))):
        def work(session):
            session.execute(insert(things).values(thing_id="made"))
            emit(session, EventType("thing.moved", Moved), Moved(subject_id="made", revision=1))
        await db.write(work)
        print("committed", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_kill_9_between_commit_and_publish_loses_nothing(
    database: str, sample: ModuleType, tmp_path: Path, child_code: Callable[[str], list[str]]
) -> None:
    child = await asyncio.create_subprocess_exec(
        *child_code(COMMITS_AND_HANGS), database, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"committed\n"
    child.kill()
    await child.wait()
    heard = Heard()
    async with process(sample, tmp_path, database, heard) as db:
        assert await heard.until(1) == [("made", 1)]
        assert await db.read(lambda session: session.scalar(select(sample.tables.things.c.thing_id))) == "made"
        await until_empty(db, sample)


class DyingBus(MemoryBus):
    """Delivers, and then the process is gone before it could note that."""

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        await super().publish(subject, payload, message_id=message_id)
        raise BusUnavailable("killed here")


async def test_event_delivered_twice_is_done_once(database: str, sample: ModuleType, tmp_path: Path) -> None:
    things = sample.tables.things
    heard = Heard()
    doer: list[Database] = []

    async def handle(event: Received[Moved]) -> None:
        def work(session: Session) -> bool:
            if not first_time(session, event.event_id, group="listener"):
                return False
            session.execute(update(things).values(count=things.c.count + 1))
            return True

        await doer[-1].write(work)
        await heard(event)

    async with process(sample, tmp_path, database, handle, DyingBus()) as db:
        doer.append(db)
        await db.write(lambda session: session.execute(insert(things).values(thing_id="a")) and None)
        await move(db, "a", 1)
        await heard.until(1)
    async with process(sample, tmp_path, database, handle) as db:
        doer.append(db)
        await heard.until(2)
        await until_empty(db, sample)
        assert heard.events[0].event_id == heard.events[1].event_id
        assert await db.read(lambda session: session.scalar(select(things.c.count))) == 1


class SharedRecord(MemoryBus):
    """What all replicas publish, in order, with who published it. A stand-in for NATS, which is tested elsewhere."""

    def __init__(self, name: str, record: list[tuple[str, str, int]]) -> None:
        super().__init__()
        self._name = name
        self._record = record

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        await asyncio.sleep(0)
        body = json.loads(payload)["body"]
        self._record.append((self._name, body["subject_id"], body["revision"]))


async def test_replicas_publish_each_event_once_and_in_order(
    postgres_database: str, sample: ModuleType, tmp_path: Path
) -> None:
    record: list[tuple[str, str, int]] = []
    one, two = SharedRecord("one", record), SharedRecord("two", record)
    async with (
        process(sample, tmp_path, postgres_database, None, one) as first,
        process(sample, tmp_path, postgres_database, None, two) as second,
    ):
        for revision in range(30):
            await move((first, second)[revision % 2], "a", revision)
        await until_empty(first, sample)
    assert [revision for _, _, revision in record] == list(range(30))


async def test_replica_that_dies_hands_its_outbox_over(
    postgres_database: str,
    sample: ModuleType,
    tmp_path: Path,
    child_code: Callable[[str], list[str]],
) -> None:
    child = await asyncio.create_subprocess_exec(
        *child_code(COMMITS_AND_HANGS), postgres_database, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    heard = Heard()
    async with process(sample, tmp_path, postgres_database, heard) as db:
        await move(db, "b", 1)
        assert heard.events == []  # the other one has the turn, and hangs
        child.kill()
        await child.wait()
        assert sorted(await heard.until(2)) == [("b", 1), ("made", 1)]
