"""`?include=`: several services in one answer, and streams by path. The operations asked are the API's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.streaming import (
    STREAMING,
    ContentStats,
    MediaQuery,
    MediaState,
    RetryRendition,
    StatsQuery,
    TaskQuery,
    Transcode,
    TranscodeStarted,
)
from streamgate.errors import Unavailable
from streamgate.services import Offer
from streamgate.testing.house import House, house
from streamgate_api.bypath import StreamingByPath
from streamgate_api.including import Including

ALICE = Actor(kind="user", user_id="u_alice", roles=("viewer", "creator"))
EVE = Actor(kind="user", user_id="u_eve", roles=("viewer",))
CONTENT = "/api/v1/content"


@attrs.define
class Streams:
    """Stands in for streaming where it must be slow, or away."""

    root_id: str = ""
    fault: Exception | None = None
    is_stuck: bool = False

    async def media(self, query: MediaQuery) -> MediaState:
        state = {"media_version": 0, "state": "none", "playable": False, "duration_s": 0.0}
        return MediaState(content_id=query.content_id, root_id=self.root_id, **state)  # type: ignore[arg-type]

    async def media_of_task(self, query: TaskQuery) -> MediaState:
        return await self.media(MediaQuery(content_id="c_1"))

    async def stats(self, query: StatsQuery) -> ContentStats:
        if self.is_stuck:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        return ContentStats(content_id=query.content_id, sessions_active=2, viewers_active=1)

    async def transcode(self, wanted: Transcode) -> TranscodeStarted:
        return TranscodeStarted(task_id="t_1")

    async def retry(self, wanted: RetryRendition) -> None: ...


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
async def home(tmp_path: Path, streams: Streams) -> AsyncIterator[House]:
    async with house(tmp_path, ["metadata", "auth", "api"], offers=[Offer(STREAMING, streams)]) as home:
        yield home


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[House]:
    """With the real streaming."""
    async with house(tmp_path, ["metadata", "auth", "worker", "streaming", "api"]) as home:
        yield home


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Including.__init__

    def init(self: Including, *given: Any) -> None:
        real(self, *given, part_timeout_s=0.1)

    monkeypatch.setattr(Including, "__init__", init)


async def call(home: House, who: Actor, method: str, path: str, **more: Any) -> httpx.Response:
    async with home.client(who) as client:
        return await client.request(method, path, **more)


async def published(home: House) -> str:
    body = {"title": "A film", "gate": {"public": {}}}
    made = await call(home, ALICE, "POST", CONTENT, json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["content_id"])


async def test_all_parts_from_the_services_themselves(whole: House) -> None:
    content_id = await published(whole)
    path = f"{CONTENT}/{content_id}"
    plain = (await call(whole, ALICE, "GET", path)).json()
    assert "include_errors" not in plain
    told = (await call(whole, ALICE, "GET", f"{path}?include=stream,transcode,gate,stats")).json()
    assert {name: told[name] for name in plain} == plain
    assert told["stream"] == (await call(whole, ALICE, "GET", f"/api/v1/stream/info?content_id={content_id}")).json()
    assert told["gate"] == (await call(whole, ALICE, "GET", f"{path}/gate")).json()
    assert told["stats"] == {"content_id": content_id, "sessions_active": 0, "viewers_active": 0}
    assert (told["transcode"], told["include_errors"]) == (None, {})


async def test_what_the_caller_may_not_see_is_named_and_the_rest_answered(home: House) -> None:
    content_id = await published(home)
    for who, status, code in ((EVE, 403, "auth.forbidden"), (ANONYMOUS, 401, "auth.required")):
        answer = await call(home, who, "GET", f"{CONTENT}/{content_id}?include=gate,stats")
        told = answer.json()
        assert (answer.status_code, told["gate"], told["stats"]["sessions_active"]) == (200, None, 2)
        assert (told["include_errors"]["gate"]["status"], told["include_errors"]["gate"]["code"]) == (status, code)
        assert set(told["include_errors"]) == {"gate"}


async def test_who_is_away_is_named(home: House, streams: Streams) -> None:
    streams.fault = Unavailable("nobody answers")
    content_id = await published(home)
    told = (await call(home, ALICE, "GET", f"{CONTENT}/{content_id}?include=stats,gate")).json()
    assert told["include_errors"] == {
        "stats": {"status": 503, "code": "service.unavailable", "detail": "nobody answers"}
    }
    assert told["gate"]["gate"] == {"public": {}}


async def test_a_fault_of_a_part_says_nothing_of_itself(home: House, streams: Streams) -> None:
    streams.fault = RuntimeError("secret")
    content_id = await published(home)
    told = (await call(home, ALICE, "GET", f"{CONTENT}/{content_id}?include=stats")).json()
    assert told["include_errors"]["stats"] == {"status": 500, "code": "internal", "detail": "Internal error"}


@pytest.mark.usefixtures("impatient")
async def test_a_slow_part_keeps_nobody_waiting(home: House, streams: Streams) -> None:
    streams.is_stuck = True
    content_id = await published(home)
    told = (await call(home, ALICE, "GET", f"{CONTENT}/{content_id}?include=gate,stats")).json()
    assert told["include_errors"]["stats"]["code"] == "service.deadline_exceeded"


async def test_what_cannot_be_included_is_said(home: House) -> None:
    content_id = await published(home)
    answer = await call(home, ALICE, "GET", f"{CONTENT}/{content_id}?include=gate,price")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "include")
    unknown = await call(home, ALICE, "GET", f"{CONTENT}/c_0000000000000000000000?include=price")
    assert unknown.status_code == 404


# --- streams by path ------------------------------------------------------------------------------


async def test_a_stream_by_path_is_the_stream(whole: House) -> None:
    content_id = await published(whole)
    by_path = await call(whole, EVE, "GET", f"/api/v1/streaming/{content_id}/info")
    assert by_path.json() == (await call(whole, EVE, "GET", f"/api/v1/stream/info?content_id={content_id}")).json()
    bodies: list[dict[str, Any]] = [{}, {"json": {}}, {"json": {"client_id": "living-room"}}]
    for body in bodies:
        opened = await call(whole, EVE, "POST", f"/api/v1/streaming/{content_id}/session", **body)
        assert (opened.status_code, opened.json()["code"]) == (409, "stream.not_playable")
    ended = await call(whole, EVE, "DELETE", f"/api/v1/streaming/{content_id}/session/s_unknown")
    assert (ended.status_code, ended.json()["code"]) == (404, "stream.session_unknown")


async def test_a_path_names_one_content(whole: House) -> None:
    content_id = await published(whole)
    other = await call(whole, EVE, "GET", f"/api/v1/streaming/{content_id}/info?content_id=c_other")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "content_id")
    body = {"content_id": "c_other", "client_id": "x"}
    opened = await call(whole, EVE, "POST", f"/api/v1/streaming/{content_id}/session", json=body)
    assert opened.json()["code"] == "stream.not_playable"  # the path's, not the body's, which there is not


@pytest.mark.parametrize(
    ("method", "rest", "body", "status", "code"),
    [
        ("GET", "c_1/nothing", None, 404, "request.unknown_path"),
        ("GET", "c_1", None, 404, "request.unknown_path"),
        ("GET", "c.1/info", None, 404, "request.unknown_path"),
        ("GET", "c_1/../content", None, 404, "request.unknown_path"),
        ("GET", "c_1/session", None, 405, "request.method_not_allowed"),
        ("POST", "c_1/info", None, 405, "request.method_not_allowed"),
        ("POST", "c_1/session", b"{", 400, "request.malformed"),
        ("POST", "c_1/session", b"[]", 422, "request.invalid"),
        ("POST", "c_1/session", b" " * 70_000, 413, "request.too_large"),
    ],
)
async def test_what_is_no_stream_by_path(
    home: House, method: str, rest: str, body: bytes | None, status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"} if body else {}
    answer = await call(home, EVE, method, f"/api/v1/streaming/{rest}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["x-request-id"]


async def test_a_stream_by_path_is_counted_once_and_knows_nothing_else_of_the_first_request() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await PlainTextResponse("")(scope, receive, send)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingByPath(lambda: app)({**scope, "streamgate.rate": (1, 2), "streamgate.actor": EVE}, receive, send)

    transport = httpx.ASGITransport(app=door)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        assert (await http.get("/api/v1/streaming/c_1/info")).status_code == 200
    [scope] = seen
    assert (scope["path"], scope["query_string"], scope["streamgate.rate"]) == (
        "/api/v1/stream/info",
        b"content_id=c_1",
        (1, 2),
    )
    assert "streamgate.actor" not in scope
