"""SQLite: one process, one writer thread, a few readers.

Files beside `streamgate.db`: `-wal` and `-shm` (SQLite's own) and `.lock`, which says who has it open.
WAL with `synchronous=FULL`: what was acknowledged survives kill -9 and power loss (*one fsync a group*).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy import Engine as SyncEngine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool

from streamgate.sdk.db.engine import DatabaseFault, DatabaseUnavailable, json_text
from streamgate.sdk.db.writer import Writer, carriable

T = TypeVar("T")

READERS = 4
BUSY_TIMEOUT_S = 5.0
REMEDY = "several processes need PostgreSQL: set STREAMGATE_DATABASE__URL=postgresql://user:password@host:port/name"


class FileLock:
    """Held by the process, gone with it, even by kill -9."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises DatabaseFault, naming the process that has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "?"
            os.close(descriptor)
            raise DatabaseFault(
                f"{self._database} is open in another process (pid {holder}), and SQLite serves one process: "
                f"stop that one, or use another STREAMGATE_DATA_DIR; {REMEDY}"
            ) from fault
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class SqliteEngine:
    """See `Engine`."""

    is_embedded = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path)
        self._write_engine: SyncEngine | None = None
        self._read_engine: SyncEngine | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._writer: Writer | None = None

    @property
    def place(self) -> str:
        return f"sqlite:///{self._path}"

    async def open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._path.touch(0o600)  # SQLite gives the files beside it the same mode
        except OSError as fault:
            raise DatabaseFault(f"{self._path} cannot be opened: {fault.strerror}") from fault
        try:
            self._write_engine = _engine(self._path, is_writer=True)
            self._read_engine = _engine(self._path, is_writer=False)
            self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
            self._writer = Writer(self._write_engine.connect)
            await self._writer.start()
        except DBAPIError as fault:
            await self.close()
            raise DatabaseFault(f"{self._path} cannot be opened: {fault.orig}") from fault
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.stop()
        if self._readers is not None:
            await asyncio.to_thread(self._readers.shutdown)
        for engine in (self._read_engine, self._write_engine):
            if engine is not None:
                engine.dispose()
        self._writer = self._readers = self._read_engine = self._write_engine = None
        self._lock.release()

    async def write(self, fn: Callable[[Session], T], info: dict[str, Any]) -> T:
        if self._writer is None:
            raise DatabaseUnavailable("the database is closed")
        return await self._writer.write(fn, info)

    async def read(self, fn: Callable[[Session], T]) -> T:
        if self._readers is None or self._read_engine is None:
            raise DatabaseUnavailable("the database is closed")
        engine, context = self._read_engine, copy_context()

        def run() -> T:
            try:
                with Session(engine, expire_on_commit=False) as session:
                    return context.run(fn, session)
            except StopIteration as fault:
                raise carriable(fault) from fault

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def alter(self, fn: Callable[[Connection], T]) -> T:
        if self._writer is None:
            raise DatabaseUnavailable("the database is closed")
        return await self._writer.alter(fn)

    @asynccontextmanager
    async def relay_turn(self, plugin: str) -> AsyncIterator[bool]:
        yield True  # nobody else can have the file open

    async def probe(self) -> str:
        await self.write(lambda session: session.execute(text("SELECT 1")), {})
        return "sqlite"


def _engine(path: Path, *, is_writer: bool) -> SyncEngine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=NullPool if is_writer else QueuePool,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False, "isolation_level": None},
        json_serializer=json_text,
        json_deserializer=orjson.loads,
        **({} if is_writer else {"pool_size": READERS, "max_overflow": 0}),
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:  # sqlite3.Connection, which SQLAlchemy types as Any
        own = ["journal_mode=WAL", "synchronous=FULL"] if is_writer else ["query_only=ON"]
        for pragma in [*own, "foreign_keys=ON", "cache_size=-16000", "temp_store=MEMORY"]:
            connection.execute(f"PRAGMA {pragma}")

    # The driver's own transactions begin late and never for DDL; ours begin where SQLAlchemy's do, and the
    # writer's take the write lock at once instead of failing half-way.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine
