"""Auth and metadata in one process, with real tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from tests.plugins.auth.people import Person, config_for, kernel_settings, person


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """Without a chain."""
    async with house(tmp_path, ["metadata", "auth"], settings=kernel_settings(tmp_path)) as home:
        yield home


@pytest.fixture
async def chained(tmp_path: Path, devchain: ChainClient) -> AsyncIterator[House]:
    """With the local chain configured."""
    configs = {"auth": config_for(devchain)}
    async with house(tmp_path, ["metadata", "auth"], settings=kernel_settings(tmp_path), configs=configs) as home:
        yield home


@pytest.fixture
async def http(home: House) -> AsyncIterator[httpx.AsyncClient]:
    async with home.client() as client:
        yield client


@pytest.fixture
async def owner(chained: House) -> Person:
    return await person(chained, "owner")


@pytest.fixture
async def viewer(chained: House) -> Person:
    return await person(chained, "viewer-without-anything")
