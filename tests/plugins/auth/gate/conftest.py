"""A house on each of the two databases."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from streamgate.settings import DatabaseSettings, Secret, SecretSettings
from streamgate.testing.house import House, house
from tests.plugins.auth.people import NAMES, kernel_settings

MASTER_KEY = Secret(base64.b64encode(b"m" * 32).decode())


@pytest.fixture(params=["sqlite", "postgres"])
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    settings = kernel_settings(tmp_path)
    if request.param == "postgres":
        url = Secret(request.getfixturevalue("postgres_url"))
        secrets = SecretSettings(master_key=MASTER_KEY)
        settings = attrs.evolve(settings, database=DatabaseSettings(url=url), secrets=secrets)
    async with house(tmp_path, NAMES, settings=settings) as home:
        yield home
