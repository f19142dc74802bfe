"""The queue that runners ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamgate.testing.clock import FakeClock
from streamgate_worker.config import WorkerConfig
from tests.plugins.worker.world import World, running_worker


@pytest.fixture
async def world(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[World]:
    """The queue on SQLite: its rules are the same on both databases, and shown in test_queue."""
    path = tmp_path / "streamgate.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    config = WorkerConfig(retry_base_s=0.0)
    async with running_worker(f"sqlite:///{path}", tmp_path, FakeClock(), config) as running_world:
        yield running_world
