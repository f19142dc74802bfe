"""PostgreSQL by asyncpg. Repository functions run in a greenlet (`AsyncSession.run_sync`)."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]
import orjson
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from streamgate.sdk.db.engine import DatabaseFault, DatabaseUnavailable, json_text

T = TypeVar("T")

ATTEMPTS = 6
RETRIED = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
AWAY = frozenset({"55P03", "25P03"})  # lock_not_available, idle_in_transaction_session_timeout: waited long enough
OVERFLOW = 8
CONNECT_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 5.0
LOCK_TIMEOUT_S = 5.0
"""For another transaction's row; deadlocks are found after 1 s."""
IDLE_TIMEOUT_S = 15.0
"""After which the server ends the transaction of a process that is frozen or cut off, and its locks with it."""
COMMAND_TIMEOUT_S = 20.0
"""For the answer to one statement, where the server or the network says nothing."""
ON_SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""By default each statement would see what was committed before it, and not what the one before saw."""
ALTER_LOCK = 0x5347_6462  # "SGdb": held while tables change
RELAY_LOCK = 0x5347_6F62  # "SGob": beside the plugin's number, held by the process that relays its outbox


class PostgresEngine:
    """See `Engine`.

    One connection apart from the pool holds the advisory locks of the relays: a relay waits for event handlers,
    which need the pool, so it must not sit on a pooled connection meanwhile. Advisory locks belong to a session,
    so a connection pooler in front must not share sessions between transactions.
    """

    is_embedded = False

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self._url = url
        self._pool_size = pool_size
        self._engine: AsyncEngine | None = None
        self._lock_engine: AsyncEngine | None = None
        self._lock_connection: AsyncConnection | None = None
        self._lock_turn = asyncio.Lock()

    @property
    def place(self) -> str:
        return f"postgresql://{self._url.host or ''}:{self._url.port or 5432}/{self._url.database}"

    async def open(self) -> None:
        self._engine = _engine(self._url, pool_size=self._pool_size, max_overflow=OVERFLOW, pool_timeout=POOL_TIMEOUT_S)
        self._lock_engine = _engine(self._url, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT")
        try:
            await self.probe()
        except DatabaseUnavailable as fault:
            await self.close()
            raise DatabaseFault(f"{self.place}: {fault.detail}") from fault
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        await self._drop_lock_connection()
        for engine in (self._engine, self._lock_engine):
            if engine is not None:
                await engine.dispose()
        self._engine = self._lock_engine = None

    async def write(self, fn: Callable[[Session], T], info: dict[str, Any]) -> T:
        is_committing = False

        async def attempt(engine: AsyncEngine) -> T:
            nonlocal is_committing
            is_committing = False
            async with AsyncSession(engine, expire_on_commit=False, info=info) as session:
                result = await session.run_sync(fn)
                is_committing = True
                await session.commit()
                return result

        # A connection lost at COMMIT may have committed: only what is known to be undone is run again.
        return await self._retried(attempt, lambda: not is_committing)

    async def read(self, fn: Callable[[Session], T]) -> T:
        async def attempt(engine: AsyncEngine) -> T:
            async with AsyncSession(engine, expire_on_commit=False) as session:
                await session.connection(execution_options=ON_SNAPSHOT)
                return await session.run_sync(fn)

        return await self._retried(attempt, lambda: True)

    async def alter(self, fn: Callable[[Connection], T]) -> T:
        async def attempt(_: AsyncEngine) -> T:
            engine = _engine(self._url, is_bounded=False, poolclass=NullPool)
            async with engine.begin() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ALTER_LOCK})
                return await connection.run_sync(fn)

        return await self._retried(attempt, lambda: False)

    @asynccontextmanager
    async def relay_turn(self, plugin: str) -> AsyncIterator[bool]:
        key = {"relay": RELAY_LOCK, "plugin": zlib.crc32(plugin.encode()) - 2**31}
        has_turn = bool(await self._ask_lock("SELECT pg_try_advisory_lock(:relay, :plugin)", key))
        try:
            yield has_turn
        finally:
            if has_turn:
                await self._ask_lock("SELECT pg_advisory_unlock(:relay, :plugin)", key)

    async def probe(self) -> str:
        await self.read(lambda session: session.execute(text("SELECT 1")))
        return "postgresql"

    async def _retried(self, attempt: Callable[[AsyncEngine], Awaitable[T]], is_undone: Callable[[], bool]) -> T:
        if self._engine is None:
            raise DatabaseUnavailable("the database is closed")
        for number in range(1, ATTEMPTS + 1):
            try:
                return await attempt(self._engine)
            except DBAPIError as fault:
                state = getattr(fault.orig, "sqlstate", None)
                may_repeat = state in RETRIED or (fault.connection_invalidated and is_undone())
                if not may_repeat or number == ATTEMPTS:
                    raise _translated(fault, state) from fault
            except (OSError, PoolTimeout, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
                raise DatabaseUnavailable(f"{type(fault).__name__}: {fault}", retry_after_s=1) from fault
            await asyncio.sleep(random.uniform(0, 0.005 * 2**number))  # noqa: S311 (spreads retries, no secret)
        raise AssertionError("unreachable")

    # --- the connection that holds locks --------------------------------------------------------------

    async def _ask_lock(self, statement: str, key: dict[str, int]) -> Any:
        async with self._lock_turn:
            try:
                if self._lock_connection is None:
                    if self._lock_engine is None:
                        raise DatabaseUnavailable("the database is closed")
                    self._lock_connection = await self._lock_engine.connect()
                return await self._lock_connection.scalar(text(statement), key)
            except (DBAPIError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
                await self._drop_lock_connection()  # its locks are gone with it: others may relay
                raise DatabaseUnavailable("the relay's connection was lost", retry_after_s=1) from fault

    async def _drop_lock_connection(self) -> None:
        connection, self._lock_connection = self._lock_connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()


def _engine(url: URL, *, is_bounded: bool = True, **options: Any) -> AsyncEngine:
    """`is_bounded`: waits for locks and answers end. Changing large tables takes as long as it takes."""
    query = dict(url.query)
    if "sslmode" in query:  # libpq's word; asyncpg takes the same values as `ssl`
        query["ssl"] = query.pop("sslmode")
    connect_args: dict[str, Any] = {"timeout": CONNECT_TIMEOUT_S}
    if is_bounded:
        bounds_s = {"lock_timeout": LOCK_TIMEOUT_S, "idle_in_transaction_session_timeout": IDLE_TIMEOUT_S}
        connect_args["server_settings"] = {name: f"{bound_s * 1000:.0f}" for name, bound_s in bounds_s.items()}
        connect_args["command_timeout"] = COMMAND_TIMEOUT_S
    return create_async_engine(
        url.set(query=query),
        connect_args=connect_args,
        json_serializer=json_text,
        json_deserializer=orjson.loads,
        **options,
    )


def _translated(fault: DBAPIError, state: str | None) -> Exception:
    """Connection trouble, waits that ended, shutdown, a full disk: unavailable. The rest is the query's own."""
    if fault.connection_invalidated or state in RETRIED | AWAY or (state or "")[:2] in ("08", "53", "57"):
        cause = getattr(fault.orig, "__cause__", None) or fault.orig  # SQLAlchemy wraps the driver's
        return DatabaseUnavailable(f"PostgreSQL: {type(cause).__name__}", retry_after_s=1)
    return fault
