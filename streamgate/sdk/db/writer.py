"""The one thread that writes a SQLite file. Writes that wait together are committed together.

Each write has a SAVEPOINT of its own, so one that fails takes nothing else with it; the COMMIT (and its fsync)
is shared. One that waits alone has the transaction to itself. Where SQLite throws the whole transaction away (disk
full, a deferred constraint at COMMIT), the writes are run again one by one: a write function may run more than once.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from streamgate.sdk.db.engine import DatabaseUnavailable

T = TypeVar("T")

MAX_GROUP = 128
"""Writes a COMMIT takes at most: bounds how long the first of them waits for the last."""


@attrs.define(eq=False)
class _Write(Generic[T]):
    fn: Callable[[Session], T]
    info: dict[str, Any]
    future: asyncio.Future[T]
    context: contextvars.Context
    result: Any = None
    error: BaseException | None = None


@attrs.define(eq=False)
class _Alter(Generic[T]):
    fn: Callable[[Connection], T]
    future: asyncio.Future[T]
    result: Any = None
    error: BaseException | None = None


class _GroupLost(Exception):
    """SQLite has rolled the whole transaction back."""


class Writer:
    """Owns the connection it is given the way to open; everything happens on its thread."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._queue: queue.SimpleQueue[_Write[Any] | _Alter[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Raises what opening the connection raises."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="sqlite-writer", daemon=True)
        self._thread.start()
        await opened

    async def stop(self) -> None:
        """Commits what was asked for, then closes."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def write(self, fn: Callable[[Session], T], info: dict[str, Any]) -> T:
        return await self._ask(lambda future: _Write(fn, info, future, contextvars.copy_context()))

    async def alter(self, fn: Callable[[Connection], T]) -> T:
        return await self._ask(lambda future: _Alter(fn, future))

    async def _ask(self, make: Callable[[asyncio.Future[T]], _Write[T] | _Alter[T]]) -> T:
        if self._thread is None or self._loop is None:
            raise DatabaseUnavailable("the database is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(make(future))
        return await future

    # --- on the thread ------------------------------------------------------------------------------

    def _run(self, opened: asyncio.Future[None]) -> None:
        assert self._loop is not None
        try:
            connection = self._connect()
        except BaseException as fault:
            self._loop.call_soon_threadsafe(opened.set_exception, fault)
            return
        self._loop.call_soon_threadsafe(opened.set_result, None)
        with connection:
            goes_on = True
            while goes_on:
                group, alter, goes_on = self._take()
                if group:
                    _commit(connection, group)
                    self._loop.call_soon_threadsafe(_settle, group)
                if alter is not None:
                    _run_alter(connection, alter)
                    self._loop.call_soon_threadsafe(_settle, [alter])

    def _take(self) -> tuple[list[_Write[Any]], _Alter[Any] | None, bool]:
        """What waits now, in order: writes for one group, an alteration behind them, whether to go on."""
        group: list[_Write[Any]] = []
        item = self._queue.get()
        while True:
            if item is None:
                return group, None, False
            if isinstance(item, _Alter):
                return group, item, True
            if not item.future.cancelled():
                group.append(item)
            if len(group) >= MAX_GROUP:
                return group, None, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, None, True


def _settle(done: list[Any]) -> None:
    for item in done:
        if item.future.done():
            continue  # whoever asked has given up; it is written all the same
        if item.error is not None:
            item.future.set_exception(carriable(item.error))
        else:
            item.future.set_result(item.result)


def _commit(connection: Connection, group: list[_Write[Any]]) -> None:
    if len(group) == 1:
        _commit_alone(connection, group[0])
        return
    try:
        with connection.begin():
            for write in group:
                _run_write(connection, write)
    except _GroupLost:
        _one_by_one(connection, group)
    except BaseException as fault:  # BEGIN or COMMIT failed
        _roll_back(connection)
        if isinstance(fault, DBAPIError) and not _is_locked(fault):
            _one_by_one(connection, group)
            return
        for write in group:
            write.error = write.error or _translated(fault)


def _commit_alone(connection: Connection, write: _Write[Any]) -> None:
    """A transaction of its own: without company a SAVEPOINT protects nobody, and costs as much as a small write."""
    session = Session(bind=connection, expire_on_commit=False, info=write.info)
    try:
        with session, session.begin():
            write.result = write.context.run(write.fn, session)
    except BaseException as fault:
        _roll_back(connection)
        write.result, write.error = None, _translated(fault)


def _roll_back(connection: Connection) -> None:
    """SQLite keeps a transaction whose COMMIT broke a constraint, and SQLAlchemy takes it as ended."""
    if _is_inside(connection):
        connection.connection.rollback()


def _one_by_one(connection: Connection, group: list[_Write[Any]]) -> None:
    for write in group:
        write.result, write.error = None, None
        _commit(connection, [write])


def _run_write(connection: Connection, write: _Write[Any]) -> None:
    session = Session(
        bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False, info=write.info
    )
    try:
        with session, session.begin():
            write.result = write.context.run(write.fn, session)
    except BaseException as fault:
        write.error = _translated(fault)
    if write.error is not None and not _is_inside(connection):
        raise _GroupLost from write.error


def _run_alter(connection: Connection, alter: _Alter[Any]) -> None:
    """Table changes copy tables, so foreign keys are checked once at the end instead of at each step."""
    try:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.commit()
        with connection.begin():
            alter.result = alter.fn(connection)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise ValueError(f"the change leaves {len(broken)} rows that refer to nothing, in {broken[0][0]}")
    except BaseException as fault:
        alter.error = fault
    finally:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.commit()


def _is_inside(connection: Connection) -> bool:
    """Whether SQLite still has our transaction open."""
    inside: bool = connection.connection.dbapi_connection.in_transaction  # type: ignore[union-attr]
    return inside


def _is_locked(fault: DBAPIError) -> bool:
    return "locked" in str(fault.orig)


def _translated(fault: BaseException) -> BaseException:
    """A database that cannot now is an `Unavailable`; everything else is the write's own fault."""
    if isinstance(fault, OperationalError) and any(
        sign in str(fault.orig) for sign in ("locked", "full", "disk I/O", "readonly", "unable to open")
    ):
        unavailable = DatabaseUnavailable(f"SQLite: {fault.orig}", retry_after_s=1)
        unavailable.__cause__ = fault
        return unavailable
    return fault


def carriable(fault: BaseException) -> BaseException:
    """What a future takes: a StopIteration becomes a RuntimeError, as it does where a coroutine raises it."""
    if not isinstance(fault, StopIteration):
        return fault
    told = RuntimeError("the function raised StopIteration")
    told.__cause__ = fault
    return told
