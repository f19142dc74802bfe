"""A plugin's view of the database: its tables, its outbox, its migrations, on the engine all plugins share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from streamgate.health import Check
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import PluginContext
from streamgate.sdk.db.engine import DatabaseFault, SharedEngine, database_url, open_engine
from streamgate.sdk.db.migrate import Migrations
from streamgate.sdk.db.outbox import SCOPE, Scope
from streamgate.sdk.db.relay import Relay
from streamgate.sdk.db.tables import OWN_FILE, inbox_of, outbox_of

T = TypeVar("T")


class Database:
    """Made by `for_plugin`; usable while its units run.

    Repository functions get a session, return domain values, never commit and await nothing. A write may be run
    again (a grouped commit that SQLite threw away, a deadlock in PostgreSQL), so it must not change anything
    but the session.
    """

    def __init__(
        self, plugin: str, shared: SharedEngine, tables: MetaData, migrations: Migrations, relay: Relay, source: str
    ) -> None:
        self._plugin = plugin
        self._shared = shared
        self._engine = shared.engine
        self._tables = tables
        self._migrations = migrations
        self._relay = relay
        self._source = source

    @classmethod
    def for_plugin(cls, ctx: PluginContext, tables: MetaData, *, migrations: str) -> Database:
        """Opens nothing yet.

        Args:
            tables: from `plugin_tables(ctx.name)`.
            migrations: name of the package that holds `versions/`, e.g. `streamgate_upload.migrations`.

        Raises:
            DatabaseFault: the configured URL is no database we speak to.
        """
        if tables.info.get("plugin") != ctx.name:
            raise TypeError(f"plugin {ctx.name!r}: its tables come from plugin_tables({ctx.name!r})")
        url = database_url(ctx.settings, tables.info[OWN_FILE])
        shared = ctx.shared(
            ("streamgate.db", url), lambda: SharedEngine(open_engine(url, pool_size=ctx.settings.database.pool_size))
        )
        relay = Relay(ctx.name, shared.engine, tables, ctx.events, needs=(f"{ctx.name}.db", "events"))
        return cls(ctx.name, shared, tables, Migrations(ctx.name, migrations), relay, ctx.events.source)

    async def write(self, fn: Callable[[Session], T]) -> T:
        """Runs `fn` in a transaction of its own; returns its answer when it is committed. A raising `fn` leaves
        nothing behind, and its exception comes out here.

        Raises:
            DatabaseUnavailable: `db.unavailable`.
        """
        scope = Scope(outbox=outbox_of(self._tables), inbox=inbox_of(self._tables), source=self._source)
        try:
            return await self._engine.write(fn, {SCOPE: scope})
        finally:
            if scope.emitted:
                self._relay.wake()

    async def read(self, fn: Callable[[Session], T]) -> T:
        """Runs `fn` on a snapshot of what is committed; writing in it raises.

        Raises:
            DatabaseUnavailable: `db.unavailable`.
        """
        return await self._engine.read(fn)

    def units(self) -> list[Unit]:
        """`<plugin>.db` (open, and upgrade or check the tables) and `<plugin>.outbox` (the relay). Units that use
        the database need `<plugin>.db`."""
        return [SimpleUnit(f"{self._plugin}.db", self._start, self._shared.use.release), self._relay]

    def check(self) -> Check:
        return Check("database", self._engine.probe)

    async def _start(self) -> None:
        await self._shared.use.acquire()
        try:
            if await self._engine.read(lambda session: self._migrations.is_current(session.connection())):
                return
            if not self._engine.is_embedded:
                raise DatabaseFault(
                    f"{self._engine.place}: the tables of {self._plugin} are behind; run `streamgate db upgrade`"
                )
            await self._engine.alter(self._migrations.upgrade)
        except BaseException:
            await self._shared.use.release()
            raise
