"""Models and migrations agree."""

from __future__ import annotations

from streamgate.testing.migrations import differences


async def test_migrations_make_the_models_on_sqlite() -> None:
    assert await differences("streamgate_auth") == []


async def test_migrations_make_the_models_on_postgresql(postgres_url: str) -> None:
    assert await differences("streamgate_auth", postgres_url) == []
