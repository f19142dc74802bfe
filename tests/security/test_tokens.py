"""Rows about what is handed out, kept and said: tokens, caches, limits, logs, who learns what exists."""

from __future__ import annotations

import base64
import hmac
import json
import re
from typing import Any

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streamgate.testing.attacks import attack
from tests.e2e.cast import Cast
from tests.security.stage import (
    SESSION,
    TheChain,
    answered,
    asked,
    gated_video,
    holders,
    minted,
    new_wallet,
    newcomer,
    opened,
    told,
)

pytestmark = pytest.mark.timeout(180)  # the first one may start the servers

SIGN_INS = "/api/v1/auth/sessions"


@attack("B26")
async def test_b26_forged_access_tokens(cast: Cast, http: httpx.AsyncClient) -> None:
    """No algorithm, the public key as secret, a key in the header, another kid → one algorithm, keys from our table."""
    good = cast.people["creator"].access_token
    claims = {**jwt.decode(good, options={"verify_signature": False}), "roles": ["admin"]}
    head = jwt.get_unverified_header(good)
    (key,) = [each for each in (await http.get("/.well-known/jwks.json")).json()["keys"] if each["kid"] == head["kid"]]
    assert set(key) <= {"crv", "kty", "x", "kid", "use", "alg"}
    raw = base64.urlsafe_b64decode(key["x"] + "==")
    secrets = {"its bytes": raw, "its text": key["x"].encode(), "nothing": b"", "the JWK": orjson.dumps(key)}
    hs256 = {**head, "alg": "HS256"}
    forged = {f"HS256 with {name}": signed_by_hmac(hs256, claims, each) for name, each in secrets.items()}
    for algorithm in ("none", "None", "NONE", ""):
        forged[f"alg {algorithm!r}"] = signed_by_hmac({**head, "alg": algorithm}, claims, None)
    for kid in ("../../../../dev/null", "' OR 1=1 --", "", "challenge-1", "refresh-1", None, 7, ["x"]):
        forged[f"kid {kid!r}"] = signed_by_hmac({**hs256, "kid": kid}, claims, b"")
    own = Ed25519PrivateKey.generate()
    x = base64.urlsafe_b64encode(own.public_key().public_bytes_raw()).rstrip(b"=").decode()
    for more in ({}, {"jwk": {**key, "x": x}}, {"kid": "mine", "jwk": {**key, "x": x}}, {"jku": f"{cast.url}/keys"}):
        forged[f"own key, {list(more)}"] = jwt.encode(claims, own, algorithm="EdDSA", headers={**head, **more})
    forged["signature kept"] = ".".join([good.split(".")[0], part(claims), good.split(".")[2]])
    for name, token in forged.items():
        seen = await http.get(SIGN_INS, headers={"Authorization": f"Bearer {token}"})
        assert seen.status_code == 401, name
    assert (await http.get(SIGN_INS, headers=cast.headers("creator"))).status_code == 200


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed_by_hmac(head: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    text = f"{part(head)}.{part(claims)}"
    mark = b"" if secret is None else hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


@attack("B27")
async def test_b27_a_shared_cache_that_keeps_what_is_private(cast: Cast, http: httpx.AsyncClient) -> None:
    """Have a proxy keep tokens or playlists, or poison addresses by a header → no-store, and our own origin alone."""
    video_id = await gated_video(cast, http)
    _, person = await newcomer(http)
    await minted(http, person.address)
    false = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "Forwarded": "host=evil.example"}
    headers = {**person.headers, **false}
    begun = await http.post(SESSION, json={"content_id": video_id}, headers=headers)
    assert begun.status_code == 201, begun.text
    master = await http.get(begun.json()["hls_url"], headers=false)
    by_query = await http.get("/api/v1/stream/hls", params={"content_id": video_id}, headers=headers)
    described = await http.get(f"/api/v1/content/{video_id}", headers=headers)
    refused = await http.get("/api/v1/stream/hls", params={"content_id": video_id})
    for answer in (begun, master, by_query, described, refused):
        assert "no-store" in answer.headers["cache-control"], answer.request.url
        assert "evil.example" not in answer.text + str(answer.headers), answer.request.url
    rendition = next(line for line in master.text.splitlines() if line and not line.startswith("#"))
    listed = await http.get(str(httpx.URL(begun.json()["hls_url"]).join(rendition)))
    segment = next(line for line in listed.text.splitlines() if line and not line.startswith("#"))
    bytes_ = await http.get(str(listed.request.url.join(segment)))
    assert (bytes_.status_code, bytes_.headers["cache-control"]) == (200, "private, no-cache")
    assert "set-cookie" not in bytes_.headers
    keys = await http.get("/.well-known/jwks.json")
    assert keys.headers["cache-control"].startswith("public")


@attack("B41")
async def test_b41_questions_that_cost_the_chain(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Have anybody's requests read the chain, or fill a store → nobody known costs no read, a challenge no row."""
    content_id = cast.ids["content_id"]  # without running sessions, which would be decided again
    rule = holders(cast, chain=chain.doubtful.name)
    set_ = await http.put(f"/api/v1/content/{content_id}/gate", json=rule, headers=cast.headers("creator"))
    assert set_.status_code == 200
    calls = chain.calls()
    for _ in range(5):
        tried = await opened(http, content_id, None)
        assert tried.status_code in (401, 403, 404), tried.text
        by_query = await http.get("/api/v1/stream/hls", params={"content_id": content_id})
        assert by_query.status_code in (401, 403, 404), by_query.text
    checked = await http.post("/api/v1/gates/check", json={"gate": rule})
    assert checked.status_code == 401
    assert chain.calls() == calls
    challenge = await asked(http, new_wallet(), chain=chain.doubtful.name)
    tries = [await answered(http, challenge, "0x" + "ff" * 65) for _ in range(20)]
    refused = [each for each in tries if each.status_code == 429]
    assert len(refused) >= 5, [told(each) for each in tries]
    assert all(int(each.headers["retry-after"]) >= 1 for each in refused)
    assert {(each.headers["ratelimit-limit"], each.headers["ratelimit-remaining"]) for each in refused} == {("10", "0")}
    questions = (len(tries) - len(refused)) * 2  # at the head, and some blocks ago
    assert chain.calls() - calls <= questions * len(chain.doubtful.nodes)


@attack("B45")
async def test_b45_wallets_and_tokens_in_figures(cast: Cast, http: httpx.AsyncClient) -> None:
    """Read who watches what out of figures, or make their labels grow for ever → labels name kinds, never ids."""
    _, person = await newcomer(http)
    video_id = await gated_video(cast, http)
    await opened(http, video_id, person)
    for number in range(20):
        await http.get(f"/api/v1/content/{video_id}x{number}", headers={"User-Agent": f"agent {number}"})
        await http.request(f"ODD{number}", f"/nowhere/{number}")
    texts = [await figures_of(each.base_url) for each in cast.stack.processes.values()]
    names = (person.address, person.address.lower(), person.user_id, video_id, cast.ids["token"], "ODD1", "nowhere")
    assert [said for said in names for text in texts if said in text] == []
    assert max(map(len, re.findall(r'="([^"]*)"', texts[0]))) < 100


async def figures_of(url: str) -> str:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as inside:
        return (await inside.get("/metrics")).text


@attack("B47")
async def test_b47_which_contents_exist(cast: Cast, http: httpx.AsyncClient) -> None:
    """Tell what is not for others yet from what is not there → the same answer for both, on every road."""
    made = await http.post("/api/v1/content", json={"title": "hidden"}, headers=cast.headers("creator"))
    assert made.status_code == 201, made.text
    hidden = made.json()["content_id"]
    nobody_has = hidden[:-6] + "000000"
    for role in ("", "viewer", "other"):
        seen = await roads(http, hidden, cast.headers(role))
        assert seen == await roads(http, nobody_has, cast.headers(role)), role
        assert seen[0][0] == 404
    own = await http.get(f"/api/v1/content/{hidden}", headers=cast.headers("creator"))
    assert own.status_code == 200
    found = await http.get("/api/v1/metadata/search", params={"q": "hidden"}, headers=cast.headers("viewer"))
    assert hidden not in found.text


async def roads(http: httpx.AsyncClient, content_id: str, headers: dict[str, str]) -> list[tuple[int, str]]:
    """What each way to a content answers, without its id."""
    query = {"content_id": content_id}
    answers = [
        await http.get(f"/api/v1/content/{content_id}", headers=headers),
        await http.get(f"/api/v1/content/{content_id}/gate", headers=headers),
        await http.get("/api/v1/metadata", params=query, headers=headers),
        await http.get("/api/v1/stream/info", params=query, headers=headers),
        await http.get("/api/v1/stream/hls", params=query, headers=headers),
        await http.post(SESSION, json=query, headers=headers),
        await http.put("/api/v1/metadata/update", json={**query, "title": "mine"}, headers=headers),
        await http.get("/api/v1/transcode/list", params=query, headers=headers),
    ]
    return [without_ids(each, content_id) for each in answers]


def without_ids(answer: httpx.Response, content_id: str) -> tuple[int, str]:
    body = {name: value for name, value in answer.json().items() if name not in ("request_id", "instance")}
    return answer.status_code, json.dumps(body).replace(content_id, "…")


@attack("B47")
async def test_b47_whether_a_token_is_nearly_right(cast: Cast, http: httpx.AsyncClient) -> None:
    """Guess a playback token or API key digit by digit → one answer for all that are wrong."""
    token = cast.ids["token"]
    wrong = ["A" * len(token), token[:-1] + ("A" if token[-1] != "A" else "B"), token[:10], token[::-1], f"{token}A"]
    answers = {told(await http.get(f"/api/v1/stream/s/{each}/master.m3u8")) for each in wrong}
    assert len(answers) == 1, answers
    assert next(iter(answers))[0] in (401, 403, 404)
    key = await http.post("/api/v1/auth/api-keys", json={"name": "near"}, headers=cast.headers("creator"))
    right = key.json()["api_key"]
    for each in (right[:-1], right[:-1] + ("A" if right[-1] != "A" else "B"), right.lower(), f"{right}A"):
        if each != right:
            assert (await http.get("/api/v1/content", headers={"X-API-Key": each})).status_code == 401
    assert (await http.get("/api/v1/content", headers={"X-API-Key": right})).status_code == 200
