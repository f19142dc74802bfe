"""Reading and writing: one suite for SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Table, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

from streamgate.context import CallContext, current_call, use_call
from streamgate.sdk.db import Database, DatabaseUnavailable, insert_into
from streamgate.testing.context import bus_unit, plugin_context, running


@pytest.fixture
async def db(database: str, sample: ModuleType, tmp_path: Path) -> AsyncIterator[Database]:
    ctx = plugin_context("sample", data_dir=tmp_path, database_url=database)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    async with running(bus_unit(ctx.bus), *db.units()):
        yield db


@pytest.fixture
def things(sample: ModuleType) -> Table:
    table: Table = sample.tables.things
    return table


@pytest.fixture
def parts(sample: ModuleType) -> Table:
    table: Table = sample.tables.parts
    return table


async def ids_in(db: Database, things: Table) -> list[str]:
    return await db.read(lambda session: sorted(session.scalars(select(things.c.thing_id))))


async def test_write_answers_and_is_there_for_readers(db: Database, things: Table) -> None:
    def make(session: Session) -> str:
        session.execute(insert(things).values(thing_id="a", data={"deep": [1, "two", None]}))
        return "made"

    assert await db.write(make) == "made"
    assert await db.read(lambda session: session.execute(select(things)).all()) == [
        ("a", 0, {"deep": [1, "two", None]})
    ]


async def test_failing_write_leaves_nothing_and_harms_no_other(db: Database, things: Table) -> None:
    async def write(number: int) -> None:
        def make(session: Session) -> None:
            session.execute(insert(things).values(thing_id=f"{number:03}"))
            if number % 3 == 0:
                raise RuntimeError(f"no {number}")

        await db.write(make)

    outcomes = await asyncio.gather(*map(write, range(60)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes if outcome] == [f"no {number}" for number in range(0, 60, 3)]
    assert await ids_in(db, things) == [f"{number:03}" for number in range(60) if number % 3]


async def test_function_that_raises_stop_iteration_harms_nobody(db: Database, things: Table) -> None:
    """No future carries a StopIteration; it comes out as coroutines say it."""

    def empty(_: Session) -> str:
        return next(iter(()))

    writes = [db.write(empty), db.write(lambda session: session.execute(insert(things), {"thing_id": "b"}) and "ok")]
    async with asyncio.timeout(10):
        failed, good = await asyncio.gather(*writes, return_exceptions=True)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await db.read(empty)
    assert good == "ok"
    assert isinstance(failed, RuntimeError)
    assert isinstance(failed.__cause__, StopIteration)
    assert await db.read(lambda session: list(session.scalars(select(things.c.thing_id)))) == ["b"]


async def test_broken_constraint_is_the_writers_own_fault(db: Database, things: Table) -> None:
    async def write(thing_id: str) -> None:
        await db.write(lambda session: session.execute(insert(things).values(thing_id=thing_id)) and None)

    await write("taken")
    outcomes = await asyncio.gather(write("x"), write("taken"), write("y"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), IntegrityError, type(None)]
    assert await ids_in(db, things) == ["taken", "x", "y"]


async def test_constraint_that_breaks_at_commit_harms_no_other(db: Database, things: Table, parts: Table) -> None:
    """A grouped COMMIT fails as a whole; the others must be written all the same, and once."""

    async def write(number: int) -> None:
        def make(session: Session) -> None:
            session.execute(insert(parts).values(part_id=str(number), thing_id="ghost" if number == 5 else "a"))
            session.execute(update(things).values(count=things.c.count + 1))

        await db.write(make)

    await db.write(lambda session: session.execute(insert(things).values(thing_id="a")) and None)
    outcomes = await asyncio.gather(*map(write, range(10)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [IntegrityError]
    found = await db.read(lambda session: sorted(session.scalars(select(parts.c.part_id))))
    assert found == [str(number) for number in range(10) if number != 5]
    assert await db.read(lambda session: session.scalar(select(things.c.count))) == 9


async def test_counting_side_by_side_loses_nothing(db: Database, things: Table) -> None:
    def count(session: Session) -> None:
        session.execute(
            insert_into(session, things)
            .values(thing_id="counter", count=1)
            .on_conflict_do_update(index_elements=["thing_id"], set_={"count": things.c.count + 1})
        )

    await asyncio.gather(*(db.write(count) for _ in range(100)))
    assert await db.read(lambda session: session.scalar(select(things.c.count))) == 100


async def test_reading_function_cannot_write(db: Database, things: Table) -> None:
    with pytest.raises(DBAPIError):
        await db.read(lambda session: session.execute(insert(things).values(thing_id="sneaky")) and None)
    assert await ids_in(db, things) == []


async def test_reader_sees_one_snapshot_of_committed_rows(db: Database, things: Table) -> None:
    await db.write(lambda session: session.execute(insert(things).values(thing_id="a")) and None)
    seen: list[list[str]] = []

    def failing(session: Session) -> None:
        session.execute(insert(things).values(thing_id="never"))
        session.flush()
        raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError, match="rolled back"):
        await db.write(failing)
    seen.append(await ids_in(db, things))
    assert seen == [["a"]]


async def test_what_is_committed_between_two_questions_is_in_neither(db: Database, things: Table) -> None:
    has_asked, may_go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(session: Session) -> list[str]:
        return sorted(session.scalars(select(things.c.thing_id)))

    def ask_twice(session: Session) -> tuple[list[str], list[str]]:
        before = ask(session)
        loop.call_soon_threadsafe(has_asked.set)
        if session.get_bind().dialect.name == "postgresql":  # on the event loop, in a greenlet
            await_only(may_go_on.wait())
        else:
            asyncio.run_coroutine_threadsafe(may_go_on.wait(), loop).result(10)
        return before, ask(session)

    reading = asyncio.create_task(db.read(ask_twice))
    await has_asked.wait()
    await db.write(lambda session: session.execute(insert(things).values(thing_id="late")) and None)
    may_go_on.set()
    assert await reading == ([], [])
    assert await ids_in(db, things) == ["late"]


async def test_callers_context_reaches_the_function(db: Database) -> None:
    with use_call(CallContext(request_id="req-1")):
        assert await db.write(lambda session: current_call().request_id) == "req-1"
        assert await db.read(lambda session: current_call().request_id) == "req-1"


async def test_caller_that_gives_up_stops_nobody(db: Database, things: Table) -> None:
    async def write(number: int) -> None:
        await db.write(lambda session: session.execute(insert(things).values(thing_id=str(number))) and None)

    tasks = [asyncio.create_task(write(number)) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await write(99)
    found = await ids_in(db, things)
    assert {str(number) for number in range(1, 20, 2)} | {"99"} <= set(found)


async def test_closed_database_is_unavailable(database: str, sample: ModuleType, tmp_path: Path) -> None:
    ctx = plugin_context("sample", data_dir=tmp_path, database_url=database)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    for use in (db.write(lambda session: None), db.read(lambda session: None)):
        with pytest.raises(DatabaseUnavailable) as refused:
            await use
        assert (refused.value.code, refused.value.status) == ("db.unavailable", 503)


async def test_check_probes_the_database(db: Database, database: str) -> None:
    assert db.check().name == "database"
    assert await db.check().probe() == database.partition(":")[0]


async def test_wrong_tables_are_noticed(sample: ModuleType, tmp_path: Path) -> None:
    ctx = plugin_context("other", data_dir=tmp_path)
    with pytest.raises(TypeError, match="plugin_tables"):
        Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
