"""The assembly: who answers which path, request ids, recovery, the access log, what a listener says of itself."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from loguru import logger
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from streamgate.errors import Internal
from streamgate.health import CheckResult, Readiness
from streamgate.settings import LogSettings
from streamgate.telemetry.requests import Access, LineWriter
from streamgate.testing.wait import eventually
from streamgate.web.access import LINES_A_TURN, AccessLog
from streamgate.web.app import App
from streamgate.web.problems import problem_response
from streamgate.web.request_id import request_id_of
from streamgate.web.routes import PUBLIC, SIGNED_IN, TOKEN, Call, Mount, Route
from streamgate.web.walk import walk

MakeApp = Callable[..., App]
Talk = Callable[[App], httpx.AsyncClient]


def says(word: str, path: str = "", method: Any = "GET") -> Route:
    async def say(call: Call[None, None]) -> PlainTextResponse:
        return PlainTextResponse(f"{word}{call.request.path_params or ''}")

    return Route(method, path or f"/{word}", say, policy=PUBLIC, summary=f"Says {word}")


def mounted(prefix: str, word: str, order: int = 0) -> Mount:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"mount {word}")(scope, receive, send)

    return Mount(prefix=prefix, app=app, policy=TOKEN, summary=word, order=order)


# --- who answers --------------------------------------------------------------------------------------


async def test_nothing_there_is_404_and_another_method_405(make_app: MakeApp, talk: Talk) -> None:
    client = talk(make_app([says("a"), says("b", "/a", "POST")]))
    missing = await client.get("/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "request.unknown_path")
    wrong = await client.delete("/a")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "request.method_not_allowed")
    assert wrong.headers["allow"] == "GET, HEAD, POST"
    assert (await client.head("/a")).status_code == 200
    assert (await client.get("/a/")).status_code == 404


async def test_a_fixed_path_goes_before_a_pattern_and_methods_of_both_are_known(make_app: MakeApp, talk: Talk) -> None:
    client = talk(make_app([says("one", "/x/{id}"), says("list", "/x/list"), says("put", "/x/{name}", "PUT")]))
    assert (await client.get("/x/list")).text == "list"
    assert (await client.get("/x/7")).text == "one{'id': '7'}"
    assert (await client.put("/x/list")).text == "put{'name': 'list'}"
    assert (await client.delete("/x/7")).headers["allow"] == "GET, HEAD, PUT"


@pytest.mark.parametrize(("first", "second"), [("/a", "/a"), ("/x/{id}", "/x/{id}"), ("/x/{id}", "/x/{other}")])
def test_two_routes_for_one_path_are_refused(make_app: MakeApp, first: str, second: str) -> None:
    with pytest.raises(ValueError, match="two routes answer GET"):
        make_app([says("a", first), says("b", second)])


def test_two_mounts_of_one_prefix_are_refused(make_app: MakeApp) -> None:
    with pytest.raises(ValueError, match="/m"):
        make_app([], [mounted("/m", "a"), mounted("/m", "b")])


async def test_the_longest_mount_answers_ahead_of_routes(make_app: MakeApp, talk: Talk) -> None:
    mounts = [mounted("/s", "short"), mounted("/s/long", "long")]
    client = talk(make_app([says("route", "/s/route"), says("other", "/stream")], mounts))
    assert (await client.get("/s/long/x")).text == "mount long"
    assert (await client.get("/s/route")).text == "mount short"
    assert (await client.get("/s")).text == "mount short"
    assert (await client.get("/stream")).text == "other"


async def test_a_mount_of_higher_order_answers_what_nobody_else_does(make_app: MakeApp, talk: Talk) -> None:
    mounts = [mounted("/", "last", 9), mounted("/api", "late", 5), mounted("/m", "early")]
    client = talk(make_app([says("route", "/api/route")], mounts))
    assert (await client.get("/m/x")).text == "mount early"
    assert (await client.get("/api/route")).text == "route"
    assert (await client.get("/api/other")).text == "mount late"
    assert (await client.get("/else")).text == "mount last"
    assert (await client.delete("/api/route")).status_code == 405
    assert "x-request-id" in (await client.get("/else")).headers


async def test_a_mount_renders_its_own_problems(make_app: MakeApp, talk: Talk) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await problem_response(Internal("secret"), request_id_of(scope))(scope, receive, send)

    client = talk(make_app([], [Mount(prefix="/m", app=app, policy=TOKEN, summary="Fails")]))
    answer = await client.get("/m", headers={"x-request-id": "abc-12345"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "abc-12345"
    assert "secret" not in answer.text


def test_the_walk_shows_every_door(make_app: MakeApp) -> None:
    app = make_app([Route("POST", "/a", says("a").handler, policy=SIGNED_IN, summary="A")], [mounted("/m", "m")])
    doors = {(door.method, door.path): str(door.policy) for door in walk(app.routes, app.mounts)}
    assert doors == {
        ("POST", "/a"): "signed-in",
        ("*", "/m"): "token",
        ("GET", "/health"): "public",
        ("GET", "/ready"): "public",
        ("GET", "/openapi.json"): "public",
    }


# --- request ids, headers -----------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["abcdefgh", "A-b_c.d~9" * 7, "0af7651916cd43dd8448eb211c80319c"])
async def test_a_valid_request_id_is_kept(make_app: MakeApp, talk: Talk, sent: Any) -> None:
    answer = await talk(make_app([says("a")])).get("/a", headers={"x-request-id": sent})
    assert answer.headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["short", "x" * 65, "with space", "ümlaut-long".encode(), 'quote"quote', ""])
async def test_another_request_id_is_replaced(make_app: MakeApp, talk: Talk, sent: Any) -> None:
    client = talk(make_app([says("a")]))
    first, second = [(await client.get("/a", headers={"x-request-id": sent})).headers["x-request-id"] for _ in "12"]
    assert first != sent
    assert first != second
    assert len(first) == 32


async def test_every_answer_has_the_cheap_security_headers(make_app: MakeApp, talk: Talk) -> None:
    client = talk(make_app([says("a")]))
    for path in ("/a", "/nothing", "/health"):
        headers = (await client.get(path)).headers
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer"), path


# --- recovery -----------------------------------------------------------------------------------------


async def test_an_unknown_fault_is_500_without_its_words_and_logged_under_its_request_id(
    make_app: MakeApp, talk: Talk
) -> None:
    async def fail(call: Call[None, None]) -> None:
        raise KeyError("postgresql://user:secret@db")

    records: list[Any] = []
    handler = logger.add(lambda message: records.append(message.record), level="ERROR")
    try:
        client = talk(make_app([Route("GET", "/f", fail, policy=PUBLIC, summary="Fails")]))
        answer = await client.get("/f", headers={"x-request-id": "abc-12345"})
    finally:
        logger.remove(handler)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.text
    assert [record["extra"]["request_id"] for record in records] == ["abc-12345"]
    assert "secret" in str(records[0]["exception"].value)


async def test_the_detail_of_an_internal_error_stays_inside(make_app: MakeApp, talk: Talk) -> None:
    async def fail(call: Call[None, None]) -> None:
        raise Internal("the key is secret", extra={"key": "secret"})

    answer = await talk(make_app([Route("GET", "/f", fail, policy=PUBLIC, summary="Fails")])).get("/f")
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_a_fault_of_the_framework_is_a_problem_too(make_app: MakeApp, talk: Talk) -> None:
    async def fail(call: Call[None, None]) -> None:
        raise HTTPException(400, "a part is too large")

    answer = await talk(make_app([Route("GET", "/f", fail, policy=PUBLIC, summary="Fails")])).get("/f")
    assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")


# --- the access log -----------------------------------------------------------------------------------


async def test_a_line_is_written_for_each_request_without_its_query(
    make_app: MakeApp, talk: Talk, access_log: AccessLog, lines: Any
) -> None:
    async def stream(call: Call[None, None]) -> StreamingResponse:
        return StreamingResponse(iter([b"ab", b"cde"]))

    app = make_app([Route("GET", "/a", stream, policy=SIGNED_IN, summary="A")], [mounted("/m", "m")])
    client = talk(app)
    headers = {"authorization": "Bearer viewer", "x-request-id": "abc-12345"}
    await client.get("/a?session=secret", headers=headers)
    await client.get("/nothing")
    await client.get("/m/token-in-path")
    access_log.flush()
    first, second = lines.lines
    assert (first.method, first.path, first.status, first.sent_bytes) == ("GET", "/a", 200, 5)
    assert (first.request_id, first.user_id, first.client) == ("abc-12345", "u_viewer", "127.0.0.1")
    assert 0 < first.duration_ms < 10_000
    assert (second.path, second.status, second.user_id) == ("/nothing", 404, "")


def test_no_two_requests_have_one_id() -> None:
    ids = {request_id_of({"headers": []}) for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


LINE = Access(1_700_000_000.25, "GET", "/a", 200, 1.5, 10, "abc-12345", "u_1", "127.0.0.1")


def shown(settings: LogSettings, lines: list[Access]) -> None:
    log = AccessLog(LineWriter(settings))
    for line in lines:
        log.add(line)
    log.flush()


def test_a_line_for_machines_has_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    shown(LogSettings(format="json"), [LINE])
    assert json.loads(capsys.readouterr().err) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "INFO",
        "event": "request",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "duration_ms": 1.5,
        "sent_bytes": 10,
        "request_id": "abc-12345",
        "user_id": "u_1",
        "client": "127.0.0.1",
    }


def test_no_path_forges_a_line_or_shows_a_playback_token(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        LINE._replace(path="/a\nFORGED \x1b[2J"),
        LINE._replace(path="/api/v1/stream/s/c2VjcmV0/master.m3u8"),
    ]
    shown(LogSettings(), lines)
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 2
    assert "\x1b" not in written
    assert "c2VjcmV0" not in written
    assert "/master.m3u8 status=200" in written


def test_the_level_of_the_log_holds_for_requests(capsys: pytest.CaptureFixture[str]) -> None:
    shown(LogSettings(level="WARNING"), [LINE, LINE._replace(status=503)])
    assert [line.split(" ")[1] for line in capsys.readouterr().err.splitlines()] == ["WARNING"]


async def test_a_full_log_drops_lines_and_says_how_many(
    access_log: AccessLog, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamgate.web.access.MAX_WAITING", 1)
    for _ in range(3):
        access_log.add(LINE)
    records: list[Any] = []
    handler = logger.add(lambda message: records.append(message.record), level="WARNING")
    try:
        access_log.flush()
    finally:
        logger.remove(handler)
    assert [record["extra"]["dropped"] for record in records] == [2]
    assert len(lines.lines) == 1


async def test_whoever_does_not_read_the_log_holds_up_nobody_and_nothing_is_lost() -> None:
    """Lines go on waiting, in order, while one batch is being written."""
    is_read, written = threading.Event(), list[str]()

    def write(batch: Sequence[Access]) -> Callable[[], None]:
        def put() -> None:
            is_read.wait(30)
            written.extend(line.path for line in batch)

        return put

    log = AccessLog(write)
    await log.start()
    paths = [f"/{number}" for number in range(2 * LINES_A_TURN + 10)]
    for path in paths[:LINES_A_TURN]:
        log.add(LINE._replace(path=path))

    async def begun() -> bool:
        return not log._waiting

    await eventually(begun, what="the first batch on its way")
    for path in paths[LINES_A_TURN:]:
        log.add(LINE._replace(path=path))
    assert written == []
    is_read.set()

    async def all_written() -> bool:
        return len(written) == len(paths)

    await eventually(all_written, what="every line written")
    await log.stop()
    assert written == paths


# --- what a listener says of itself -------------------------------------------------------------------


async def test_health_answers_whatever_credential_is_sent(make_app: MakeApp, talk: Talk) -> None:
    answer = await talk(make_app([])).get("/health", headers={"authorization": "Bearer broken"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["service"], body["mode"]) == ("ok", "toy", "all")
    assert body["uptime_s"] >= 0
    assert body["version"]


async def test_ready_is_503_when_a_dependency_is_not_well(make_app: MakeApp, talk: Talk) -> None:
    async def not_ready() -> Readiness:
        return Readiness(ready=False, checks={"db": CheckResult(ok=False, detail="no answer", latency_ms=1.0)})

    assert (await talk(make_app([])).get("/ready")).json()["ready"] is True
    answer = await talk(make_app([], readiness=not_ready)).get("/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["checks"]["db"] == {"ok": False, "detail": "no answer", "latency_ms": 1.0, "critical": True}
