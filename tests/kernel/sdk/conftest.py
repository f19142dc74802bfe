"""A plugin with tables and migrations, made for these tests, on both databases."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from streamgate.sdk.db.engine import database_url, open_engine
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.migrations import migrations_in, write_next

TABLES = """
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table
from streamgate.sdk.db import Json, plugin_tables

TABLES = plugin_tables("sample")
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


@pytest.fixture
async def postgres_database(sample: ModuleType, postgres_url: str) -> str:
    """The URL of a PostgreSQL database that has the plugin's tables."""
    await upgrade(postgres_url)
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, sample: ModuleType, tmp_path: Path) -> str:
    """The URL of a database that has, or makes itself, the plugin's tables."""
    if request.param == "sqlite":
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
