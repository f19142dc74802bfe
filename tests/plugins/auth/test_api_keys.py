"""API keys: shown once, kept hashed, limited by scopes, refused everywhere soon after they are revoked."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any, cast

import attrs
import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts.auth import (
    ACCOUNTS,
    AUTH,
    AUTH_REVOKED,
    ApiKeyQuery,
    Auth,
    AuthUnavailable,
    KeyInvalid,
    Revoked,
    TokenInvalid,
    api_key_digest,
)
from streamgate.events import EventsUnit, on_everyone
from streamgate.sdk.api_keys import KEPT_S, MAX_KEPT
from streamgate.sdk.bearer import BearerAuthenticator
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.sdk.revocation import ASK_AGAIN_S, Revocations
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import House, house
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig
from tests.plugins.auth.people import actor_of, kernel_settings, sign_in_by, until
from tests.plugins.auth.test_access import FakeAuth, token

ALICE = Wallet.named("alice")
PREFIX = "/api/v1/auth"
KEY = "sgk_" + "k" * 43


async def make_key(home: House, actor: Actor, **body: Any) -> dict[str, Any]:
    async with home.client(actor) as client:
        answer = await client.post(f"{PREFIX}/api-keys", json={"name": "server", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def behind(home: House, api_key: str) -> Actor | None:
    query = ApiKeyQuery(digest=api_key_digest(api_key))
    return (await home.services.get(ACCOUNTS).verify_api_key(query)).actor


async def test_a_key_is_shown_once_and_kept_as_a_hash(home: House, http: httpx.AsyncClient, tmp_path: Path) -> None:
    me = actor_of(await sign_in_by(http, ALICE, "siwe"))
    made = await make_key(home, me, scopes=["upload", "read", "read"])
    assert made["api_key"].startswith("sgk_")
    assert len(made["api_key"]) == 47
    async with home.client(me) as client:
        (listed,) = (await client.get(f"{PREFIX}/api-keys")).json()["items"]
        assert listed == {**{name: made[name] for name in listed}, "last_used_at": None}
        assert (listed["name"], listed["scopes"], listed["expires_at"]) == ("server", ["read", "upload"], None)
        actor = await behind(home, made["api_key"])
        assert actor == Actor(
            kind="user",
            user_id=me.user_id,
            roles=("viewer",),
            address=ALICE.address,
            credential=made["key_id"],
            scopes=("read", "upload"),
        )
        (listed,) = (await client.get(f"{PREFIX}/api-keys")).json()["items"]
        assert listed["last_used_at"]
        for path, status in (("k_unknown", 404), (made["key_id"], 204), (made["key_id"], 404)):
            assert (await client.delete(f"{PREFIX}/api-keys/{path}")).status_code == status
    assert await behind(home, made["api_key"]) is None
    secret = made["api_key"].encode()
    assert not any(secret in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


async def test_scopes_bound_the_roles_of_a_key(tmp_path: Path) -> None:
    configs = {"auth": AuthConfig(admins=(ALICE.address,), moderators=(ALICE.address,), creators=(ALICE.address,))}
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs=configs) as home, home.client() as http:
        me = actor_of(await sign_in_by(http, ALICE, "siwe"))
        expected = {"read": ("creator", "viewer"), "upload": ("creator", "viewer"), "admin": me.roles}
        for scope, roles in expected.items():
            actor = await behind(home, (await make_key(home, me, scopes=[scope]))["api_key"])
            assert actor is not None
            assert (actor.roles, actor.may_change) == (roles, scope != "read")
        async with home.client(attrs.evolve(me, credential="k_1", scopes=("read",), roles=("viewer",))) as reading:
            # A key that may read asks what changes nothing, and nothing else.
            body = {"address": ALICE.address, "chain": "eip155:5"}
            assert (await reading.post(f"{PREFIX}/verify-nft", json=body)).status_code == 422
            answer = await reading.post("/api/v1/metadata/create", json={"title": "x"})
            assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")


WRONG_WISHES: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "x" * 101},
    {"name": "\n"},
    {"name": "  "},
    {"name": "x\u202ey"},
    {"name": "x", "scopes": []},
    {"name": "x", "scopes": ["root"]},
    {"name": "x", "expires_in_s": 59},
    {"name": "x", "expires_in_s": 10**12},
    {"name": "x", "roles": ["admin"]},
    {},
]


async def test_a_wrong_wish_is_422(home: House) -> None:
    async with home.client(Actor(kind="user", user_id="p_1", credential="a_1")) as client:
        for body in WRONG_WISHES:
            assert (await client.post(f"{PREFIX}/api-keys", json=body)).status_code == 422, body


# --- at every service's door ------------------------------------------------------------------------


@attrs.frozen
class Door:
    auth: FakeAuth = attrs.field(factory=FakeAuth)
    clock: FakeClock = attrs.field(factory=FakeClock)

    def open(self) -> BearerAuthenticator:
        return BearerAuthenticator(cast(Auth, self.auth), self.auth, Revocations(self.clock), self.clock)


ACTOR = Actor(kind="user", user_id="p_1", roles=("viewer",), credential="k_1", scopes=("read",))


async def test_a_yes_is_kept_for_ten_seconds_and_no_longer() -> None:
    door = Door(FakeAuth(api_keys={api_key_digest(KEY): ACTOR}))
    bearer = door.open()
    for _ in range(5):
        assert await bearer.authenticate({"x-api-key": KEY}) == ACTOR
    assert door.auth.asked_keys == 1
    door.auth.api_keys.clear()
    door.clock.jump(KEPT_S - 0.01)
    assert await bearer.authenticate({"x-api-key": KEY}) == ACTOR
    door.clock.jump(0.01)
    with pytest.raises(KeyInvalid):
        await bearer.authenticate({"x-api-key": KEY})


async def test_while_auth_is_away_a_key_is_503_and_never_open() -> None:
    door = Door(FakeAuth(api_keys={api_key_digest(KEY): ACTOR}, is_away=True))
    bearer = door.open()
    with pytest.raises(AuthUnavailable):
        await bearer.authenticate({"x-api-key": KEY})
    door.auth.is_away = False
    assert await bearer.authenticate({"x-api-key": KEY}) == ACTOR
    door.auth.is_away = True
    assert await bearer.authenticate({"x-api-key": KEY}) == ACTOR  # known
    door.clock.jump(KEPT_S)
    with pytest.raises(AuthUnavailable):
        await bearer.authenticate({"x-api-key": KEY})


async def test_garbage_costs_no_question_and_guesses_are_bounded() -> None:
    door = Door()
    bearer = door.open()
    for garbage in ("", "x", "sgk_", "sgk_" + "k" * 42, "sgk_" + "ü" * 43, "k" * 10_000):
        with pytest.raises(KeyInvalid):
            await bearer.authenticate({"x-api-key": garbage})
    assert door.auth.asked_keys == 0
    for number in range(MAX_KEPT + 10):
        with pytest.raises(KeyInvalid):
            await bearer.authenticate({"x-api-key": f"sgk_{number:043d}"})
    assert len(bearer._api_keys._kept) == MAX_KEPT
    with pytest.raises(TokenInvalid):
        await bearer.authenticate({"x-api-key": KEY, "authorization": f"Bearer {token()}"})


async def test_who_missed_a_revocation_catches_up() -> None:
    door = Door()
    door.auth.revoked = ("a_1",)
    door.auth.is_away = True
    revocations = Revocations(door.clock)
    bearer = BearerAuthenticator(cast(Auth, FakeAuth()), door.auth, revocations, door.clock)
    headers = {"authorization": f"Bearer {token()}"}
    assert (await bearer.authenticate(headers)).credential == "a_1"  # nobody could be asked
    door.auth.is_away = False
    assert (await bearer.authenticate(headers)).credential == "a_1"
    door.clock.jump(ASK_AGAIN_S)
    with pytest.raises(TokenInvalid, match="this sign-in is over"):
        await bearer.authenticate(headers)
    asked = door.auth.asked_revoked
    with pytest.raises(TokenInvalid):
        await bearer.authenticate(headers)
    assert door.auth.asked_revoked == asked
    await revocations.note_gap()
    with pytest.raises(TokenInvalid):
        await bearer.authenticate(headers)
    assert door.auth.asked_revoked == asked + 1


async def test_what_was_revoked_is_forgotten_when_its_tokens_are_dead() -> None:
    clock = FakeClock()
    revocations = Revocations(clock)
    revocations.add(Revoked(credentials=("a_1",), until_ms=clock.now_ms() + 1000))
    assert "a_1" in revocations
    clock.jump(2)
    revocations.add(Revoked(credentials=("a_2",), until_ms=clock.now_ms() + 1000))
    assert ("a_1" in revocations, "a_2" in revocations) == (False, True)


async def test_logging_out_ends_the_access_token_here_at_once_and_elsewhere_soon(
    home: House, http: httpx.AsyncClient
) -> None:
    auth, accounts = home.services.get(AUTH), home.services.get(ACCOUNTS)
    elsewhere = Revocations(SYSTEM_CLOCK)
    here = BearerAuthenticator(auth, accounts, home.plugins["auth"].revocations)
    there = BearerAuthenticator(auth, accounts, elsewhere)
    heard = EventsUnit(home.bus, [on_everyone(AUTH_REVOKED, elsewhere.on_revoked, resync=elsewhere.note_gap)])
    await heard.start()
    try:
        signed_in = await sign_in_by(http, ALICE, "siwe")
        headers = {"authorization": f"Bearer {signed_in['access_token']}"}
        me = await here.authenticate(headers)
        key = (await make_key(home, me))["api_key"]
        made = await there.authenticate({"x-api-key": key})
        assert await there.authenticate(headers) == me
        await http.post(f"{PREFIX}/logout", json={"refresh_token": signed_in["refresh_token"]})
        with pytest.raises(TokenInvalid):
            await here.authenticate(headers)
        await until(lambda: me.credential in elsewhere)
        with pytest.raises(TokenInvalid):
            await there.authenticate(headers)
        async with home.client(me) as client:
            assert (await client.delete(f"{PREFIX}/api-keys/{made.credential}")).status_code == 204
        await until(lambda: made.credential in elsewhere)
        with pytest.raises(KeyInvalid):
            await there.authenticate({"x-api-key": key})
    finally:
        await heard.stop()
    late = BearerAuthenticator(auth, accounts)  # started after it was told
    with pytest.raises(TokenInvalid):
        await late.authenticate(headers)


# --- the administrator of this machine --------------------------------------------------------------


async def test_the_local_admins_key_is_new_at_each_start_and_only_theirs(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    keys = []
    for _ in range(2):
        async with house(tmp_path, ["metadata", "auth"], settings=settings) as home:
            path = tmp_path / "admin.key"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            keys.append(path.read_text().strip())
            actor = await behind(home, keys[-1])
            assert actor is not None
            assert {"admin", "creator"} <= set(actor.roles)
            assert actor.may_change
            async with home.client(actor) as client:
                assert (await client.get(f"{PREFIX}/keys")).status_code == 200
            if len(keys) == 2:
                assert keys[0] != keys[1]
                assert await behind(home, keys[0]) is None
    assert not list(tmp_path.glob(".admin.key*"))


async def test_a_request_that_is_cut_while_it_asks_for_revocations_leaves_the_asking_to_the_next() -> None:
    door = Door()
    door.auth.revoked = ("a_1",)
    bearer = door.open()
    headers = {"authorization": f"Bearer {token()}"}
    door.auth.may_answer = asyncio.Event()
    first = asyncio.create_task(bearer.authenticate(headers))
    await until(lambda: door.auth.asked_revoked == 1)
    first.cancel()
    await asyncio.wait([first])
    door.auth.may_answer.set()
    door.clock.jump(ASK_AGAIN_S)
    with pytest.raises(TokenInvalid, match="this sign-in is over"):
        await bearer.authenticate(headers)
