"""Sign-in over HTTP: the challenge, its one use, the tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import jwt
import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.house import house
from streamgate.testing.wallets import Wallet, sign_in
from streamgate_auth.config import AuthConfig
from tests.plugins.auth.people import kernel_settings

ALICE = Wallet.named("alice")
MALLORY = Wallet.named("mallory")
CHALLENGE = "/api/v1/auth/challenge"
VERIFY = "/api/v1/auth/verify-signature"


async def ask(http: httpx.AsyncClient, wallet: Wallet = ALICE) -> dict[str, str]:
    answer = await http.post(CHALLENGE, json={"address": wallet.address})
    assert answer.status_code == 200, answer.text
    asked: dict[str, str] = answer.json()
    return asked


async def verify(
    http: httpx.AsyncClient, asked: dict[str, str], signer: Wallet = ALICE, **more: object
) -> httpx.Response:
    body = {"challenge_id": asked["challenge_id"], "signature": signer.sign(asked["message"]), **more}
    return await http.post(VERIFY, json=body)


async def test_a_wallet_signs_in(http: httpx.AsyncClient) -> None:
    asked = await ask(http)
    assert (asked["scheme"], asked["domain"], asked["chain"]) == ("siwe", "video.example", "eip155:1")
    assert asked["message"].startswith(
        "video.example wants you to sign in with your Ethereum account:\n" + ALICE.address
    )
    answer = await verify(http, asked)
    found = answer.json()
    assert answer.status_code == 200, found
    assert answer.headers["cache-control"] == "no-store"
    assert (found["valid"], found["address"], found["chain"]) == (True, ALICE.address, "eip155:1")
    assert (found["token_type"], found["expires_in"], found["roles"]) == ("Bearer", 600, ["viewer"])
    claims = jwt.decode(found["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "streamgate:access"
    assert claims["sub"] == found["user_id"] != ALICE.address
    assert claims["exp"] - claims["iat"] == 600


async def test_the_same_wallet_is_the_same_person(http: httpx.AsyncClient) -> None:
    first, second = await sign_in(http, ALICE), await sign_in(http, ALICE)
    other = await sign_in(http, MALLORY)
    assert first.user_id == second.user_id != other.user_id
    assert first.refresh_token != second.refresh_token


async def test_the_message_may_be_sent_as_the_wallet_spelled_it(http: httpx.AsyncClient) -> None:
    asked = await ask(http)
    text = asked["message"].replace("URI: https://video.example", "URI: https://video.example/watch")
    body = {"challenge_id": asked["challenge_id"], "signature": ALICE.sign(text), "message": text}
    assert (await http.post(VERIFY, json=body)).status_code == 200


async def test_a_message_for_another_site_is_refused(http: httpx.AsyncClient) -> None:
    asked = await ask(http)
    text = asked["message"].replace("video.example wants", "evil.example wants")
    body = {"challenge_id": asked["challenge_id"], "signature": ALICE.sign(text), "message": text}
    answer = await http.post(VERIFY, json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.message_mismatch")


async def test_the_host_header_decides_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        CHALLENGE,
        json={"address": ALICE.address},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Origin": "https://evil.example"},
    )
    assert answer.json()["domain"] == "video.example"
    assert "evil" not in answer.json()["message"]


async def test_somebody_elses_signature_is_refused_and_burns_nothing(http: httpx.AsyncClient) -> None:
    asked = await ask(http)
    for wrong in (await verify(http, asked, MALLORY), await verify(http, {**asked, "message": "something else"})):
        assert (wrong.status_code, wrong.json()["code"]) == (401, "auth.signature_invalid")
    assert (await verify(http, asked)).status_code == 200


async def test_a_challenge_is_good_for_one_sign_in(http: httpx.AsyncClient) -> None:
    asked = await ask(http)
    assert (await verify(http, asked)).status_code == 200
    again = await verify(http, asked)
    assert (again.status_code, again.json()["code"]) == (401, "auth.challenge_used")


async def test_of_many_answers_at_once_one_wins(http: httpx.AsyncClient) -> None:
    asked = await ask(http)
    answers = await asyncio.gather(*(verify(http, asked) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert {answer.json()["code"] for answer in answers if answer.status_code == 401} == {"auth.challenge_used"}


async def test_a_respelled_challenge_id_is_the_same_challenge(http: httpx.AsyncClient) -> None:
    asked = await ask(http)
    assert (await verify(http, asked)).status_code == 200
    for tail in ("=", "=="):
        again = await verify(http, {**asked, "challenge_id": asked["challenge_id"] + tail})
        assert again.json()["code"] in ("auth.challenge_used", "auth.challenge_invalid")


@attack("B1")
async def test_a_used_challenge_stays_used_after_a_restart(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings) as home, home.client() as http:
        asked = await ask(http)
        user_id = (await verify(http, asked)).json()["user_id"]
    async with house(tmp_path, ["metadata", "auth"], settings=settings) as home, home.client() as http:
        assert (await verify(http, asked)).json()["code"] == "auth.challenge_used"
        assert (await sign_in(http, ALICE)).user_id == user_id


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"address": "0x1234"}, "auth.address_invalid"),
        ({"address": ALICE.address.swapcase()}, "auth.address_invalid"),
        ({"address": "0x" + ALICE.address[2:].swapcase()}, "auth.address_invalid"),
        ({"address": ALICE.address, "chain": "eip155:137"}, "auth.chain_unknown"),
        ({"address": ALICE.address, "chain": "solana:mainnet"}, "auth.chain_unknown"),
        ({"address": f"eip155:137:{ALICE.address}"}, "auth.chain_unknown"),
        ({"address": f"eip155:1:{ALICE.address}", "chain": "eip155:137"}, "auth.chain_unknown"),
        ({"address": ALICE.address, "scheme": "siws"}, "auth.scheme_unknown"),
        ({"address": ALICE.address, "scheme": "eip1271"}, "auth.scheme_unknown"),
        ({"address": ALICE.address, "domain": "evil.example"}, "request.invalid"),
        ({}, "request.invalid"),
    ],
)
async def test_a_wrong_question_is_422(http: httpx.AsyncClient, body: dict[str, str], code: str) -> None:
    answer = await http.post(CHALLENGE, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    "spelled", [ALICE.address.lower(), "0x" + ALICE.address[2:].upper(), f"eip155:1:{ALICE.address}"]
)
async def test_addresses_come_in_any_case(http: httpx.AsyncClient, spelled: str) -> None:
    assert (await http.post(CHALLENGE, json={"address": spelled})).json()["address"] == ALICE.address


async def test_roles_come_from_the_operators_lists(tmp_path: Path) -> None:
    configs = {"auth": AuthConfig(admins=(ALICE.address.lower(),), creators=(MALLORY.address,))}
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs=configs) as home, home.client() as http:
        assert (await sign_in(http, ALICE)).roles == ("admin", "viewer")
        assert (await sign_in(http, MALLORY)).roles == ("creator", "viewer")
        assert (await sign_in(http, Wallet.named("nobody"))).roles == ("viewer",)


async def test_open_creators_makes_everybody_one(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    configs = {"auth": AuthConfig(open_creators=True)}
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs=configs) as home, home.client() as http:
        assert (await sign_in(http, ALICE)).roles == ("creator", "viewer")


@attack("A11", "B41")
async def test_a_flood_of_challenges_is_stopped_and_stores_nothing(tmp_path: Path) -> None:
    settings = kernel_settings(tmp_path)
    configs = {"auth": AuthConfig(requests_per_minute=5)}
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs=configs) as home, home.client() as http:
        answers = [
            await http.post(
                f"{CHALLENGE}?x={n}", json={"address": ALICE.address}, headers={"X-Forwarded-For": f"10.0.0.{n}"}
            )
            for n in range(8)
        ]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert [answer.status_code for answer in answers[5:]] == [429] * 3
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_the_key_set_is_public_and_cacheable(http: httpx.AsyncClient) -> None:
    answer = await http.get("/.well-known/jwks.json")
    (key,) = answer.json()["keys"]
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert "d" not in key
    token = (await sign_in(http, ALICE)).access_token
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="streamgate:access")
    assert claims["addr"] == ALICE.address
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": key["kid"], "typ": "at+jwt"}


async def test_a_challenge_stays_in_the_browser_that_asked_for_it(http: httpx.AsyncClient) -> None:
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    answer = await http.post(CHALLENGE, json={"address": ALICE.address}, headers=same_origin)
    value, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/api/v1/auth"} <= set(attributes)
    http.cookies.clear()
    for headers in ({}, {"Cookie": "streamgate_browser=another"}):
        asked = answer.json()
        body = {"challenge_id": asked["challenge_id"], "signature": ALICE.sign(asked["message"])}
        stolen = await http.post(VERIFY, json=body, headers=headers)
        assert (stolen.status_code, stolen.json()["code"]) == (401, "auth.challenge_invalid")
    # The same browser may ask again, in another tab, and answer either.
    again = await http.post(CHALLENGE, json={"address": ALICE.address}, headers={**same_origin, "Cookie": value})
    assert again.headers["set-cookie"].split("; ")[0] == value
    http.cookies.clear()
    assert (await http.post(VERIFY, json=body, headers={"Cookie": value})).status_code == 200


async def test_no_browser_and_no_foreign_page_is_given_a_cookie(http: httpx.AsyncClient) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}):
        answer = await http.post(CHALLENGE, json={"address": ALICE.address}, headers=headers)
        assert "set-cookie" not in answer.headers
