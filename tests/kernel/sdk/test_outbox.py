"""Events ride transactions: said if and only if committed, delivered at least once, done once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import attrs
import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from streamgate.bus.base import BusUnavailable, PayloadTooLarge
from streamgate.bus.memory import MemoryBus
from streamgate.context import Actor, CallContext, use_call
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import NewJob
from streamgate.events import EventsUnit, EventType, Received, on_group
from streamgate.sdk.db import Database, emit, first_time
from streamgate.sdk.db import relay as relay_module
from streamgate.sdk.jobs import request_jobs
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.wait import eventually
from streamgate.wire import from_plain


@attrs.frozen(kw_only=True)
class Moved:
    subject_id: str
    revision: int


MOVED = EventType("thing.moved", Moved)


class FlakyBus(MemoryBus):
    """A bus that is away until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = True
        self.tried = asyncio.Event()

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        self.tried.set()
        if self.is_away:
            raise BusUnavailable("away")
        await super().publish(subject, payload, message_id=message_id)


Handler = Callable[[Received[Moved]], Awaitable[None]]


class Heard:
    """Collects what a group was told."""

    def __init__(self) -> None:
        self.events: list[Received[Moved]] = []
        self._changed = asyncio.Event()

    async def __call__(self, event: Received[Moved]) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, count: int) -> list[tuple[str, int]]:
        while len(self.events) < count:
            self._changed.clear()
            await self._changed.wait()
        return [(event.body.subject_id, event.body.revision) for event in self.events]


@asynccontextmanager
async def process(
    sample: ModuleType, folder: Path, url: str, handler: Handler | None, bus: MemoryBus | None = None
) -> AsyncIterator[Database]:
    """The plugin in a process of its own (its own engine, its own bus), with a subscriber."""
    bus = bus or MemoryBus()
    ctx = plugin_context("sample", data_dir=folder, database_url=url, bus=bus)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    declared = [on_group(MOVED, handler, group="listener")] if handler is not None else []
    async with running(bus_unit(bus), *db.units(), EventsUnit(bus, declared, needs=("bus", "sample.db"))):
        yield db


async def move(db: Database, subject: str, revision: int) -> str:
    return await db.write(lambda session: emit(session, MOVED, Moved(subject_id=subject, revision=revision)))


async def rows_left(db: Database, sample: ModuleType) -> int:
    outbox = sample.tables.TABLES.tables["sample_outbox"]
    return await db.read(lambda session: session.scalar(select(func.count()).select_from(outbox))) or 0


async def until_empty(db: Database, sample: ModuleType) -> None:
    async def probe() -> bool | None:
        return True if await rows_left(db, sample) == 0 else None

    await eventually(probe, every_s=0.01, what="an empty outbox")


async def test_committed_event_arrives_with_who_did_it(database: str, sample: ModuleType, tmp_path: Path) -> None:
    heard = Heard()
    async with process(sample, tmp_path, database, heard) as db:
        with use_call(CallContext(request_id="req-7", actor=Actor(kind="user", user_id="u_1"))):
            event_id = await move(db, "a", 1)
        assert await heard.until(1) == [("a", 1)]
        await until_empty(db, sample)
    event = heard.events[0]
    assert (event.event_id, event.request_id, event.actor.user_id) == (event_id, "req-7", "u_1")


async def test_rolled_back_event_is_never_said(database: str, sample: ModuleType, tmp_path: Path) -> None:
    heard = Heard()

    def fail(session: Session) -> None:
        emit(session, MOVED, Moved(subject_id="never", revision=1))
        raise RuntimeError("no")

    async with process(sample, tmp_path, database, heard) as db:
        with pytest.raises(RuntimeError, match="no"):
            await db.write(fail)
        await move(db, "after", 1)
        assert await heard.until(1) == [("after", 1)]


async def test_event_is_on_its_way_at_once(database: str, sample: ModuleType, tmp_path: Path) -> None:
    """Woken by the commit, not found by the next poll."""
    heard = Heard()
    async with process(sample, tmp_path, database, heard) as db:
        for number in range(5):
            await move(db, "a", number)
            async with asyncio.timeout(relay_module.POLL_S / 4):
                await heard.until(number + 1)


async def test_events_of_one_subject_keep_their_order(database: str, sample: ModuleType, tmp_path: Path) -> None:
    heard = Heard()
    async with process(sample, tmp_path, database, heard) as db:
        for revision in range(40):
            await asyncio.gather(*(move(db, subject, revision) for subject in "abc"))
        await heard.until(120)
    for subject in "abc":
        revisions = [event.body.revision for event in heard.events if event.body.subject_id == subject]
        assert revisions == list(range(40))


async def test_slow_subject_holds_up_no_other(database: str, sample: ModuleType, tmp_path: Path) -> None:
    heard, gate = Heard(), asyncio.Event()

    async def handle(event: Received[Moved]) -> None:
        if event.body.subject_id == "slow":
            await gate.wait()
        await heard(event)

    async with process(sample, tmp_path, database, handle) as db:
        await move(db, "slow", 1)
        await move(db, "slow", 2)
        await move(db, "quick", 1)
        assert await heard.until(1) == [("quick", 1)]
        gate.set()
        assert await heard.until(3) == [("quick", 1), ("slow", 1), ("slow", 2)]


async def test_row_stays_until_the_group_has_handled(database: str, sample: ModuleType, tmp_path: Path) -> None:
    gate, entered = asyncio.Event(), asyncio.Event()

    async def handle(event: Received[Moved]) -> None:
        entered.set()
        await gate.wait()

    async with process(sample, tmp_path, database, handle) as db:
        await move(db, "a", 1)
        await entered.wait()
        assert await rows_left(db, sample) == 1
        gate.set()
        await until_empty(db, sample)


async def test_bus_that_is_away_is_tried_again(
    database: str, sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BACKOFF_S", (0.01,))
    heard, bus = Heard(), FlakyBus()
    async with process(sample, tmp_path, database, heard, bus) as db:
        await move(db, "a", 1)
        await bus.tried.wait()
        await move(db, "a", 2)
        await move(db, "b", 1)
        assert await rows_left(db, sample) == 3
        bus.is_away = False
        await heard.until(3)
        await until_empty(db, sample)
    assert [event.body.revision for event in heard.events if event.body.subject_id == "a"] == [1, 2]


async def test_bus_that_stays_away_does_not_hold_up_the_stop(database: str, sample: ModuleType, tmp_path: Path) -> None:
    bus, heard = FlakyBus(), Heard()
    async with asyncio.timeout(relay_module.FLUSH_S):
        async with process(sample, tmp_path, database, None, bus) as db:
            await move(db, "a", 1)
            await bus.tried.wait()
    async with process(sample, tmp_path, database, heard) as db:
        assert await heard.until(1) == [("a", 1)]


async def test_stop_says_what_was_committed(database: str, sample: ModuleType, tmp_path: Path) -> None:
    heard = Heard()
    async with process(sample, tmp_path, database, heard) as db:
        await asyncio.gather(*(move(db, str(number), 1) for number in range(30)))
    assert len(heard.events) == 30


async def test_too_large_event_fails_in_its_transaction(database: str, sample: ModuleType, tmp_path: Path) -> None:
    heard = Heard()
    async with process(sample, tmp_path, database, heard) as db:
        with pytest.raises(PayloadTooLarge):
            await move(db, "x" * 1_000_001, 1)
        assert await rows_left(db, sample) == 0


async def test_requested_jobs_are_one_event(database: str, sample: ModuleType, tmp_path: Path) -> None:
    jobs = [NewJob(kind="media.probe", payload={"n": n}, idempotency_key=f"k{n}") for n in range(2)]
    requested: asyncio.Queue[Received[JobsRequested]] = asyncio.Queue()
    bus = MemoryBus()
    ctx = plugin_context("sample", data_dir=tmp_path, database_url=database, bus=bus)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    declared = on_group(JOBS_REQUESTED, requested.put, group="worker")
    async with running(bus_unit(bus), *db.units(), EventsUnit(bus, [declared], needs=("bus",))):
        await db.write(lambda session: request_jobs(session, jobs, subject_id="c_1", revision=3))
        body = (await requested.get()).body
    assert [from_plain(NewJob, job) for job in body.jobs] == jobs
    assert body.subject_id == "c_1"


# --- crashes -------------------------------------------------------------------------------------------

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


async def test_inbox_tells_groups_apart_and_forgets_with_the_write(
    database: str, sample: ModuleType, tmp_path: Path
) -> None:
    async with process(sample, tmp_path, database, None) as db:
        assert await db.write(lambda session: first_time(session, "e1", group="one"))
        assert await db.write(lambda session: first_time(session, "e1", group="two"))
        assert not await db.write(lambda session: first_time(session, "e1", group="one"))

        def fail(session: Session) -> None:
            first_time(session, "e2", group="one")
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            await db.write(fail)
        assert await db.write(lambda session: first_time(session, "e2", group="one"))


async def test_same_event_handled_side_by_side_is_done_once(database: str, sample: ModuleType, tmp_path: Path) -> None:
    async with process(sample, tmp_path, database, None) as db:
        done = await asyncio.gather(*(db.write(lambda session: first_time(session, "e", group="g")) for _ in range(10)))
        assert sorted(done) == [False] * 9 + [True]


async def test_old_inbox_rows_are_pruned(database: str, sample: ModuleType, tmp_path: Path) -> None:
    inbox = sample.tables.TABLES.tables["sample_inbox"]
    async with process(sample, tmp_path, database, None) as db:
        await until_empty(db, sample)
        await db.write(lambda session: first_time(session, "old", group="g"))
        await db.write(lambda session: session.execute(update(inbox).values(seen_at_ms=1_000)) and None)
        await db.write(lambda session: first_time(session, "new", group="g"))
    async with process(sample, tmp_path, database, None) as db:

        async def probe() -> list[str] | None:
            left = await db.read(lambda session: list(session.scalars(select(inbox.c.event_id))))
            return left if "old" not in left else None

        assert await eventually(probe, every_s=0.01) == ["new"]


async def test_emitting_outside_a_write_is_refused(database: str, sample: ModuleType, tmp_path: Path) -> None:
    async with process(sample, tmp_path, database, None) as db:
        with pytest.raises(TypeError, match=r"Database\.write"):
            await db.read(lambda session: emit(session, MOVED, Moved(subject_id="a", revision=1)))


# --- replicas ------------------------------------------------------------------------------------------


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
