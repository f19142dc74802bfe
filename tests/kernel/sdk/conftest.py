"""A plugin with tables and migrations, made for these tests, on both databases."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from streamgate.sdk.db.engine import database_url, open_engine
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.migrations import migrations_in, write_next
from streamgate.testing.servers import PostgresServer

TABLES = """
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table
from streamgate.sdk.db import Json, plugin_tables
from streamgate.sdk.lease import leader_table

TABLES = plugin_tables("sample")
leaders = leader_table(TABLES)
things = Table(
    "sample_things", TABLES,
    Column("thing_id", String(40), primary_key=True),
    Column("count", Integer, nullable=False, default=0),
    Column("data", Json),
)
parts = Table(
    "sample_parts", TABLES,
    Column("part_id", String(40), primary_key=True),
    Column("thing_id", ForeignKey("sample_things.thing_id", deferrable=True, initially="DEFERRED"), nullable=False),
)
"""


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The plugin's package `sample_plugin`: `tables`, and `migrations` as the tool wrote them."""
    root = tmp_path_factory.mktemp("packages")
    package = root / "sample_plugin"
    (package / "migrations" / "versions").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "migrations" / "__init__.py").touch()
    (package / "tables.py").write_text(TABLES)
    sys.path.insert(0, str(root))
    asyncio.run(write_next("sample_plugin", "first tables"))
    importlib.import_module("sample_plugin.tables")
    yield importlib.import_module("sample_plugin")
    sys.path.remove(str(root))


@pytest.fixture(scope="session")
def migrated_postgres(sample: ModuleType, postgres_server: PostgresServer) -> str:
    """One PostgreSQL database with the plugin's tables for all tests: making one takes a while."""
    url = postgres_server.create_database()
    asyncio.run(upgrade(url))
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(sample: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the plugin's tables, to be copied."""
    path = tmp_path_factory.mktemp("sample") / "streamgate.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture
def postgres_database(sample: ModuleType, migrated_postgres: str, postgres_server: PostgresServer) -> str:
    """The URL of a PostgreSQL database with the plugin's tables, all empty."""
    names = ", ".join(sample.tables.TABLES.tables)
    postgres_server.execute(f"TRUNCATE {names}", database=migrated_postgres.rpartition("/")[2])
    return migrated_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the plugin's tables, all empty."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "streamgate.db")
        return f"sqlite:///{tmp_path}/streamgate.db"
    url: str = request.getfixturevalue("postgres_database")
    return url


async def upgrade(url: str) -> None:
    settings = KernelSettings(database=DatabaseSettings(url=Secret(url)))
    engine = open_engine(database_url(settings), pool_size=1)
    await engine.open()
    await engine.alter(migrations_in("sample_plugin").upgrade)
    await engine.close()


@pytest.fixture
def child_code(sample: ModuleType) -> Callable[[str], list[str]]:
    """The command that runs code in another process, where the plugin can be imported too."""
    root = str(Path(sample.__file__ or "").parent.parent)
    return lambda code: [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{code}"]
