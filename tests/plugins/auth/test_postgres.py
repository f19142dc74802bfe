"""Two replicas of auth on one PostgreSQL: what must be once only is once only."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts.auth import ACCOUNTS, AUTH, ApiKeyQuery, GateQuery, api_key_digest
from streamgate.contracts.gate import Rule
from streamgate.plugins import discover
from streamgate.sdk.db import upgrade_all
from streamgate.settings import DatabaseSettings, Secret, SecretSettings
from streamgate.testing.house import House, house
from streamgate.testing.wallets import Wallet, sign_in
from tests.plugins.auth.people import (
    actor_of,
    answer_to,
    content_of,
    kernel_settings,
    person,
    set_gate,
    sign_in_by,
)

NAMES = ["metadata", "auth"]
ALICE = Wallet.named("alice")
MASTER_KEY = Secret(base64.b64encode(b"m" * 32).decode())


@pytest.fixture
async def replicas(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[House, House]]:
    settings = attrs.evolve(
        kernel_settings(tmp_path),
        database=DatabaseSettings(url=Secret(postgres_url)),
        secrets=SecretSettings(master_key=MASTER_KEY),
    )
    plugins = [found.info for found in discover() if found.info is not None and found.name in NAMES]
    await upgrade_all(settings, plugins)
    async with (
        house(tmp_path, NAMES, settings=settings) as one,
        house(tmp_path, NAMES, settings=settings) as two,
    ):
        yield one, two


async def test_both_have_the_same_keys_and_either_takes_the_answer(replicas: tuple[House, House]) -> None:
    one, two = replicas
    assert await one.services.get(AUTH).jwks() == await two.services.get(AUTH).jwks()
    async with one.client() as first, two.client() as second:
        asked = (await first.post("/api/v1/auth/challenge", json={"address": ALICE.address})).json()
        body = {"challenge_id": asked["challenge_id"], "signature": ALICE.sign(asked["message"])}
        answers = await asyncio.gather(
            *(http.post("/api/v1/auth/verify-signature", json=body) for http in (first, second) for _ in range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_a_new_wallet_at_two_doors_is_one_person(replicas: tuple[House, House]) -> None:
    async with replicas[0].client() as first, replicas[1].client() as second:
        found = await asyncio.gather(*(sign_in(http, ALICE) for http in (first, second) for _ in range(4)))
    assert len({signed_in.user_id for signed_in in found}) == 1


async def test_a_refresh_token_is_traded_once_whoever_is_asked(replicas: tuple[House, House]) -> None:
    async with replicas[0].client() as first, replicas[1].client() as second:
        token = (await sign_in(first, ALICE)).refresh_token

        async def trade(http: httpx.AsyncClient) -> int:
            return (await http.post("/api/v1/auth/refresh", json={"refresh_token": token})).status_code

        codes = await asyncio.gather(*(trade(http) for http in (first, second) for _ in range(4)))
    assert sorted(codes) == [200] + [401] * 7


async def test_gates_set_at_once_get_revisions_of_their_own(replicas: tuple[House, House]) -> None:
    one, two = replicas
    owner = await person(one, "owner")
    content_id = await content_of(one, owner.actor)
    gates: list[Rule | None] = [{"public": {}}, None] * 2
    await asyncio.gather(*(set_gate(home, owner.actor, content_id, gate) for home in (one, two) for gate in gates))
    last = await set_gate(two, owner.actor, content_id, {"public": {}})
    assert await one.services.get(AUTH).get_gate(GateQuery(content_id=content_id)) == last


async def test_an_account_keeps_its_last_wallet_however_many_ask_at_once(replicas: tuple[House, House]) -> None:
    first, second = (Wallet.named(f"{name} of two") for name in ("first", "second"))
    async with replicas[0].client() as http:
        me = actor_of(await sign_in_by(http, first, "siwe"))
    async with replicas[0].client(me) as one, replicas[1].client(me) as two:
        asked = (await one.post("/api/v1/auth/wallets/challenge", json={"address": second.address})).json()
        linked = await asyncio.gather(
            *(client.post("/api/v1/auth/wallets", json=answer_to(asked, second)) for client in (one, two))
        )
        assert sorted(answer.status_code for answer in linked) == [201, 422]
        assert (await two.put(f"/api/v1/auth/wallets/{second.address}/primary")).status_code == 204
        unlinked = await asyncio.gather(
            *(
                client.delete(f"/api/v1/auth/wallets/{wallet.address}")
                for client, wallet in ((one, first), (two, second))
            )
        )
        assert sorted(answer.status_code for answer in unlinked) == [204, 409]
        assert len((await two.get("/api/v1/auth/wallets")).json()["items"]) == 1


async def test_a_wallet_that_two_accounts_link_at_once_is_one_ones(replicas: tuple[House, House]) -> None:
    wanted = Wallet.named("wanted by two")
    people = []
    async with replicas[0].client() as http:
        for name in ("one", "other"):
            people.append(actor_of(await sign_in_by(http, Wallet.named(f"{name} who wants"), "eip712")))

    async def link(home: House, actor: Actor) -> int:
        async with home.client(actor) as client:
            asked = (await client.post("/api/v1/auth/wallets/challenge", json={"address": wanted.address})).json()
            return (await client.post("/api/v1/auth/wallets", json=answer_to(asked, wanted))).status_code

    codes = await asyncio.gather(*(link(home, actor) for home, actor in zip(replicas, people, strict=True)))
    assert sorted(codes) == [201, 409]


async def test_what_one_replica_ends_the_other_knows(replicas: tuple[House, House]) -> None:
    one, two = replicas
    async with one.client() as http:
        signed_in = await sign_in_by(http, ALICE, "siwe")
        async with two.client(actor_of(signed_in)) as client:
            made = (await client.post("/api/v1/auth/api-keys", json={"name": "server"})).json()
            query = ApiKeyQuery(digest=api_key_digest(made["api_key"]))
            found = (await one.services.get(ACCOUNTS).verify_api_key(query)).actor
            assert found is not None
            assert found.credential == made["key_id"]
            assert (await client.delete(f"/api/v1/auth/api-keys/{made['key_id']}")).status_code == 204
        assert (await one.services.get(ACCOUNTS).verify_api_key(query)).actor is None
        body = {"refresh_token": signed_in["refresh_token"], "everywhere": True}
        assert (await http.post("/api/v1/auth/logout", json=body)).status_code == 204
    ended = {made["key_id"], actor_of(signed_in).credential}
    assert ended <= set((await two.services.get(ACCOUNTS).recently_revoked()).credentials)
