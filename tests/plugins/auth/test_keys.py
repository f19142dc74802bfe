"""The keys lie wrapped in the database, outlive a restart, and open to the right master key alone."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import attrs
import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts.auth import ACCOUNTS, AUTH, KeySet
from streamgate.lifecycle import StartFailed
from streamgate.sdk.bearer import ASK_AGAIN_S, BearerAuthenticator
from streamgate.settings import Secret, SecretSettings
from streamgate.testing.attacks import attack
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import House, house
from streamgate.testing.wallets import Wallet
from streamgate_auth.keys import ACTIVE_AFTER_S, RELOAD_S, KeyRing, RotationRunning
from tests.plugins.auth.people import actor_of, kernel_settings, sign_in_by

NAMES = ["metadata", "auth"]


async def test_keys_outlive_a_restart(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, NAMES, settings=settings) as one:
        before = await one.services.get(AUTH).jwks()
    async with house(tmp_path, NAMES, settings=settings) as two:
        assert await two.services.get(AUTH).jwks() == before


async def test_another_master_key_is_a_start_fault_that_says_so(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, NAMES, settings=settings):
        pass
    other = attrs.evolve(settings, secrets=SecretSettings(master_key=Secret("A" * 43 + "=")))
    with pytest.raises(StartFailed, match="start with the master key this database was made with"):
        async with house(tmp_path, NAMES, settings=other):
            raise AssertionError


@attack("A13")
async def test_no_key_lies_open(tmp_path: Path) -> None:
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path)) as home:
        keys = home.plugins["auth"].keys.keys
    secrets = [keys.signing[0].private.private_bytes_raw(), keys.challenge, keys.refresh]
    (file,) = [path for path in tmp_path.rglob("*.db") if _has_keys(path)]
    stored = file.read_bytes()
    assert not any(secret in stored for secret in secrets)


def _has_keys(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'auth_keys'").fetchone()
    connection.close()
    return bool(found[0])


# --- a new signing key ------------------------------------------------------------------------------

TTL_S = 600.0


def ring(home: House, clock: FakeClock) -> KeyRing:
    """Another replica's, on the same database."""
    plugin = home.plugins["auth"]
    return KeyRing(plugin.db, plugin.keys._master, clock, token_ttl_s=TTL_S)


def kids(keys: KeySet) -> list[str]:
    return [key["kid"] for key in keys.keys]


@attack("B26")
async def test_a_new_signing_key_overlaps_with_the_old_one(home: House) -> None:
    clock = FakeClock()
    one, two = ring(home, clock), ring(home, clock)
    for each in (one, two):
        await each.start()
    old = one.signer().kid
    made = await one.rotate()
    # Published at once, and the old one still signs: not everybody knows the new one yet.
    assert kids(await one.key_set()) == [made.kid, old]
    assert (one.signer().kid, one.state(made)) == (old, "next")
    assert kids(await two.key_set()) == [old]
    clock.jump(RELOAD_S)
    assert kids(await two.key_set()) == [made.kid, old]
    assert two.signer().kid == old
    with pytest.raises(RotationRunning):
        await two.rotate()
    # Whoever asked for the key set before it was made may ask again before it signs.
    assert ACTIVE_AFTER_S > RELOAD_S + ASK_AGAIN_S
    clock.jump(ACTIVE_AFTER_S - RELOAD_S)
    assert one.signer().kid == two.signer().kid == made.kid
    assert kids(await one.key_set()) == [made.kid, old]
    # The last token of the old one is dead: it is gone.
    clock.jump(TTL_S + 59)
    assert kids(await two.key_set()) == [made.kid, old]
    clock.jump(2)
    assert kids(await two.key_set()) == [made.kid]
    third = await two.rotate()
    assert [key.kid for key in two.keys.signing] == [made.kid, third.kid]


async def test_of_two_that_rotate_at_once_one_does(home: House) -> None:
    clock = FakeClock()
    rings = [ring(home, clock) for _ in range(3)]
    for each in rings:
        await each.start()
    outcomes = await asyncio.gather(*(each.rotate() for each in rings), return_exceptions=True)
    assert sum(isinstance(outcome, RotationRunning) for outcome in outcomes) == 2
    assert len((await ring_keys(rings[0])).keys) == 2


async def ring_keys(ring: KeyRing) -> KeySet:
    await ring.start()
    return await ring.key_set()


async def test_tokens_of_both_keys_are_good_and_only_admins_rotate(home: House, http: httpx.AsyncClient) -> None:
    alice = Wallet.named("alice")
    before = await sign_in_by(http, alice, "siwe")
    admin = Actor(kind="user", user_id="p_admin", roles=("admin",))
    async with home.client(actor_of(before)) as viewer, home.client(admin) as by_admin:
        for method, path in (("GET", "keys"), ("POST", "keys/rotate")):
            assert (await viewer.request(method, f"/api/v1/auth/{path}")).status_code == 403
        made = await by_admin.post("/api/v1/auth/keys/rotate")
        assert (made.status_code, made.json()["state"]) == (201, "next")
        again = await by_admin.post("/api/v1/auth/keys/rotate")
        assert (again.status_code, again.json()["code"]) == (409, "auth.rotation_running")
        listed = (await by_admin.get("/api/v1/auth/keys")).json()["items"]
    assert [(key["kid"], key["state"]) for key in listed[:1]] == [(made.json()["kid"], "next")]
    assert listed[1]["state"] == "active"
    assert {frozenset(key) for key in listed} == {frozenset(("kid", "state", "created_at", "active_from"))}
    bearer = BearerAuthenticator(home.services.get(AUTH), home.services.get(ACCOUNTS))
    for signed_in in (before, await sign_in_by(http, alice, "siwe")):
        headers = {"authorization": f"Bearer {signed_in['access_token']}"}
        assert (await bearer.authenticate(headers)).user_id == before["user_id"]
