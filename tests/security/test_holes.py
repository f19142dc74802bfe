"""Section A: the holes that a system of this kind really had, tried on ours."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.stacks import all_in_one
from streamgate.testing.wait import eventually
from tests.e2e.cast import ENVIRONMENT, Cast
from tests.security.stage import SESSION, gated_video, minted, newcomer, opened

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


SHOWN = (
    "/openapi.json",
    "/metrics",
    "/ready",
    "/docs",
    "/api/v1/monitor/health",
    "/api/v1/monitor/logs",
    "/api/v1/auth/chains",
    "/api/v1/auth/chains/health",
)
INSIDE_BY_NAME = ("https://localhost/",)


@attack("A1")
async def test_a01_a_query_parameter_instead_of_sign_in(cast: Cast, http: httpx.AsyncClient) -> None:
    """Any value of a token parameter skips sign-in and gate → no such parameter is read."""
    video_id = await gated_video(cast, http)
    token, good = cast.ids["token"], cast.people["creator"].access_token
    for name in ("token", "session", "playback_token", "access_token", "t", "auth", "key", "sig", "authorization"):
        for value in ("x", "1", "null", token, good):
            for form in ("hls", "dash"):
                query = {"content_id": video_id, name: value}
                for role in ("", "viewer"):
                    seen = await http.get(f"/api/v1/stream/{form}", params=query, headers=cast.headers(role))
                    assert seen.status_code in (401, 403, 422), (query, role, seen.status_code, seen.text[:200])
    stranger = await http.post(SESSION, json={"content_id": video_id}, headers=cast.headers("viewer"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "gate.refused")
    other = {"content_id": cast.ids["content_id"], "rendition": cast.ids["rendition"], "number": 1, "session": token}
    assert (await http.get("/api/v1/stream/segment", params=other)).status_code in (404, 410)


@attack("A2")
async def test_a02_the_caller_brings_the_rule(cast: Cast, http: httpx.AsyncClient) -> None:
    """A rule, contract or chain in the request → unknown fields are refused, the stored rule decides."""
    video_id = await gated_video(cast, http)
    for name in ("gate", "contract", "chain", "rule", "standard", "min", "public", "address", "wallet"):
        body = {"content_id": video_id, name: {"public": {}} if name in ("gate", "rule") else "0x" + "11" * 20}
        seen = await http.post(SESSION, json=body, headers=cast.headers("viewer"))
        assert (seen.status_code, seen.json()["errors"][0]["field"]) == (422, name)
        query = {"content_id": video_id, name: "public"}
        seen = await http.get("/api/v1/stream/hls", params=query, headers=cast.headers("viewer"))
        assert (seen.status_code, seen.json()["errors"][0]["field"]) == (422, name)


@attack("A3")
async def test_a03_a_playback_token_as_sign_in(cast: Cast, http: httpx.AsyncClient) -> None:
    """A token out of a shared playlist as credential → it opens bytes of its session, nothing else."""
    token = cast.ids["token"]
    told = await http.post("/api/v1/auth/verify-token", json={"token": token})
    assert (told.status_code, told.json()["valid"]) == (200, False)
    for body in ({"refresh_token": token}, {"refresh_token": cast.people["creator"].access_token}):
        assert (await http.post("/api/v1/auth/refresh", json=body)).status_code in (401, 422)
    cookie = {"Cookie": f"streamgate_refresh={token}"}
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}, cookie):
        assert (await http.get("/api/v1/auth/sessions", headers=headers)).status_code == 401


@attack("A4")
async def test_a04_while_auth_hangs(cast: Cast, http: httpx.AsyncClient) -> None:
    """Ask while nobody can decide → 503; a whole process that hangs is the worst way to be away."""
    if cast.stack.mode == "all":
        return  # there it cannot be away alone
    video_id = await gated_video(cast, http)
    await minted(http, cast.people["viewer"].address)
    auth = cast.stack.processes["auth"]
    auth.pause()
    try:
        body = {"content_id": video_id, "client_id": "hung"}
        asked = [http.post(SESSION, json=body, headers=cast.headers(role)) for role in ("viewer", "other")]
        assert [seen.status_code for seen in await asyncio.gather(*asked)] == [503, 503]
    finally:
        auth.resume()
    auth.wait_ready()


@attack("A5")
async def test_a05_strangers_edit_gates(cast: Cast, http: httpx.AsyncClient) -> None:
    """Change or take away the rule of what is somebody else's → refused to viewers, other creators and nobody."""
    video_id = await gated_video(cast, http)
    path = f"/api/v1/content/{video_id}/gate"
    before = (await http.get(path, headers=cast.headers("creator"))).json()
    yaml = {"Content-Type": "application/yaml"}
    for role in ("", "viewer", "other"):
        tried = [
            await http.put(path, json={"public": {}}, headers=cast.headers(role)),
            await http.delete(path, headers=cast.headers(role)),
            await http.put(
                f"/api/v1/gates/contents/{video_id}", content=b"public: {}", headers={**yaml, **cast.headers(role)}
            ),
        ]
        assert {each.status_code for each in tried} <= {401, 403, 404}, (role, [each.text for each in tried])
    assert (await http.get(path, headers=cast.headers("creator"))).json() == before


@attack("A6")
async def test_a06_work_on_anothers_content(cast: Cast, http: httpx.AsyncClient) -> None:
    """Work on what is somebody else's → refused, also to who may do it to their own; nothing changes."""
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


@attack("A7")
async def test_a07_an_amount_of_zero(cast: Cast, http: httpx.AsyncClient) -> None:
    """A rule or question that zero tokens satisfy → at least one, as a whole decimal number."""
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


@attack("A8")
async def test_a08_one_answer_for_another_question(cast: Cast, http: httpx.AsyncClient) -> None:
    """An answer kept for another amount, token or standard → each is a question of its own."""
    _, person = await newcomer(http)
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


@attack("A9")
async def test_a09_requests_to_inside(cast: Cast, http: httpx.AsyncClient) -> None:
    """Import, webhook and alert URLs that lead inside → refused: literals at once, names when looked up."""
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
    unsigned = {**rule("https://pager.example.org/"), "notify_secret": "nobody's"}
    seen = await http.post("/api/v1/monitor/alerts/rules", json=unsigned, headers=cast.headers("admin"))
    assert (seen.status_code, seen.json()["errors"][0]["field"]) == (422, "notify_secret"), seen.text[:300]
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


@attack("A10")
async def test_a10_past_the_gateway(cast: Cast, http: httpx.AsyncClient) -> None:
    """Go straight to a service, with headers of a gateway → each process checks credentials itself."""
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


@attack("A11")
async def test_a11_limits_dodged_by_headers_and_paths(tmp_path: Path) -> None:
    """Forged forwarding headers, varied paths → counted by the address that connected."""
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


@attack("A12")
async def test_a12_playback_after_log_out(cast: Cast, http: httpx.AsyncClient) -> None:
    """Go on with the playlist after log-out → the sessions of a sign-in end with it."""
    video_id = await gated_video(cast, http)
    _, person = await newcomer(http)
    await minted(http, person.address)
    begun = await opened(http, video_id, person)
    assert begun.status_code == 201, begun.text
    url = begun.json()["hls_url"]
    assert (await http.get(url)).status_code == 200
    left = await http.post("/api/v1/auth/logout", json={"refresh_token": person.refresh_token}, headers=person.headers)
    assert left.status_code == 204

    async def is_over() -> bool | None:
        seen = await http.get(url)
        assert seen.status_code in (200, 403, 410)
        return True if seen.status_code != 200 else None

    await eventually(is_over, timeout_s=20, what="the end of playback")
    again = await http.post(f"/api/v1/stream/session/{begun.json()['session_id']}/renew", headers=person.headers)
    assert again.status_code == 401


@attack("A14")
async def test_a14_declared_sizes(cast: Cast, http: httpx.AsyncClient) -> None:
    """Send more than was declared → bytes are counted as they come, and nothing past them is kept."""
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


@attack("A13")
async def test_a13_secrets_that_are_shown(cast: Cast, http: httpx.AsyncClient) -> None:
    """Read logs, figures, descriptions and health → no token or key, and no endpoint's key, in any."""
    key = await http.post("/api/v1/auth/api-keys", json={"name": "shown once"}, headers=cast.headers("creator"))
    secrets = [cast.ids["token"], key.json()["api_key"]]
    secrets += [text for person in cast.people.values() for text in (person.access_token, person.refresh_token)]
    for process in cast.stack.processes.values():
        master = process.environment.get("STREAMGATE_SECRETS__MASTER_KEY", "")
        secrets += [master] if master else []
    path = cast.stack.data_dir / "master.key"
    secrets += [path.read_text().strip()] if path.exists() else []
    secrets.append("/v3/secret-key")  # of the endpoints of the second chain
    await http.get("/api/v1/auth/sessions", params={"q": secrets[0]}, headers={"Authorization": f"Bearer {secrets[0]}"})
    await http.get(f"/api/v1/stream/s/{cast.ids['token']}/master.m3u8")
    shown = {name: process.log_path.read_text(errors="replace") for name, process in cast.stack.processes.items()}
    for asked in SHOWN:
        shown[asked] = (await http.get(asked, headers=cast.headers("admin"))).text
    for where, text in shown.items():
        for secret in secrets:
            assert secret not in text, f"{where} shows {secret[:12]}…"
