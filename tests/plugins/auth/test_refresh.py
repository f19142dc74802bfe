"""Refresh tokens: traded once each, a second use ends the sign-in; the cookie is for our own pages."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.house import house
from streamgate.testing.wallets import Wallet, sign_in
from streamgate_auth.config import AuthConfig
from tests.plugins.auth.people import ORIGIN, kernel_settings

ALICE = Wallet.named("alice")
REFRESH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"


async def trade(http: httpx.AsyncClient, token: str) -> httpx.Response:
    return await http.post(REFRESH, json={"refresh_token": token})


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_refresh_token_is_traded_for_the_next(http: httpx.AsyncClient) -> None:
    first = await sign_in(http, ALICE)
    token = first.refresh_token
    for _ in range(3):
        answer = (await trade(http, token)).json()
        assert (answer["user_id"], answer["address"], answer["roles"]) == (first.user_id, ALICE.address, ["viewer"])
        assert answer["refresh_token"] != token
        token = answer["refresh_token"]


async def test_reuse_ends_the_whole_sign_in_and_no_other(http: httpx.AsyncClient) -> None:
    stolen = (await sign_in(http, ALICE)).refresh_token
    elsewhere = (await sign_in(http, ALICE)).refresh_token
    newest = (await trade(http, stolen)).json()["refresh_token"]
    assert refused(await trade(http, stolen)) == (401, "auth.refresh_reused")
    assert refused(await trade(http, newest)) == (401, "auth.token_invalid")
    assert refused(await trade(http, stolen)) == (401, "auth.token_invalid")
    assert (await trade(http, elsewhere)).status_code == 200


@attack("B10")
async def test_of_many_trades_at_once_at_most_one_wins(http: httpx.AsyncClient) -> None:
    token = (await sign_in(http, ALICE)).refresh_token
    answers = await asyncio.gather(*(trade(http, token) for _ in range(5)))
    assert sum(answer.status_code == 200 for answer in answers) == 1


@pytest.mark.parametrize("change", ["session", "generation", "mac", "access token", "garbage", "empty"])
async def test_an_invented_token_ends_nobodys_sign_in(http: httpx.AsyncClient, change: str) -> None:
    mine = await sign_in(http, ALICE)
    head, session_id, generation, mac = mine.refresh_token.split(".")
    invented = {
        "session": f"{head}.{session_id[:-1]}x.{generation}.{mac}",
        "generation": f"{head}.{session_id}.2.{mac}",
        "mac": f"{head}.{session_id}.{generation}.{'A' * 43}",
        "access token": mine.access_token[:200],
        "garbage": "x",
        "empty": "",
    }[change]
    assert refused(await trade(http, invented)) == (401, "auth.token_invalid")
    assert (await trade(http, mine.refresh_token)).status_code == 200


async def test_log_out_ends_it_and_may_be_repeated(http: httpx.AsyncClient) -> None:
    token = (await sign_in(http, ALICE)).refresh_token
    for _ in range(2):
        assert (await http.post(LOGOUT, json={"refresh_token": token})).status_code == 204
    assert refused(await trade(http, token)) == (401, "auth.token_invalid")
    assert refused(await http.post(LOGOUT, json={"refresh_token": "x"})) == (401, "auth.token_invalid")


async def test_roles_follow_the_operators_lists_at_refresh(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings) as home, home.client() as http:
        token = (await sign_in(http, ALICE)).refresh_token
    configs = {"auth": AuthConfig(creators=(ALICE.address,))}
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs=configs) as home, home.client() as http:
        assert (await trade(http, token)).json()["roles"] == ["creator", "viewer"]


async def test_an_expired_bearer_does_not_stand_in_the_way(http: httpx.AsyncClient) -> None:
    token = (await sign_in(http, ALICE)).refresh_token
    answer = await http.post(REFRESH, json={"refresh_token": token}, headers={"Authorization": "Bearer expired"})
    assert answer.status_code == 200


# --- the cookie -------------------------------------------------------------------------------------


async def sign_in_with_cookie(http: httpx.AsyncClient, origin: str | None = ORIGIN) -> httpx.Response:
    asked = (await http.post("/api/v1/auth/challenge", json={"address": ALICE.address})).json()
    body = {"challenge_id": asked["challenge_id"], "signature": ALICE.sign(asked["message"]), "cookie": True}
    headers = {} if origin is None else {"Origin": origin}
    return await http.post("/api/v1/auth/verify-signature", json=body, headers=headers)


def cookie_of(answer: httpx.Response) -> tuple[str, set[str]]:
    value, *attributes = answer.headers["set-cookie"].split("; ")
    return value.removeprefix("streamgate_refresh="), {attribute.lower() for attribute in attributes}


async def test_a_page_gets_its_refresh_token_where_no_script_reads_it(http: httpx.AsyncClient) -> None:
    answer = await sign_in_with_cookie(http)
    token, attributes = cookie_of(answer)
    assert answer.json()["refresh_token"] is None
    assert {"httponly", "secure", "samesite=strict", "path=/api/v1/auth"} <= attributes
    headers = {"Cookie": f"streamgate_refresh={token}", "Origin": ORIGIN}
    again = await http.post(REFRESH, json={}, headers=headers)
    assert again.status_code == 200
    assert again.json()["refresh_token"] is None
    assert cookie_of(again)[0] != token
    assert refused(await http.post(REFRESH, json={}, headers=headers)) == (401, "auth.refresh_reused")


@attack("B9")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://video.example", "https://video.example.evil"]
)
async def test_another_sites_page_cannot_use_the_cookie(http: httpx.AsyncClient, origin: str) -> None:
    token, _ = cookie_of(await sign_in_with_cookie(http))
    http.cookies.clear()
    headers = {"Cookie": f"streamgate_refresh={token}", "Origin": origin}
    for path in (REFRESH, LOGOUT):
        assert refused(await http.post(path, json={}, headers=headers)) == (403, "auth.forbidden")
    assert (await sign_in_with_cookie(http, origin)).status_code == 403
    assert (await trade(http, token)).status_code == 200


async def test_log_out_takes_the_cookie_away(http: httpx.AsyncClient) -> None:
    token, _ = cookie_of(await sign_in_with_cookie(http))
    http.cookies.clear()
    answer = await http.post(LOGOUT, headers={"Cookie": f"streamgate_refresh={token}", "Origin": ORIGIN})
    assert answer.status_code == 204
    assert "max-age=0" in cookie_of(answer)[1]
    assert refused(await trade(http, token)) == (401, "auth.token_invalid")


async def test_without_token_and_cookie_it_is_401(http: httpx.AsyncClient) -> None:
    assert refused(await http.post(REFRESH, json={})) == (401, "auth.required")
