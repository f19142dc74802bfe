"""What only PostgreSQL does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.orm import Session

from streamgate.lifecycle import StartFailed
from streamgate.sdk.db import Database, DatabaseUnavailable, postgres
from streamgate.sdk.db.postgres import PostgresEngine
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.servers import PostgresServer


def database_of(url: str, sample: ModuleType, folder: Path) -> Database:
    ctx = plugin_context("sample", data_dir=folder, database_url=url)
    return Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")


@pytest.fixture
async def db(postgres_database: str, sample: ModuleType, tmp_path: Path) -> AsyncIterator[Database]:
    db = database_of(postgres_database, sample, tmp_path)
    async with running(db.units()[0]):
        yield db


HELD = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND objid IN (97, 98)
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""  # 97, 98: a and b


async def test_deadlock_is_run_again(db: Database, sample: ModuleType) -> None:
    things = sample.tables.things
    runs: list[str] = []

    def touch(session: Session, first: str, second: str) -> None:
        runs.append(first)
        session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
        session.execute(update(things).where(things.c.thing_id == first).values(count=things.c.count + 1))
        if len(runs) <= 2:  # each has its row before it wants the other's
            session.execute(text("SELECT pg_advisory_xact_lock(:row)"), {"row": ord(first)})
            while (session.scalar(text(HELD)) or 0) < 2:
                session.execute(text("SELECT pg_sleep(0.005)"))
        session.execute(update(things).where(things.c.thing_id == second).values(count=things.c.count + 1))

    await db.write(lambda session: session.execute(insert(things), [{"thing_id": "a"}, {"thing_id": "b"}]) and None)
    await asyncio.gather(
        db.write(lambda session: touch(session, "a", "b")), db.write(lambda session: touch(session, "b", "a"))
    )
    assert await db.read(lambda session: list(session.scalars(select(things.c.count)))) == [2, 2]
    assert len(runs) > 2


async def test_connection_that_was_cut_is_replaced(db: Database, postgres_server: PostgresServer) -> None:
    pid = await db.read(lambda session: session.scalar(text("SELECT pg_backend_pid()")))
    await asyncio.to_thread(postgres_server.execute, f"SELECT pg_terminate_backend({pid}, 5000)")
    assert await db.write(lambda session: session.scalar(text("SELECT 1"))) == 1


@asynccontextmanager
async def opened(url: str, sample: ModuleType, folder: Path) -> AsyncIterator[PostgresEngine]:
    """An engine that takes the bounds of this moment."""
    engine = database_of(url, sample, folder)._engine
    assert isinstance(engine, PostgresEngine)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


async def test_wait_for_a_lock_is_bounded(
    postgres_database: str, sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT_S", 0.2)
    things, has_lock, may_end = sample.tables.things, asyncio.Event(), asyncio.Event()
    touch = update(things).where(things.c.thing_id == "a").values(count=things.c.count + 1)
    async with opened(postgres_database, sample, tmp_path) as engine:
        await engine.write(lambda session: session.execute(insert(things), {"thing_id": "a"}) and None, {})

        async def hold() -> None:
            assert engine._engine is not None
            async with engine._engine.begin() as connection:
                await connection.execute(touch)
                has_lock.set()
                await may_end.wait()

        holding = asyncio.create_task(hold())
        await has_lock.wait()
        async with asyncio.timeout(5):
            with pytest.raises(DatabaseUnavailable, match="LockNotAvailable") as raised:
                await engine.write(lambda session: session.execute(touch) and None, {})
        assert raised.value.retryable
        may_end.set()
        await holding
        await engine.write(lambda session: session.execute(touch) and None, {})
        assert await engine.read(lambda session: session.scalar(select(things.c.count))) == 2


async def test_statement_without_an_answer_is_given_up(
    postgres_database: str, sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "COMMAND_TIMEOUT_S", 0.2)
    slow = text("SELECT pg_sleep(30)")
    async with opened(postgres_database, sample, tmp_path) as engine, asyncio.timeout(10):
        with pytest.raises(DatabaseUnavailable):
            await engine.read(lambda session: session.execute(slow) and None)
        with pytest.raises(DatabaseUnavailable):
            await engine.write(lambda session: session.execute(slow) and None, {})
        assert await engine.probe() == "postgresql"


async def test_transaction_that_idles_is_ended_and_run_again(
    postgres_database: str, sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a process is frozen: the server does not keep its locks for it."""
    monkeypatch.setattr(postgres, "IDLE_TIMEOUT_S", 0.2)
    things, runs = sample.tables.things, 0

    def work(session: Session) -> None:
        nonlocal runs
        runs += 1
        session.execute(insert(things), {"thing_id": "a"})
        if runs == 1:
            time.sleep(0.8)
        session.execute(insert(things), {"thing_id": "b"})

    async with opened(postgres_database, sample, tmp_path) as engine:
        await engine.write(work, {})
        assert await engine.read(lambda session: sorted(session.scalars(select(things.c.thing_id)))) == ["a", "b"]
    assert runs == 2


async def test_changing_tables_takes_as_long_as_it_takes(
    postgres_database: str, sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("COMMAND_TIMEOUT_S", "LOCK_TIMEOUT_S", "IDLE_TIMEOUT_S"):
        monkeypatch.setattr(postgres, bound, 0.2)

    def work(connection: Connection) -> list[str]:
        connection.execute(text("SELECT pg_sleep(0.5)"))
        names = ("lock_timeout", "idle_in_transaction_session_timeout")
        return [connection.scalar(text(f"SHOW {name}")) for name in names]

    async with opened(postgres_database, sample, tmp_path) as engine:
        assert await engine.alter(work) == ["0", "0"]


async def test_restart_of_the_server_is_survived(sample: ModuleType, tmp_path: Path) -> None:
    with PostgresServer() as server:
        db = database_of(server.create_database(), sample, tmp_path)
        engine = db._engine
        await engine.open()
        await engine.read(lambda session: None)
        await asyncio.to_thread(server.kill)
        with pytest.raises(DatabaseUnavailable):
            await db.read(lambda session: session.scalar(text("SELECT 1")))
        with pytest.raises(DatabaseUnavailable):
            await db.check().probe()
        await asyncio.to_thread(server.start)
        assert await db.read(lambda session: session.scalar(text("SELECT 1"))) == 1
        await engine.close()


async def test_tables_that_are_behind_stop_the_start_with_the_remedy(
    sample: ModuleType, tmp_path: Path, postgres_url: str
) -> None:
    with pytest.raises(StartFailed, match="streamgate db upgrade") as fault:
        async with running(*database_of(postgres_url, sample, tmp_path).units()[:1]):
            pass
    assert "postgresql://127.0.0.1" in str(fault.value)


async def test_server_that_is_away_stops_the_start_without_its_password(sample: ModuleType, tmp_path: Path) -> None:
    db = database_of("postgresql://user:hunter2@127.0.0.1:1/none", sample, tmp_path)
    with pytest.raises(StartFailed) as fault:
        async with running(bus_unit(plugin_context("x", data_dir=tmp_path).bus), *db.units()[:1]):
            pass
    assert "127.0.0.1:1/none" in str(fault.value)
    assert "hunter2" not in str(fault.value)
