"""What only SQLite does: one file, one process, one writer."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType

import attrs
import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.orm import Session

from streamgate.lifecycle import StartFailed
from streamgate.sdk.db import Database, DatabaseFault, DatabaseUnavailable, plugin_tables
from streamgate.sdk.db.engine import database_url
from streamgate.sdk.db.sqlite import SqliteEngine
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.context import plugin_context, running


@pytest.fixture
async def db(sample: ModuleType, tmp_path: Path) -> AsyncIterator[Database]:
    ctx = plugin_context("sample", data_dir=tmp_path)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    async with running(db.units()[0]):
        yield db


async def test_writes_that_wait_together_are_committed_together(db: Database, sample: ModuleType) -> None:
    engine = db._engine
    assert isinstance(engine, SqliteEngine)
    assert engine._write_engine is not None
    commits: list[object] = []
    event.listen(engine._write_engine, "commit", commits.append)

    async def write(number: int) -> None:
        row = insert(sample.tables.things).values(thing_id=str(number))
        await db.write(lambda session: session.execute(row) and None)

    await asyncio.gather(*map(write, range(200)))
    assert len(commits) <= 20


async def test_what_is_acknowledged_survives_kill_9(
    tmp_path: Path, sample: ModuleType, child_code: Callable[[str], list[str]]
) -> None:
    code = """
import asyncio, os, signal
from pathlib import Path
from sample_plugin.tables import TABLES, things
from sqlalchemy import insert
from streamgate.sdk.db import Database
from streamgate.testing.context import plugin_context, running

async def main():
    ctx = plugin_context("sample", data_dir=Path("."))
    db = Database.for_plugin(ctx, TABLES, migrations="sample_plugin.migrations")
    async with running(db.units()[0]):
        for number in range(50):
            await db.write(lambda session: session.execute(insert(things).values(thing_id=str(number))) and None)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(*child_code(code), cwd=tmp_path)
    assert await child.wait() == -9
    db = Database.for_plugin(
        plugin_context("sample", data_dir=tmp_path), sample.tables.TABLES, migrations="sample_plugin.migrations"
    )
    async with running(db.units()[0]):
        assert len(await db.read(lambda session: list(session.scalars(select(sample.tables.things.c.thing_id))))) == 50


async def test_files_are_their_owners_alone(db: Database, tmp_path: Path) -> None:
    await db.write(lambda session: None)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("streamgate.db*")}
    assert {"streamgate.db", "streamgate.db-wal", "streamgate.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_pragmas(db: Database) -> None:
    def pragmas(session: Session) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return {name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert await db.write(pragmas) == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_second_process_is_refused_with_the_remedy(db: Database, tmp_path: Path) -> None:
    other = SqliteEngine(tmp_path / "streamgate.db")
    with pytest.raises(DatabaseFault) as fault:
        await other.open()
    assert f"pid {os.getpid()}" in str(fault.value)
    assert "STREAMGATE_DATABASE__URL=postgresql://" in str(fault.value)


async def test_lock_of_a_killed_process_is_gone(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from streamgate.sdk.db.sqlite import SqliteEngine\n"
        "async def main():\n"
        "    await SqliteEngine(Path(sys.argv[1])).open(); print('open', flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    path = tmp_path / "x.db"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    with pytest.raises(DatabaseFault, match=f"pid {child.pid}"):
        await SqliteEngine(path).open()
    child.kill()
    await child.wait()
    engine = SqliteEngine(path)
    await engine.open()
    await engine.close()


async def test_lock_of_a_stranger_is_waited_for_and_then_named(
    db: Database, sample: ModuleType, tmp_path: Path
) -> None:
    """Somebody has the file open in a tool and holds a transaction."""
    engine = db._engine
    assert isinstance(engine, SqliteEngine)
    await engine.alter(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=50") and None)
    stranger = sqlite3.connect(tmp_path / "streamgate.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    row = insert(sample.tables.things).values(thing_id="a")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await db.write(lambda session: session.execute(row) and None)
    stranger.execute("ROLLBACK")
    stranger.close()
    await db.write(lambda session: session.execute(row) and None)


async def test_plugins_share_the_writer_until_the_last_one_stops(sample: ModuleType, tmp_path: Path) -> None:
    ctx = plugin_context("sample", data_dir=tmp_path)
    other_tables = plugin_tables("other")
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    other = Database.for_plugin(attrs.evolve(ctx, name="other"), other_tables, migrations="sample_plugin.migrations")
    assert other._engine is db._engine
    async with running(db.units()[0]):
        await other._shared.use.acquire()
        await other._shared.use.release()
        assert await db.write(lambda session: 1) == 1


async def test_plugin_may_have_a_file_of_its_own(sample: ModuleType, tmp_path: Path) -> None:
    settings = KernelSettings(data_dir=tmp_path)
    assert database_url(settings, "telemetry.db").database == str(tmp_path / "telemetry.db")
    ctx = plugin_context("own", data_dir=tmp_path)
    own = Database.for_plugin(ctx, plugin_tables("own", own_file="own.db"), migrations="sample_plugin.migrations")
    shared = Database.for_plugin(
        attrs.evolve(ctx, name="sample"), sample.tables.TABLES, migrations="sample_plugin.migrations"
    )
    assert own._engine.place == f"sqlite:///{tmp_path}/own.db"
    assert shared._engine.place == f"sqlite:///{tmp_path}/streamgate.db"


async def test_file_that_is_no_database_is_a_start_fault(sample: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "streamgate.db").write_bytes(b"this is not a database" * 100)
    db = Database.for_plugin(
        plugin_context("sample", data_dir=tmp_path), sample.tables.TABLES, migrations="sample_plugin.migrations"
    )
    with pytest.raises(StartFailed, match=r"streamgate\.db cannot be opened"):
        async with running(db.units()[0]):
            pass


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sqlite://", "not supported"),
        ("sqlite:///:memory:", "not supported"),
        ("postgresql:what is this", "cannot be read"),
    ],
)
def test_other_databases_are_refused(text: str, fault: str) -> None:
    with pytest.raises(DatabaseFault, match=fault):
        database_url(KernelSettings(database=DatabaseSettings(url=Secret(text))))
