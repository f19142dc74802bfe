"""The holes that systems of this kind really had, tried on ours from outside, in both shapes.

| Hole | Here | Proven closer to the code, and not repeated |
|---|---|---|
| a query parameter skips sign-in and gate | test_no_parameter_stands_in_for_sign_in_and_gate | |
| the caller chooses the rule | test_nobody_brings_a_rule_along | |
| playback tokens as sign-ins | test_a_playback_token_is_no_sign_in; test_every_endpoint.py | |
| open where something is away | test_without_auth_nobody_is_let_in | auth/test_gate_unknown.py, test_sessions.py |
| strangers edit gates | | test_every_endpoint.py (test_people_who_may_not) |
| work on another's content | test_anothers_content_takes_no_work | upload/test_opening.py |
| an amount of zero | test_zero_is_no_amount | auth/test_nft.py |
| one answer kept for another question | test_an_answer_is_for_its_question | auth/test_nft.py |
| requests to inside | test_nothing_inside_is_fetched | kernel/sdk/test_outgoing*.py |
| services open beside the gateway | test_each_process_asks_for_itself | kernel/identity |
| limits dodged by a header or path | test_no_header_makes_room | kernel/sdk/edge |
| playback outlives the sign-in | test_logging_out_ends_playback | test_story.py (the token is sold) |
| secrets are shown | test_no_secret_is_shown | kernel/test_config.py |
| declared sizes are believed | test_sizes_are_counted | upload/test_quota.py, upload/test_chunks.py |

Solana amounts come with Solana gates, and what a decoder may open is in transcoder/test_sandbox.py.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgate.testing.stacks import all_in_one
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet, sign_in
from tests.e2e.cast import ENVIRONMENT, Cast, gather
from tests.e2e.shared import shared_stack

pytestmark = pytest.mark.timeout(180)

INSIDE = (
    "http://127.0.0.1/",
    "http://127.0.0.1:22/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://100.64.0.1/",
    "https://user:secret@127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
)


INSIDE_BY_NAME = ("https://localhost/",)


@pytest.fixture(scope="module", params=["all", "split"])
def cast(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return asyncio.run(gather(shared_stack(request), tmp_path_factory.mktemp("holes")))


@pytest.fixture
async def http(cast: Cast) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=cast.url, trust_env=False, timeout=30) as client:
        yield client


async def gated_video(cast: Cast, http: httpx.AsyncClient) -> str:
    """The creator's video, for holders of the demo collection from now on."""
    gate = {"erc721": {"chain": cast.ids["chain"], "contract": cast.ids["contract"]}}
    path = f"/api/v1/content/{cast.ids['video_id']}/gate"
    (await http.put(path, json=gate, headers=cast.headers("creator"))).raise_for_status()
    return str(cast.ids["video_id"])


def new_wallet() -> Wallet:
    return Wallet(os.urandom(32))


async def minted(http: httpx.AsyncClient, address: str) -> str:
    made = await http.post("/api/v1/devchain/mint", json={"address": address})
    made.raise_for_status()
    return str(made.json()["token_id"])


async def test_no_parameter_stands_in_for_sign_in_and_gate(cast: Cast, http: httpx.AsyncClient) -> None:
    video_id = await gated_video(cast, http)
    token, good = cast.ids["token"], cast.people["creator"].access_token
    for name in ("token", "session", "playback_token", "access_token", "t", "auth", "key", "sig", "authorization"):
        for value in ("x", "1", "null", token, good):
            for form in ("hls", "dash"):
                query = {"content_id": video_id, name: value}
                for role in ("", "viewer"):
                    seen = await http.get(f"/api/v1/stream/{form}", params=query, headers=cast.headers(role))
                    assert seen.status_code in (401, 403, 422), (query, role, seen.status_code, seen.text[:200])
    stranger = await http.post("/api/v1/stream/session", json={"content_id": video_id}, headers=cast.headers("viewer"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "gate.refused")
    other = {"content_id": cast.ids["content_id"], "rendition": cast.ids["rendition"], "number": 1, "session": token}
    assert (await http.get("/api/v1/stream/segment", params=other)).status_code in (404, 410)


async def test_nobody_brings_a_rule_along(cast: Cast, http: httpx.AsyncClient) -> None:
    video_id = await gated_video(cast, http)
    for name in ("gate", "contract", "chain", "rule", "standard", "min", "public", "address", "wallet"):
        body = {"content_id": video_id, name: {"public": {}} if name in ("gate", "rule") else "0x" + "11" * 20}
        seen = await http.post("/api/v1/stream/session", json=body, headers=cast.headers("viewer"))
        assert (seen.status_code, seen.json()["errors"][0]["field"]) == (422, name)
        query = {"content_id": video_id, name: "public"}
        seen = await http.get("/api/v1/stream/hls", params=query, headers=cast.headers("viewer"))
        assert (seen.status_code, seen.json()["errors"][0]["field"]) == (422, name)


async def test_a_playback_token_is_no_sign_in(cast: Cast, http: httpx.AsyncClient) -> None:
    token = cast.ids["token"]
    told = await http.post("/api/v1/auth/verify-token", json={"token": token})
    assert (told.status_code, told.json()["valid"]) == (200, False)
    for body in ({"refresh_token": token}, {"refresh_token": cast.people["creator"].access_token}):
        assert (await http.post("/api/v1/auth/refresh", json=body)).status_code in (401, 422)
    cookie = {"Cookie": f"streamgate_refresh={token}"}
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}, cookie):
        assert (await http.get("/api/v1/auth/sessions", headers=headers)).status_code == 401


async def test_without_auth_nobody_is_let_in(cast: Cast, http: httpx.AsyncClient) -> None:
    """A whole process that hangs is the worst way to be away: nothing refuses, nothing answers."""
    if cast.stack.mode == "all":
        return  # there it cannot be away alone
    video_id = await gated_video(cast, http)
    await minted(http, cast.people["viewer"].address)
    auth = cast.stack.processes["auth"]
    auth.pause()
    try:
        body = {"content_id": video_id, "client_id": "hung"}
        asked = [
            http.post("/api/v1/stream/session", json=body, headers=cast.headers(role)) for role in ("viewer", "other")
        ]
        assert [seen.status_code for seen in await asyncio.gather(*asked)] == [503, 503]
    finally:
        auth.resume()
    auth.wait_ready()


async def test_anothers_content_takes_no_work(cast: Cast, http: httpx.AsyncClient) -> None:
    """Not even by somebody who may do all of it to their own."""
    content_id, headers = cast.ids["video_id"], cast.headers("other")
    gate: dict[str, Any] = {"public": {}}
    tried: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/api/v1/transcode/submit", {"content_id": content_id}),
        ("POST", "/api/v1/upload/init", {"filename": "a.mp4", "size_bytes": 10, "content_id": content_id}),
        ("POST", "/api/v1/upload/import", {"url": "https://example.com/a.mp4", "content_id": content_id}),
        ("POST", "/api/v1/jobs/submit", {"kind": "content.retranscode", "payload": {"content_id": content_id}}),
        ("POST", "/api/v1/jobs/submit", {"kind": "media.encode_chunk", "payload": {"content_id": content_id}}),
        ("POST", "/api/v1/jobs/submit", {"kind": "blob.collect_garbage", "payload": {}}),
        ("POST", "/api/v1/jobs/cancel", {"job_id": cast.ids["task_id"]}),
        ("POST", "/api/v1/transcode/cancel", {"task_id": cast.ids["task_id"]}),
        ("PUT", "/api/v1/metadata/update", {"content_id": content_id, "title": "mine"}),
        ("PUT", f"/api/v1/content/{content_id}/gate", gate),
    ]
    before = (await http.get(f"/api/v1/content/{content_id}", headers=cast.headers("creator"))).json()
    for method, path, body in tried:
        seen = await http.request(method, path, json=body, headers=headers)
        assert seen.status_code in (403, 404, 422), (path, body, seen.status_code, seen.text[:200])
    form: dict[str, Any] = {"data": {"content_id": content_id}, "files": {"file": ("a.mp4", b"mine", "video/mp4")}}
    assert (await http.post("/api/v1/upload", headers=headers, **form)).status_code in (403, 404)
    assert (await http.get(f"/api/v1/content/{content_id}", headers=cast.headers("creator"))).json() == before


async def test_zero_is_no_amount(cast: Cast, http: httpx.AsyncClient) -> None:
    chain, contract = cast.ids["chain"], cast.ids["contract"]
    for amount in ("0", "-1", "1.5", "", "0x1", "00", "9" * 79):
        for kind in ("erc721", "erc20"):
            gate = {kind: {"chain": chain, "contract": contract, "min": amount}}
            path = f"/api/v1/content/{cast.ids['content_id']}/gate"
            seen = await http.put(path, json=gate, headers=cast.headers("creator"))
            assert (seen.status_code, seen.json()["code"]) == (422, "gate.invalid"), (gate, seen.text[:200])
        body = {"chain": chain, "contract": contract, "min_balance": amount}
        seen = await http.post("/api/v1/nft/verify", json=body, headers=cast.headers("viewer"))
        assert seen.status_code == 422, (amount, seen.text[:200])


async def test_an_answer_is_for_its_question(cast: Cast, http: httpx.AsyncClient) -> None:
    """Of one wallet, contract and moment: other amounts, tokens and standards are other questions."""
    person = await sign_in(http, new_wallet())
    token_id = await minted(http, person.address)
    asked: list[tuple[dict[str, str], bool]] = [
        ({}, True),
        ({"min_balance": "2"}, False),
        ({"token_id": token_id}, True),
        ({"token_id": str(int(token_id) + 1)}, False),
        ({"standard": "erc721"}, True),
        ({}, True),
    ]
    for more, holds in [*asked, *reversed(asked)]:
        body = {"chain": cast.ids["chain"], "contract": cast.ids["contract"], **more}
        seen = await http.post("/api/v1/nft/verify", json=body, headers=person.headers)
        assert (seen.status_code, seen.json()["holds"]) == (200, holds), (more, seen.text[:300])


async def test_nothing_inside_is_fetched(cast: Cast, http: httpx.AsyncClient) -> None:
    """What is plainly inside is refused at once; a name, when it is looked up (nothing can be said of it before)."""
    for url in INSIDE:
        tried = [
            ("creator", "/api/v1/upload/import", {"url": url}, "url"),
            ("creator", "/api/v1/jobs/submit", webhook(url), "url"),
            ("admin", "/api/v1/monitor/alerts/rules", rule(url), "notify_url"),
        ]
        for role, path, body, field in tried:
            seen = await http.post(path, json=body, headers=cast.headers(role))
            assert seen.status_code == 422, (path, url, seen.status_code, seen.text[:300])
            assert field in seen.json()["errors"][0]["field"], (path, url, seen.text[:300])
    uploads = []
    for url in INSIDE_BY_NAME:
        seen = await http.post("/api/v1/upload/import", json={"url": url}, headers=cast.headers("creator"))
        assert seen.status_code == 202, (url, seen.status_code, seen.text[:300])
        uploads.append(seen.json()["upload_id"])

    async def have_failed() -> bool | None:
        asked = [{"upload_id": each} for each in uploads]
        headers = cast.headers("creator")
        seen = [(await http.get("/api/v1/upload/status", params=each, headers=headers)).json() for each in asked]
        assert all(each["received_bytes"] == 0 for each in seen)
        return True if {each["status"] for each in seen} == {"failed"} else None

    await eventually(have_failed, timeout_s=60, every_s=0.2, what="the imports' end")


def rule(url: str) -> dict[str, Any]:
    return {"name": "a", "metric": "streamgate_uploads_total", "notify_url": url}


def webhook(url: str) -> dict[str, Any]:
    return {"kind": "webhook.deliver", "payload": {"url": url, "event": "a", "body": {}}}


async def test_each_process_asks_for_itself(cast: Cast, http: httpx.AsyncClient) -> None:
    """Whoever gets past the gateway gets no further, whatever headers they bring; and through it, to nothing inside."""
    forged = {f"X-Streamgate-{name}": "admin" for name in ("User", "Actor", "Roles", "Hop", "Identity", "Service")}
    forged |= {"X-Wallet-Address": cast.ids["address"], "X-User-ID": cast.people["admin"].user_id}
    for name, process in cast.stack.processes.items():
        async with httpx.AsyncClient(base_url=process.base_url, trust_env=False, timeout=30) as inside:
            paths = (await inside.get("/openapi.json")).json()["paths"]
            for path, methods in paths.items():
                for method, spec in methods.items():
                    if spec["x-streamgate-policy"] not in ("public", "token"):
                        seen = await inside.request(method, path.replace("{", "").replace("}", ""), headers=forged)
                        assert seen.status_code == 401, (name, method, path, seen.status_code)
    for path in ("/internal", "/api/v1/internal", "/api/v1", "/_bus", "/api/v1/auth/decide", "/api/v1/services"):
        assert (await http.get(path, headers=forged)).status_code == 404, path


async def test_no_header_makes_room(tmp_path: Path) -> None:
    """One server of its own, with low limits: neither headers that name other addresses nor other paths help."""
    low = {
        **ENVIRONMENT,
        "STREAMGATE_LIMITS__ENABLED": "true",
        "STREAMGATE_LIMITS__ADDRESS_PER_MINUTE": "20",
        "STREAMGATE_AUTH__REQUESTS_PER_MINUTE": "5",
    }
    with all_in_one(tmp_path, environment=low) as stack:
        async with httpx.AsyncClient(base_url=stack.url, trust_env=False, timeout=30) as http:
            challenges = []
            for number in range(1, 10):
                body = {"address": f"0x{number:040x}"}
                asked = http.post("/api/v1/auth/challenge", json=body, headers=from_elsewhere(number))
                challenges.append(await asked)
            assert [each.status_code for each in challenges].count(200) <= 6
            answers = [await http.get(f"/api/v1/content/x_{n}?n={n}", headers=from_elsewhere(n)) for n in range(40)]
    refused = [each for each in answers if each.status_code == 429]
    assert len(refused) >= 15
    assert all(each.json()["code"] == "request.too_many" and int(each.headers["retry-after"]) > 0 for each in refused)


def from_elsewhere(number: int) -> dict[str, str]:
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP")
    return dict.fromkeys(names, f"203.0.113.{number}")


async def test_logging_out_ends_playback(cast: Cast, http: httpx.AsyncClient) -> None:
    video_id = await gated_video(cast, http)
    person = await sign_in(http, new_wallet())
    await minted(http, person.address)
    opened = await http.post("/api/v1/stream/session", json={"content_id": video_id}, headers=person.headers)
    assert opened.status_code == 201, opened.text
    url = opened.json()["hls_url"]
    assert (await http.get(url)).status_code == 200
    left = await http.post("/api/v1/auth/logout", json={"refresh_token": person.refresh_token}, headers=person.headers)
    assert left.status_code == 204

    async def is_over() -> bool | None:
        seen = await http.get(url)
        assert seen.status_code in (200, 403, 410)
        return True if seen.status_code != 200 else None

    await eventually(is_over, timeout_s=20, what="the end of playback")
    again = await http.post(f"/api/v1/stream/session/{opened.json()['session_id']}/renew", headers=person.headers)
    assert again.status_code == 401


async def test_sizes_are_counted(cast: Cast, http: httpx.AsyncClient) -> None:
    """What is said of a size beforehand holds: nothing past it is kept."""
    headers = cast.headers("creator")
    begun = await http.post("/api/v1/upload/init", json={"filename": "a.bin", "size_bytes": 10}, headers=headers)
    upload = {"upload_id": begun.json()["upload_id"]}
    for index, body in ((0, b"x" * 11), (0, b"x" * 2_000_000), (1, b"x"), (-1, b"x")):
        sent = await http.post("/api/v1/upload/chunk", params={**upload, "index": index}, content=body, headers=headers)
        assert sent.status_code in (413, 422), (index, len(body), sent.status_code)
    status = (await http.get("/api/v1/upload/status", params=upload, headers=headers)).json()
    assert status["received_bytes"] == 0
    tus = {**headers, "Tus-Resumable": "1.0.0"}
    made = await http.post("/api/v1/upload/tus", headers={**tus, "Upload-Length": "5"})
    more = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = await http.patch(made.headers["location"], content=b"x" * 50, headers=more)
    assert (sent.status_code, sent.json()["code"]) == (413, "upload.too_large")


async def test_no_secret_is_shown(cast: Cast, http: httpx.AsyncClient) -> None:
    """In no log, figure or description, after all that was sent."""
    key = await http.post("/api/v1/auth/api-keys", json={"name": "shown once"}, headers=cast.headers("creator"))
    secrets = [cast.ids["token"], key.json()["api_key"]]
    secrets += [text for person in cast.people.values() for text in (person.access_token, person.refresh_token)]
    for process in cast.stack.processes.values():
        master = process.environment.get("STREAMGATE_SECRETS__MASTER_KEY", "")
        secrets += [master] if master else []
    path = cast.stack.data_dir / "master.key"
    secrets += [path.read_text().strip()] if path.exists() else []
    await http.get("/api/v1/auth/sessions", params={"q": secrets[0]}, headers={"Authorization": f"Bearer {secrets[0]}"})
    await http.get(f"/api/v1/stream/s/{cast.ids['token']}/master.m3u8")
    shown = {name: process.log_path.read_text(errors="replace") for name, process in cast.stack.processes.items()}
    for asked in ("/openapi.json", "/metrics", "/ready", "/api/v1/monitor/health", "/api/v1/monitor/logs", "/docs"):
        shown[asked] = (await http.get(asked, headers=cast.headers("admin"))).text
    for where, text in shown.items():
        for secret in secrets:
            assert secret not in text, f"{where} shows {secret[:12]}…"
