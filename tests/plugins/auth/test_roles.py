"""Who may do what: by the lists an operator keeps, by what administrators grant; and how a role ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts.auth import ACCOUNTS, AUTH, TokenInvalid
from streamgate.contracts.events import AUTH_SESSION_ENDED, SignInEnded
from streamgate.events import Received, on_group
from streamgate.sdk.bearer import BearerAuthenticator
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import SignedIn, Wallet, sign_in
from streamgate_auth.config import AuthConfig
from tests.plugins.auth.people import NAMES, actor_of, settings_on, sign_in_by, until

PREFIX = "/api/v1/auth"
ADA, BOB, CY = (Wallet.named(f"{name} of the roles") for name in ("ada", "bob", "cy"))
Enter = Callable[..., Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def enter(request: pytest.FixtureRequest, tmp_path: Path) -> Enter:
    """Opens a house of this configuration, on the same database each time."""
    settings = settings_on(request, tmp_path)

    @asynccontextmanager
    async def open_house(**more: Any) -> AsyncIterator[House]:
        config = AuthConfig(**{key: value for key, value in more.items() if key != "subscriptions"})
        subscriptions = more.get("subscriptions", ())
        async with house(
            tmp_path, NAMES, settings=settings, configs={"auth": config}, subscriptions=subscriptions
        ) as home:
            yield home

    return open_house


def by(signed_in: SignedIn | dict[str, Any]) -> Actor:
    token = signed_in.access_token if isinstance(signed_in, SignedIn) else signed_in["access_token"]
    return actor_of({"access_token": token})


async def put(home: House, admin: Actor, wallet: str, *roles: str) -> httpx.Response:
    async with home.client(admin) as client:
        return await client.put(f"{PREFIX}/roles/{wallet}", json={"roles": list(roles)})


async def delete(home: House, admin: Actor, wallet: str) -> httpx.Response:
    async with home.client(admin) as client:
        return await client.delete(f"{PREFIX}/roles/{wallet}")


async def listed(home: House, admin: Actor) -> list[tuple[str, str, str]]:
    async with home.client(admin) as client:
        items = (await client.get(f"{PREFIX}/roles")).json()["items"]
    return [(each["wallet"], each["role"], each["source"]) for each in items]


async def roles(home: House, wallet: Wallet) -> tuple[str, ...]:
    async with home.client() as http:
        return (await sign_in(http, wallet)).roles


async def link(home: House, actor: Actor, wallet: Wallet) -> None:
    async with home.client(actor) as me:
        asked = (await me.post(f"{PREFIX}/wallets/challenge", json={"address": wallet.address})).json()
        proof = {"challenge_id": asked["challenge_id"], "signature": wallet.sign(asked["message"])}
        assert (await me.post(f"{PREFIX}/wallets", json=proof)).status_code == 201


async def admin_of(home: House) -> Actor:
    async with home.client() as http:
        return by(await sign_in(http, ADA))


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- what is granted --------------------------------------------------------------------------------


async def test_an_administrator_grants_and_takes_roles(enter: Enter) -> None:
    async with enter(admins=(ADA.address,)) as home:
        admin = await admin_of(home)
        # To a wallet that nobody has signed in with yet, too.
        assert (await put(home, admin, BOB.address.lower(), "moderator", "creator")).status_code == 200
        assert await roles(home, BOB) == ("creator", "moderator", "viewer")
        both = [(BOB.address, role, "granted") for role in ("creator", "moderator")]
        assert sorted(await listed(home, admin)) == sorted([(ADA.address, "admin", "config"), *both])
        assert (await put(home, admin, BOB.address, "creator")).status_code == 200
        assert await roles(home, BOB) == ("creator", "viewer")
        assert (await delete(home, admin, BOB.address)).status_code == 204
        assert await roles(home, BOB) == ("viewer",)
        assert code(await delete(home, admin, BOB.address)) == (404, "auth.role_not_granted")
        assert code(await delete(home, admin, ADA.address)) == (404, "auth.role_not_granted")
    async with enter() as home:  # the configuration lists nobody any more
        assert await roles(home, ADA) == ("viewer",)


async def test_only_administrators_grant_and_only_what_there_is(enter: Enter) -> None:
    async with enter(admins=(ADA.address,), moderators=(BOB.address,)) as home:
        async with home.client() as http:
            bob = by(await sign_in(http, BOB))
        for actor, wanted in ((bob, 403), (Actor(), 401)):
            assert (await put(home, actor, BOB.address, "admin")).status_code == wanted
            assert (await delete(home, actor, ADA.address)).status_code == wanted
            async with home.client(actor) as client:
                assert (await client.get(f"{PREFIX}/roles")).status_code == wanted
        admin = await admin_of(home)
        assert code(await put(home, admin, BOB.address)) == (422, "request.invalid")
        assert code(await put(home, admin, BOB.address, "owner")) == (422, "request.invalid")
        assert code(await put(home, admin, "0x12", "admin")) == (422, "auth.address_invalid")


async def test_the_last_administrator_stays(enter: Enter) -> None:
    async with enter(admins=(ADA.address,)) as home:
        admin = await admin_of(home)
        assert (await put(home, admin, BOB.address, "admin")).status_code == 200
        assert (await put(home, admin, CY.address, "admin")).status_code == 200  # who has never signed in
    async with enter() as home:
        async with home.client() as http:
            bob = by(await sign_in(http, BOB))
        assert code(await delete(home, bob, BOB.address)) == (409, "auth.last_admin")
        assert code(await put(home, bob, BOB.address, "creator")) == (409, "auth.last_admin")
        assert await roles(home, CY) == ("admin", "viewer")
        async with home.client() as http:
            cy = by(await sign_in(http, CY))
        # Two who dismiss each other at once: one of them stays.
        answers = await asyncio.gather(delete(home, bob, CY.address), delete(home, cy, BOB.address))
        assert sorted(answer.status_code for answer in answers) == [204, 409]


# --- how a role ends --------------------------------------------------------------------------------


@attrs.define
class Ended:
    credentials: list[str] = attrs.field(factory=list)

    async def on_ended(self, event: Received[SignInEnded]) -> None:
        self.credentials.append(event.body.subject_id)


async def refused(what: Awaitable[Any], fault: type[Exception]) -> None:
    with pytest.raises(fault):
        await what


async def test_whoever_loses_a_role_loses_it_at_once(enter: Enter) -> None:
    ended = Ended()
    subscriptions = [on_group(AUTH_SESSION_ENDED, ended.on_ended, group="tests")]
    async with enter(admins=(ADA.address,), subscriptions=subscriptions) as home, home.client() as http:
        admin = await admin_of(home)
        await put(home, admin, BOB.address, "moderator")
        tokens = await sign_in_by(http, BOB, "siwe")
        bob, other = by(tokens), by(await sign_in(http, CY))
        async with home.client(bob) as me:
            made = (await me.post(f"{PREFIX}/api-keys", json={"name": "n", "scopes": ["admin"]})).json()
        # What each service does with a bearer, in the process of auth.
        plugin = home.plugins["auth"]
        door = BearerAuthenticator(home.services.get(AUTH), home.services.get(ACCOUNTS), plugin.revocations)
        bearer, key = {"authorization": f"Bearer {tokens['access_token']}"}, {"x-api-key": made["api_key"]}
        assert "moderator" in (await door.authenticate(bearer)).roles
        assert "moderator" in (await door.authenticate(key)).roles
        assert (await delete(home, admin, BOB.address)).status_code == 204
        await refused(door.authenticate(bearer), TokenInvalid)
        answer = await http.post(f"{PREFIX}/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert code(answer) == (401, "auth.token_invalid")
        # The key stays good for what is left, without waiting for what was kept of it to grow old.
        assert (await door.authenticate(key)).roles == ("viewer",)
        await until(lambda: {bob.credential, made["key_id"]} <= set(ended.credentials))
        assert other.credential not in ended.credentials
        assert await roles(home, BOB) == ("viewer",)


async def test_whoever_unlinks_the_wallet_of_a_role_loses_it_at_once(enter: Enter) -> None:
    """Also the sign-ins that were made with other wallets, and what was opened with them or with API keys."""
    ended = Ended()
    subscriptions = [on_group(AUTH_SESSION_ENDED, ended.on_ended, group="tests")]
    async with enter(moderators=(BOB.address,), subscriptions=subscriptions) as home, home.client() as http:
        first = await sign_in_by(http, BOB, "siwe")
        await link(home, by(first), ADA)
        await link(home, by(first), CY)
        tokens = await sign_in_by(http, ADA, "siwe")
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        plugin = home.plugins["auth"]
        door = BearerAuthenticator(home.services.get(AUTH), home.services.get(ACCOUNTS), plugin.revocations)
        async with home.client(by(tokens)) as me:
            made = (await me.post(f"{PREFIX}/api-keys", json={"name": "n", "scopes": ["admin"]})).json()
            # One that brings no role: nobody is signed out elsewhere.
            assert (await me.delete(f"{PREFIX}/wallets/{CY.address}")).status_code == 204
            assert "moderator" in (await door.authenticate(bearer)).roles
            assert "moderator" in (await door.authenticate({"x-api-key": made["api_key"]})).roles
            assert (await me.delete(f"{PREFIX}/wallets/{BOB.address}")).status_code == 204
        await refused(door.authenticate(bearer), TokenInvalid)
        assert (await door.authenticate({"x-api-key": made["api_key"]})).roles == ("viewer",)
        over = {by(first).credential, by(tokens).credential, made["key_id"]}
        await until(lambda: over <= set(ended.credentials))
        assert len(ended.credentials) == len(over), "each is told once"
        assert await roles(home, ADA) == ("viewer",)
        assert await roles(home, BOB) == ("moderator", "viewer"), "somebody else now"


async def test_a_wallet_whose_roles_another_brings_too_is_unlinked_without_loss(enter: Enter) -> None:
    async with enter(moderators=(BOB.address, ADA.address)) as home, home.client() as http:
        first = await sign_in_by(http, ADA, "siwe")
        await link(home, by(first), BOB)
        async with home.client(by(first)) as me:
            assert (await me.delete(f"{PREFIX}/wallets/{BOB.address}")).status_code == 204
        answer = await http.post(f"{PREFIX}/refresh", json={"refresh_token": first["refresh_token"]})
        assert answer.json()["roles"] == ["moderator", "viewer"]


async def test_a_role_that_is_won_is_there_with_the_next_refresh(enter: Enter) -> None:
    async with enter(admins=(ADA.address,)) as home, home.client() as http:
        admin, tokens = await admin_of(home), await sign_in_by(http, BOB, "siwe")
        await put(home, admin, BOB.address, "creator")
        answer = await http.post(f"{PREFIX}/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert answer.json()["roles"] == ["creator", "viewer"]


async def test_new_lists_count_at_once_in_a_running_process(enter: Enter) -> None:
    async with enter(moderators=(BOB.address,), creators=(ADA.address,)) as home, home.client() as http:
        tokens, kept = await sign_in_by(http, BOB, "siwe"), await sign_in_by(http, ADA, "siwe")
        home.plugins["auth"].roles.take(AuthConfig(creators=(ADA.address, CY.address)))

        async def is_over() -> bool | None:
            recent = await home.services.get(ACCOUNTS).recently_revoked()
            return True if recent.credentials == (by(tokens).credential,) else None

        await eventually(is_over)
        assert (await http.post(f"{PREFIX}/refresh", json={"refresh_token": kept["refresh_token"]})).status_code == 200
        assert await roles(home, CY) == ("creator", "viewer")
        home.plugins["auth"].roles.take(AuthConfig(open_creators=True))
        assert await roles(home, Wallet.named("anybody")) == ("creator", "viewer")


async def test_lists_that_changed_while_nothing_ran_count_from_the_start(enter: Enter) -> None:
    async with enter(moderators=(BOB.address,)) as home, home.client() as http:
        tokens = await sign_in_by(http, BOB, "siwe")
    async with enter() as home, home.client() as http:
        answer = await http.post(f"{PREFIX}/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert code(answer) == (401, "auth.token_invalid")


async def test_a_role_is_brought_by_any_wallet_of_a_person(enter: Enter) -> None:
    async with enter(admins=(ADA.address,), creators=(f"eip155:1:{BOB.address}",)) as home:
        assert await roles(home, BOB) == ("creator", "viewer")
        async with home.client() as http:
            bob = by(await sign_in(http, BOB))
        await link(home, bob, ADA)
        assert await roles(home, BOB) == ("admin", "creator", "viewer")
