"""What a database is to us, and the one that all plugins of a process share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson
from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from streamgate.errors import Unavailable
from streamgate.sdk.shared import SharedUse
from streamgate.settings import KernelSettings

T = TypeVar("T")


class DatabaseUnavailable(Unavailable):
    """The database could not be asked, or not now; nothing was written unless the detail says so."""

    code, title = "db.unavailable", "The database is unavailable"


class DatabaseFault(Exception):
    """The process cannot start with this database; the message says what to do."""


def json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


class Engine(Protocol):
    """One database. `open` and `close` once each; everything else in between, from one event loop."""

    @property
    def is_embedded(self) -> bool:
        """SQLite: this process is the only one, and may upgrade the tables by itself."""

    @property
    def place(self) -> str:
        """Where it is, for people: no password."""

    async def open(self) -> None:
        """Raises DatabaseFault."""

    async def close(self) -> None: ...

    async def write(self, fn: Callable[[Session], T], info: dict[str, Any]) -> T:
        """Runs `fn` in a transaction; returns when it is committed. `info` becomes `session.info`."""

    async def read(self, fn: Callable[[Session], T]) -> T:
        """Runs `fn` on a snapshot. Writing raises."""

    async def alter(self, fn: Callable[[Connection], T]) -> T:
        """Runs `fn`, which changes tables, in one transaction, alone among all processes."""

    def relay_turn(self, plugin: str) -> AbstractAsyncContextManager[bool]:
        """Whether this process is the one that may relay the plugin's outbox now; held while inside."""

    async def probe(self) -> str:
        """Raises when a write would not go through."""


class SharedEngine:
    """The engine all plugins of a process share, and its use by them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.use = SharedUse(engine.open, engine.close)


def database_url(settings: KernelSettings, own_file: str = "") -> URL:
    """Where the tables live.

    Args:
        own_file: on the embedded default, another file in the data directory than `streamgate.db`.

    Raises:
        DatabaseFault: the URL cannot be read, or names a database we do not speak to.
    """
    text = settings.database.url.reveal()
    if not text:
        return _file(settings.data_dir / (own_file or "streamgate.db"))
    try:
        url = make_url(text)
    except ArgumentError as fault:
        raise DatabaseFault("database.url cannot be read; write postgresql://user:password@host:port/name") from fault
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and url.database != ":memory:":
        path = Path(url.database)
        return _file(path.with_name(own_file) if own_file else path)
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+asyncpg")
    raise DatabaseFault(f"database.url: {backend}: is not supported; use sqlite:///path or postgresql://…")


def _file(path: Path) -> URL:
    return URL.create("sqlite+pysqlite", database=str(path.absolute()))


def open_engine(url: URL, *, pool_size: int) -> Engine:
    """The engine for a URL from `database_url`; nothing is opened yet."""
    if url.get_backend_name() == "sqlite":
        from streamgate.sdk.db.sqlite import SqliteEngine

        return SqliteEngine(Path(url.database or ""))
    from streamgate.sdk.db.postgres import PostgresEngine

    return PostgresEngine(url, pool_size=pool_size)
