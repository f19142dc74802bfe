"""What auth's tables keep of what is over, and that asking for challenges leaves nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamgate.testing.house import House, house
from streamgate.testing.wallets import Wallet
from streamgate_auth.tables import ApiKeyRow, SessionRow
from tests.plugins.auth.people import actor_of, kernel_settings, sign_in_by

ALICE = Wallet.named("alice")
PREFIX = "/api/v1/auth"
DAY_MS = 86_400_000


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, ["metadata", "auth"], settings=kernel_settings(tmp_path)) as home:
        yield home


async def change(home: House, row: Any, which: str, **values: int) -> None:
    key = row.__table__.primary_key.columns[0]

    def save(session: Session) -> None:
        session.execute(update(row).where(key == which).values(**values))

    await home.plugins["auth"].db.write(save)


async def ids(home: House, row: Any) -> set[str]:
    key = row.__table__.primary_key.columns[0]
    found: set[str] = await home.plugins["auth"].db.read(lambda session: set(session.scalars(select(key))))
    return found


async def test_sign_ins_that_are_long_over_are_forgotten_with_the_next_after_a_start(tmp_path: Path) -> None:
    """And with the first of each minute after it."""
    now_ms, settings = time.time_ns() // 1_000_000, kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings) as home, home.client() as http:
        ended, run_out, just_ended, running = [
            actor_of(await sign_in_by(http, ALICE, "siwe")).credential for _ in range(4)
        ]
        await change(home, SessionRow, ended, ended_at_ms=now_ms - 8 * DAY_MS)
        await change(home, SessionRow, run_out, expires_at_ms=now_ms - 8 * DAY_MS)
        await change(home, SessionRow, just_ended, ended_at_ms=now_ms - 6 * DAY_MS)
    async with house(tmp_path, ["metadata", "auth"], settings=settings) as home, home.client() as http:
        newest = actor_of(await sign_in_by(http, ALICE, "siwe")).credential
        assert await ids(home, SessionRow) == {just_ended, running, newest}


async def test_api_keys_that_are_long_over_are_forgotten_with_the_next(home: House) -> None:
    now_ms = time.time_ns() // 1_000_000
    async with home.client() as http:
        alice = actor_of(await sign_in_by(http, ALICE, "siwe"))
    async with home.client(alice) as http:

        async def make() -> str:
            answer = await http.post(f"{PREFIX}/api-keys", json={"name": "server"})
            return str(answer.json()["key_id"])

        before = await ids(home, ApiKeyRow)
        revoked, expired, just_revoked, good = [await make() for _ in range(4)]
        await change(home, ApiKeyRow, revoked, revoked_at_ms=now_ms - 8 * DAY_MS)
        await change(home, ApiKeyRow, expired, expires_at_ms=now_ms - 8 * DAY_MS)
        await change(home, ApiKeyRow, just_revoked, revoked_at_ms=now_ms - 6 * DAY_MS)
        newest = await make()
    assert await ids(home, ApiKeyRow) - before == {just_revoked, good, newest}


async def test_asking_for_a_challenge_leaves_no_trail(home: House) -> None:
    """A flood of them would fill the audit trail otherwise, which is kept for a year."""
    asking = [route for route in home.plugins["auth"].collect_routes() if route.path.endswith("/challenge")]
    assert {route.path for route in asking} == {f"{PREFIX}/challenge", f"{PREFIX}/wallets/challenge"}
    assert {route.audited for route in asking} == {"none"}
