"""What every request meets at the door, and what every answer says."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import httpx
import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from streamgate.context import Actor
from streamgate.errors import TooMany
from streamgate.health import CheckResult, Readiness
from streamgate.sdk.edge.policy import Edge
from streamgate.settings import LimitSettings, ServerSettings
from streamgate.testing.attacks import attack
from streamgate.web.access import AccessLog
from streamgate.web.app import build_app
from streamgate.web.client import client_address
from streamgate.web.problems import HeadersTooLarge, UrlTooLong
from streamgate.web.routes import ANSWER_HEADERS, PUBLIC, SIGNED_IN, TOKEN, Call, Mount, Route
from tests.kernel.sdk.edge.conftest import LIMITS, PUBLIC_URL, SERVER, KnownByWord, Now, person, scope_of

MakeEdge = Callable[..., Edge]
Open = Callable[..., httpx.AsyncClient]


async def is_ready() -> Readiness:
    return Readiness(ready=True, checks={"store": CheckResult(ok=True, detail="", latency_ms=0.1)}, service="toy")


async def says(call: Call[None, None]) -> Response:
    return PlainTextResponse(client_address(call.request.scope), headers=dict(call.request.query_params))


async def media(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("bytes")(scope, receive, send)


async def refuses(call: Call[None, None]) -> Response:
    raise TooMany("too many for this wallet", retry_after_s=12)


ROUTES = [
    Route("GET", "/x", says, policy=PUBLIC, summary="Says where one comes from"),
    Route("GET", "/x/{name}", says, policy=PUBLIC, summary="The same"),
    Route("GET", "/wallet", refuses, policy=PUBLIC, summary="Has a limit of its own"),
    Route("GET", "/mine", says, policy=SIGNED_IN, summary="For those who are known"),
]
MOUNTS = [
    Mount(prefix="/api/v1/stream/s", app=media, policy=TOKEN, summary="Media"),
    Mount(prefix="/mounted", app=media, policy=PUBLIC, summary="Something else"),
]


@pytest.fixture
async def opened(make_edge: MakeEdge) -> AsyncIterator[Open]:
    clients: list[httpx.AsyncClient] = []

    def start(server: ServerSettings = SERVER, limits: LimitSettings = LIMITS, **more: Any) -> httpx.AsyncClient:
        peer = more.pop("peer", "198.51.100.1")
        app = build_app(
            routes=ROUTES,
            mounts=MOUNTS,
            authenticator=KnownByWord(),
            settings=server,
            service="toy",
            mode="all",
            readiness=is_ready,
            began_s=time.monotonic(),
            access_log=AccessLog(lambda lines: None),
            policy=make_edge(server, limits, **more),
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(peer, 4711))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://toy"))
        return clients[-1]

    yield start
    for client in clients:
        await client.aclose()


# --- headers ------------------------------------------------------------------------------------------

EVERYWHERE = ["/x", "/nothing", "/health", "/openapi.json", "/docs", "/mounted/a", "/api/v1/stream/s/t/a", "/mine"]


@attack("B36")
@pytest.mark.parametrize("path", EVERYWHERE)
async def test_every_answer_has_the_security_headers_and_a_request_id(opened: Open, path: str) -> None:
    headers = (await opened().get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    assert headers["strict-transport-security"] == "max-age=31536000"
    expected = "cross-origin" if path.startswith("/api/v1/stream/s/") else "same-origin"
    assert headers["cross-origin-resource-policy"] == expected
    assert ("vary" in headers) == (expected == "same-origin"), "media are answered alike to pages of any origin"
    assert headers["x-request-id"]


async def test_what_a_route_says_itself_stays(opened: Open) -> None:
    headers = (await opened().get("/x", params={"x-frame-options": "SAMEORIGIN", "vary": "Accept"})).headers
    assert headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert headers.get_list("vary") == ["Accept", "Origin"]


async def test_https_is_not_promised_where_people_come_by_http(opened: Open) -> None:
    answer = await opened(ServerSettings(public_url="http://127.0.0.1:9090")).get("/x")
    assert "strict-transport-security" not in answer.headers


# --- CORS ---------------------------------------------------------------------------------------------

OTHERS = ServerSettings(public_url=PUBLIC_URL, cors_origins=("https://Player.example:443", "http://localhost:5173"))


@pytest.mark.parametrize("path", ["/x", "/nothing", "/mine", "/mounted/a"])
@pytest.mark.parametrize("origin", [PUBLIC_URL, "https://player.example", "http://localhost:5173"])
async def test_a_listed_origin_may_read_every_answer(opened: Open, path: str, origin: str) -> None:
    headers = (await opened(OTHERS).get(path, headers={"origin": origin})).headers
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-credentials"] == "true"
    for name in ("X-Request-ID", "RateLimit-Remaining", "Retry-After", "Location", "Upload-Offset"):
        assert name in headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://player.example.evil", "null", "https://player.example:444", ""]
)
async def test_other_origins_may_not(opened: Open, origin: str) -> None:
    headers = (await opened(OTHERS).get("/x", headers={"origin": origin})).headers
    assert not [name for name in headers if name.startswith("access-control")]


async def test_media_may_be_read_by_any_page_that_has_its_address_and_by_no_credential(opened: Open) -> None:
    for origin in ("https://evil.example", PUBLIC_URL):
        headers = (await opened(OTHERS).get("/api/v1/stream/s/t/a", headers={"origin": origin})).headers
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers


async def test_anybody_is_without_credentials(opened: Open) -> None:
    client = opened(ServerSettings(public_url=PUBLIC_URL, cors_origins=("*",)))
    headers = (await client.get("/x", headers={"origin": "https://any.example"})).headers
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
    own = (await client.get("/x", headers={"origin": PUBLIC_URL})).headers
    assert (own["access-control-allow-origin"], own["access-control-allow-credentials"]) == (PUBLIC_URL, "true")


@pytest.mark.parametrize("path", ["/x", "/mine", "/nothing", "/mounted/a"])
async def test_a_preflight_is_answered_before_anything_is_routed(opened: Open, path: str) -> None:
    asked = {"origin": "https://player.example", "access-control-request-method": "PUT"}
    answer = await opened(OTHERS).options(path, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://player.example"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    for name in ("Authorization", "Idempotency-Key", "Tus-Resumable", "Content-Digest"):
        assert name in answer.headers["access-control-allow-headers"]
    refused = await opened(OTHERS).options(path, headers={**asked, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


async def test_options_that_is_no_preflight_is_routed(opened: Open) -> None:
    assert (await opened().options("/x", headers={"origin": PUBLIC_URL})).status_code == 405


# --- sizes --------------------------------------------------------------------------------------------


async def test_a_url_too_long_is_414(opened: Open) -> None:
    client = opened(attrs.evolve(SERVER, max_url_bytes=100))
    assert (await client.get("/x", params={"n": "a" * 90})).status_code == 200
    answer = await client.get("/x", params={"n": "a" * 200})
    assert (answer.status_code, answer.json()["code"]) == (414, UrlTooLong.code)
    assert (await client.get("/api/v1/stream/s/" + "a" * 200)).status_code == 414


@pytest.mark.parametrize(
    "headers", [{f"x-{number}": "a" for number in range(101)}, {"x-large": "a" * 33_000}], ids=["many", "large"]
)
async def test_too_many_headers_or_too_large_ones_are_431(opened: Open, headers: dict[str, str]) -> None:
    answer = await opened().get("/x", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (431, HeadersTooLarge.code)
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- limits -------------------------------------------------------------------------------------------

FEW = LimitSettings(address_per_minute=3, identity_per_minute=1000)


async def test_an_address_gets_so_many_and_then_429_with_a_time(opened: Open, now: Now) -> None:
    client = opened(limits=FEW)
    answers = [await client.get("/x") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert [each.headers["ratelimit-remaining"] for each in answers] == ["2", "1", "0", "0"]
    assert {each.headers["ratelimit-limit"] for each in answers} == {"3"}
    assert (answers[3].json()["code"], answers[3].headers["retry-after"]) == ("request.too_many", "20")
    assert answers[3].headers["ratelimit-reset"] == "60"
    now.now_s += 20
    assert (await client.get("/x")).status_code == 200


async def test_a_limit_of_somebody_else_is_not_told_as_that_of_the_address(opened: Open) -> None:
    client = opened(limits=FEW)
    for _ in range(3):
        answer = await client.get("/wallet")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "12")
        assert [name for name in answer.headers if name.startswith("ratelimit")] == []
        assert answer.headers["x-content-type-options"] == "nosniff"
    answer = await client.get("/wallet")  # the address has none left, and that is told with its numbers
    assert (answer.headers["retry-after"], answer.headers["ratelimit-remaining"]) == ("20", "0")


async def test_another_path_is_no_way_around(opened: Open) -> None:
    client = opened(limits=FEW)
    paths = ["/x", "/nothing", "/x/other", "/mounted/a", "/X", "//x", "/api/v1/stream/s", "/docs", "/openapi.json"]
    found = [(await client.get(path)).status_code for path in paths]
    assert [code for code in found if code != 429] == [200, 404, 200]
    assert found[3:] == [429] * 6


async def test_media_and_health_are_not_counted(opened: Open) -> None:
    client = opened(limits=FEW)
    for path in ("/api/v1/stream/s/token/1.m4s", "/health", "/ready"):
        answers = [await client.get(path) for _ in range(5)]
        assert {each.status_code for each in answers} == {200}, path
        assert "ratelimit-limit" not in answers[0].headers
    assert (await client.get("/x")).headers["ratelimit-remaining"] == "2"


@attack("A11")
@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip"])
async def test_a_forged_address_is_no_way_around(opened: Open, name: str) -> None:
    client = opened(limits=FEW)
    found = [(await client.get("/x", headers={name: f"203.0.113.{number}"})).status_code for number in range(4)]
    assert found[-1] == 429


async def test_behind_a_trusted_proxy_each_client_is_counted_apart(opened: Open) -> None:
    client = opened(attrs.evolve(SERVER, trusted_proxies=("198.51.100.0/24",)), FEW)
    for number in range(6):
        answer = await client.get("/x", headers={"x-forwarded-for": f"203.0.113.{number}"})
        assert (answer.status_code, answer.text) == (200, f"203.0.113.{number}")
    forged = [
        (await client.get("/x", headers={"x-forwarded-for": f"192.0.2.{number}, 203.0.113.99"})).status_code
        for number in range(4)
    ]
    assert forged[-1] == 429


async def test_addresses_of_one_ipv6_network_are_one(opened: Open) -> None:
    settings = attrs.evolve(SERVER, trusted_proxies=("198.51.100.0/24",))
    client = opened(settings, FEW)
    found = [
        (await client.get("/x", headers={"x-forwarded-for": f"2001:db8:1:2::{number}"})).status_code
        for number in range(4)
    ]
    assert found[-1] == 429


async def test_a_person_is_counted_wherever_they_come_from(opened: Open, make_edge: MakeEdge) -> None:
    edge = make_edge(limits=LimitSettings(identity_per_minute=2, address_per_minute=1000))
    for number in range(2):
        scope = scope_of(peer=f"203.0.113.{number}")
        await edge.enter(scope)
        await edge.admit(scope, person("u_1"))
        assert dict(scope[ANSWER_HEADERS])[b"ratelimit-limit"] == b"2"
    scope = scope_of(peer="203.0.113.9")
    await edge.enter(scope)
    with pytest.raises(TooMany, match="of this person"):
        await edge.admit(scope, person("u_1"))
    headers = [pair for pair in scope[ANSWER_HEADERS] if pair[0].startswith(b"ratelimit")]
    assert headers == [(b"ratelimit-limit", b"2"), (b"ratelimit-remaining", b"0"), (b"ratelimit-reset", b"60")]
    await edge.admit(scope_of(), person("u_2"))


async def test_an_api_key_has_a_limit_of_its_own(make_edge: MakeEdge) -> None:
    edge = make_edge(limits=LimitSettings(identity_per_minute=1000, key_per_minute=1))
    await edge.admit(scope_of(), person(credential="k_1"))
    with pytest.raises(TooMany, match="API key"):
        await edge.admit(scope_of(), person(credential="k_1"))
    await edge.admit(scope_of(), person(credential="k_2"))
    await edge.admit(scope_of(), person(credential="a_1"))


async def test_who_is_not_known_is_counted_by_address_alone(make_edge: MakeEdge) -> None:
    edge = make_edge(limits=LimitSettings(identity_per_minute=1))
    for _ in range(3):
        await edge.admit(scope_of(), Actor())


async def test_limits_can_be_turned_off_and_changed_while_it_runs(make_edge: MakeEdge) -> None:
    edge = make_edge(limits=LimitSettings(enabled=False, address_per_minute=1))
    for _ in range(3):
        await edge.enter(scope_of())
    edge.limits = LimitSettings(address_per_minute=1)
    await edge.enter(scope_of())
    with pytest.raises(TooMany):
        await edge.enter(scope_of())


async def test_behind_the_gateway_neighbours_and_what_it_forwards_are_not_counted_again(make_edge: MakeEdge) -> None:
    edge = make_edge(limits=FEW, hop="secret", counts_neighbours=False)
    for _ in range(5):
        scope = scope_of(peer="127.0.0.1", x_forwarded_for="8.8.8.8", x_streamgate_hop="secret")
        await edge.enter(scope)
        assert client_address(scope) == "8.8.8.8"
        forged = scope_of(peer="127.0.0.1", x_forwarded_for="8.8.8.8", x_streamgate_hop="guess")
        await edge.enter(forged)
        assert client_address(forged) == "127.0.0.1"
    for _ in range(3):
        await edge.enter(scope_of(peer="9.9.9.9"))
    with pytest.raises(TooMany):
        await edge.enter(scope_of(peer="9.9.9.9", x_streamgate_hop="guess"))


async def test_websockets_are_counted_too(make_edge: MakeEdge) -> None:
    edge = make_edge(limits=FEW)
    scope = {key: value for key, value in scope_of("/ws").items() if key != "method"} | {"type": "websocket"}
    for _ in range(3):
        await edge.enter(dict(scope))
    with pytest.raises(TooMany):
        await edge.enter(dict(scope))


async def test_a_request_that_stands_for_another_is_counted_once(make_edge: MakeEdge) -> None:
    edge = make_edge(limits=attrs.evolve(LIMITS, address_per_minute=2))
    for remaining in (b"1", b"0"):
        first = scope_of()
        await edge.enter(first)
        second = {**scope_of("/y"), "streamgate.rate": first["streamgate.rate"]}
        await edge.enter(second)
        for scope in (first, second):
            assert dict(scope[ANSWER_HEADERS])[b"ratelimit-remaining"] == remaining
    with pytest.raises(TooMany):
        await edge.enter(scope_of())
