"""Events ride transactions: said if and only if committed, in the order of their subject."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy.orm import Session

from streamgate.bus.base import BusUnavailable, PayloadTooLarge
from streamgate.bus.memory import MemoryBus
from streamgate.context import Actor, CallContext, use_call
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import NewJob
from streamgate.events import EventsUnit, Received, on_group
from streamgate.sdk.db import Database, emit
from streamgate.sdk.db import relay as relay_module
from streamgate.sdk.jobs import request_jobs
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.wire import from_plain
from tests.kernel.sdk.outbox import MOVED, Heard, Moved, move, process, rows_left, until_empty


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


async def test_emitting_outside_a_write_is_refused(database: str, sample: ModuleType, tmp_path: Path) -> None:
    async with process(sample, tmp_path, database, None) as db:
        with pytest.raises(TypeError, match=r"Database\.write"):
            await db.read(lambda session: emit(session, MOVED, Moved(subject_id="a", revision=1)))
