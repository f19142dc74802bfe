"""What every plugin's tables have in common: their MetaData, portable types, outbox and inbox."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Json = JSON().with_variant(JSONB(), "postgresql")
"""A JSON column."""

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""A row counter the database hands out: SQLite counts only `INTEGER PRIMARY KEY`."""

WRAPPED = "streamgate_wrapped"
"""In a column's `info`: it holds a key under the master key, for this purpose, with the row's columns in braces
(`info={WRAPPED: "auth.{purpose}"}`). `streamgate keys rewrap` finds it by that."""

OWN_FILE = "streamgate_own_file"
UNMANAGED = "streamgate_unmanaged"


def plugin_tables(name: str, *, own_file: str = "", unmanaged: tuple[str, ...] = ()) -> MetaData:
    """The MetaData for a plugin's tables, which already holds `<name>_outbox` and `<name>_inbox`.

    Every table's name begins with `<name>_`. Keep the result as `TABLES` in `<package>.tables`, and the
    migrations in `<package>/migrations/versions`: tools and tests find them there. For declarative classes
    write `class Base(DeclarativeBase): metadata = TABLES`.

    Args:
        own_file: on SQLite, a file of this plugin's own beside the shared one (`telemetry.db`).
        unmanaged: beginnings of names of tables and indexes that only migrations know (full-text tables), so
            that the comparison of models and migrations leaves them alone.
    """
    tables = MetaData(naming_convention=NAMING, info={"plugin": name, OWN_FILE: own_file, UNMANAGED: unmanaged})
    Table(
        f"{name}_outbox",
        tables,
        Column("seq", RowId, primary_key=True, autoincrement=True),
        Column("event_id", String(64), nullable=False),
        Column("subject", String(200), nullable=False),
        Column("lane", String(200), nullable=False),
        Column("envelope", LargeBinary, nullable=False),
        sqlite_autoincrement=True,  # a number is never given twice, even when the newest row is gone
    )
    Table(
        f"{name}_inbox",
        tables,
        Column("consumer", String(64), nullable=False),
        Column("event_id", String(64), nullable=False),
        Column("seen_at_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("consumer", "event_id"),
        Index(None, "seen_at_ms"),
    )
    return tables


def insert_into(session: Session, table: Table | type[Any]) -> postgresql.Insert:
    """`INSERT` with `on_conflict_do_nothing` and `on_conflict_do_update`, which both databases have alike."""
    if session.get_bind().dialect.name == "sqlite":
        return cast(postgresql.Insert, sqlite.insert(table))
    return postgresql.insert(table)


def outbox_of(tables: MetaData) -> Table:
    return tables.tables[f"{tables.info['plugin']}_outbox"]


def inbox_of(tables: MetaData) -> Table:
    return tables.tables[f"{tables.info['plugin']}_inbox"]
