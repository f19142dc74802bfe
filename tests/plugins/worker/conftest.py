"""The queue on both databases."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamgate.sdk.db.engine import database_url, open_engine
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.clock import FakeClock
from streamgate.testing.migrations import migrations_in
from streamgate.testing.servers import PostgresServer
from streamgate_worker.config import WorkerConfig
from streamgate_worker.tables import TABLES
from tests.plugins.worker.world import World, running_worker


async def upgrade(url: str) -> None:
    engine = open_engine(database_url(KernelSettings(database=DatabaseSettings(url=Secret(url)))), pool_size=1)
    await engine.open()
    await engine.alter(migrations_in("streamgate_worker").upgrade)
    await engine.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with worker's tables, to be copied."""
    path = tmp_path_factory.mktemp("worker") / "streamgate.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> str:
    """One database with worker's tables for all tests: making one takes half a second."""
    url = postgres_server.create_database()
    asyncio.run(upgrade(url))
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with worker's tables, all empty."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "streamgate.db")
        return f"sqlite:///{tmp_path}/streamgate.db"
    url: str = request.getfixturevalue("migrated_postgres")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.execute(f"TRUNCATE {', '.join(TABLES.tables)}", database=url.rpartition("/")[2])
    return url


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with running_worker(database, tmp_path, FakeClock(), WorkerConfig(retry_base_s=4.0)) as running_world:
        yield running_world
