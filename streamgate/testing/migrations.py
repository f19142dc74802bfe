"""Migrations: write the next one from the models, and check that all of them together are the models.

    python -m streamgate.testing.migrations streamgate_upload "add expiry"

By convention a plugin's package has `tables.TABLES` and `migrations/versions/`.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.engine import URL, make_url

from streamgate.sdk.db.engine import Engine, open_engine
from streamgate.sdk.db.migrate import Migrations, tables_of
from streamgate.sdk.db.tables import UNMANAGED

_SCRIPT = '''"""{message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
{imports}
revision = "{revision}"
down_revision = {down}


def upgrade() -> None:
    {body}
'''


def migrations_in(package: str) -> Migrations:
    return Migrations(tables_of(package).info["plugin"], f"{package}.migrations")


async def differences(package: str, url: str = "") -> list[Any]:
    """What Alembic would change after all migrations have run on an empty database: nothing, if all is well.

    Args:
        url: an empty PostgreSQL database; by default a new SQLite file.
    """
    with tempfile.TemporaryDirectory() as folder:
        engine = await _migrated(migrations_in(package), url or f"sqlite:///{folder}/db")
        try:
            tables = tables_of(package)
            return await engine.alter(lambda connection: compare_metadata(_context(connection, tables), tables))
        finally:
            await engine.close()


async def write_next(package: str, message: str) -> Path | None:
    """Writes the migration that leads from the last one to the models; None when there is nothing to do.

    It is a draft: read it, above all where columns are renamed or must be filled.
    """
    migrations, tables = migrations_in(package), tables_of(package)
    with tempfile.TemporaryDirectory() as folder:
        engine = await _migrated(migrations, f"sqlite:///{folder}/db")
        try:
            text = await engine.alter(lambda connection: _draft(connection, migrations, tables, message))
        finally:
            await engine.close()
    if text is None:
        return None
    number = len(migrations.line()) + 1
    words = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")
    path = migrations.versions / f"v{number:04}_{words}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


async def _migrated(migrations: Migrations, url: str) -> Engine:
    engine = open_engine(_driver(make_url(url)), pool_size=1)
    await engine.open()
    await engine.alter(migrations.upgrade)
    return engine


def _driver(url: URL) -> URL:
    return url.set(drivername="postgresql+asyncpg" if url.get_backend_name() == "postgresql" else "sqlite+pysqlite")


def _context(connection: Connection, tables: MetaData) -> MigrationContext:
    unmanaged: tuple[str, ...] = tables.info[UNMANAGED]

    def is_ours(thing: Any, name: str | None, kind: str, reflected: bool, compared: Any) -> bool:
        return not (reflected and name is not None and name.startswith(unmanaged or ("\0",)))

    return MigrationContext.configure(
        connection,
        opts={
            "version_table": f"alembic_version_{tables.info['plugin']}",
            "target_metadata": tables,
            "include_object": is_ours,
            "compare_type": True,
            "render_as_batch": True,
            "user_module_prefix": None,
        },
    )


def _draft(connection: Connection, migrations: Migrations, tables: MetaData, message: str) -> str | None:
    script = produce_migrations(_context(connection, tables), tables)
    upgrade = script.upgrade_ops
    if not isinstance(upgrade, UpgradeOps) or upgrade.is_empty():
        return None
    body = render_python_code(upgrade, render_as_batch=True).replace("JSONB(astext_type=Text())", "JSONB()")
    body = re.sub(r"\n?\s*# ### .*", "", body)
    dialects = [name for name in ("postgresql", "sqlite") if f"{name}." in body]
    line = migrations.line()
    return _SCRIPT.format(
        message=message[0].upper() + message[1:].rstrip("."),
        imports=f"from sqlalchemy.dialects import {', '.join(dialects)}\n" if dialects else "",
        revision=f"{len(line) + 1:04}",
        down=repr(line[-1]) if line else "None",
        body=body.strip(),
    )


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__)
        return 2
    path = asyncio.run(write_next(*arguments))
    print("the models and the migrations agree" if path is None else f"wrote {path}; read it before you keep it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
