from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamgate.context import Actor
from streamgate.testing.house import House, house


@pytest.fixture
def alice() -> Actor:
    return Actor(kind="user", user_id="alice", roles=("creator",))


@pytest.fixture
def bob() -> Actor:
    return Actor(kind="user", user_id="bob", roles=("viewer", "creator"))


@pytest.fixture
def moderator() -> Actor:
    return Actor(kind="user", user_id="mo", roles=("moderator",))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, ["metadata"]) as home:
        yield home
