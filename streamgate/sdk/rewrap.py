"""All keys that lie in the database, wrapped anew under the master key in use.

Which columns hold them their tables say (`WRAPPED`). One transaction a plugin: a crash in between leaves every row
under the former key or the one in use, and as long as both are configured all of them open. Running it again does
what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import attrs
from sqlalchemy import Column, CursorResult, MetaData, Table, inspect, select, update
from sqlalchemy.orm import Session

from streamgate.plugins import PluginInfo
from streamgate.sdk.db.engine import database_url, open_engine
from streamgate.sdk.db.migrate import migrations_of, tables_of
from streamgate.sdk.db.tables import OWN_FILE, WRAPPED
from streamgate.sdk.secrets import MasterKey, MasterKeyFault
from streamgate.settings import KernelSettings


@attrs.frozen(kw_only=True)
class Rewrapped:
    """Of one plugin: how many wrapped keys it has, and how many of them were under a former master key."""

    plugin: str
    keys: int
    changed: int


def wrapped_columns(tables: MetaData) -> list[Column[bytes]]:
    return [column for table in tables.sorted_tables for column in table.columns if WRAPPED in column.info]


async def rewrap_all(
    settings: KernelSettings, plugins: Sequence[PluginInfo], master: MasterKey, *, dry_run: bool = False
) -> list[Rewrapped]:
    """Rewraps the keys of all plugins that have some; with `dry_run` it counts only.

    Raises:
        DatabaseFault: the database cannot be opened (SQLite: somebody has it open).
        MasterKeyFault: a key opens with none of the master keys; nothing of that plugin was changed.
    """
    done: list[Rewrapped] = []
    for info in plugins:
        if not info.uses_database:
            continue
        tables = tables_of(migrations_of(info).package.rpartition(".")[0])
        columns = wrapped_columns(tables)
        if not columns:
            continue
        engine = open_engine(database_url(settings, tables.info[OWN_FILE]), pool_size=1)
        await engine.open()
        try:
            work = partial(_rewrap, columns, master, dry_run)
            keys, changed = await (engine.read(work) if dry_run else engine.write(work, {}))
        finally:
            await engine.close()
        done.append(Rewrapped(plugin=info.name, keys=keys, changed=changed))
    return done


def _rewrap(columns: Sequence[Column[bytes]], master: MasterKey, dry_run: bool, session: Session) -> tuple[int, int]:
    keys = changed = 0
    there = inspect(session.connection())
    for column in columns:
        table = column.table
        if not there.has_table(table.name):
            continue  # never upgraded: there can be no key
        for row in session.execute(select(table).where(column.is_not(None))).mappings():
            purpose = str(column.info[WRAPPED]).format_map(row)
            wrapped: bytes = row[column.name]
            keys += 1
            if master.is_current(purpose, wrapped):
                continue
            try:
                secret = master.unwrap(purpose, wrapped)
            except MasterKeyFault as fault:
                raise MasterKeyFault(f"{table.name}: {fault}") from fault
            changed += 1
            if not dry_run:
                _replace(session, table, column, row[column.name], master.wrap(purpose, secret))
    return keys, changed


def _replace(session: Session, table: Table, column: Column[bytes], before: bytes, after: bytes) -> None:
    """By the old bytes, which are unlike any others (their nonce is random): who changed the row meanwhile, beside a
    running server, has wrapped it themselves."""
    statement = update(table).where(column == before).values({column.name: after})
    found = cast("CursorResult[tuple[()]]", session.execute(statement)).rowcount
    assert found <= 1
