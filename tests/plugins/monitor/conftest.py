"""Monitor in a house of its own, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamgate.context import Actor
from streamgate.health import CheckResult, Readiness, introspection_of
from streamgate.services import Offer
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.house import House, house
from streamgate_monitor.config import MonitorConfig

ADMIN = Actor(kind="user", user_id="root", roles=("admin",))
QUICK = MonitorConfig(health_every_s=0.05, alerts_every_s=0.05, reuse_s=0.01)


class Kernel:
    """The kernel beside monitor, as well as the test says."""

    def __init__(self) -> None:
        self.is_ready = True

    async def ping(self) -> str:
        return "answers"

    async def readiness(self) -> Readiness:
        check = CheckResult(ok=self.is_ready, detail="" if self.is_ready else "the disk is full", latency_ms=1)
        return Readiness(ready=self.is_ready, checks={"database": check})


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> KernelSettings:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return KernelSettings(profile="test", data_dir=tmp_path, database=DatabaseSettings(url=Secret(url)))


@pytest.fixture
async def home(tmp_path: Path, settings: KernelSettings, kernel: Kernel) -> AsyncIterator[House]:
    offers = [Offer(introspection_of("monitor"), kernel)]
    async with house(tmp_path, ["monitor"], configs={"monitor": QUICK}, offers=offers, settings=settings) as running:
        yield running
