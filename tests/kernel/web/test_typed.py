"""Typed routes over HTTP: order of checks, every fault of a body told, what goes out."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import attrs
import httpx
import pytest
from attrs import validators
from starlette.responses import JSONResponse, PlainTextResponse, Response

from streamgate.context import Actor, current_call
from streamgate.errors import Conflict, Forbidden, NotFound
from streamgate.web.app import App
from streamgate.web.routes import ADMIN, CREATOR, PUBLIC, SIGNED_IN, TOKEN, Call, Guard, Policy, Route, owner

MakeApp = Callable[..., App]
Talk = Callable[[App], httpx.AsyncClient]


@attrs.frozen(kw_only=True)
class Piece:
    name: str = attrs.field(validator=validators.max_len(5))
    size_px: int


@attrs.frozen(kw_only=True)
class Order:
    title: str
    kind: Literal["", "video", "audio"] = "video"
    count: int = attrs.field(default=1, validator=validators.ge(1))
    ratio: float = 1.0
    is_open: bool = False
    note: str | None = None
    tags: tuple[str, ...] = ()
    pieces: list[Piece] = attrs.field(factory=list)
    labels: dict[str, int] = attrs.field(factory=dict)
    rule: Any = None


@attrs.frozen(kw_only=True)
class Page:
    thing_id: str = attrs.field(default="", validator=validators.max_len(40))
    limit: int = attrs.field(default=50, validator=[validators.ge(1), validators.le(200)])
    newest: bool | None = None
    ratio: float = 0.0


@attrs.frozen(kw_only=True)
class Seen:
    who: str
    request_id: str
    order: Order | None = None
    page: Page | None = None


async def show(call: Call[Any, Any]) -> Seen:
    return Seen(who=call.actor.user_id, request_id=current_call().request_id, order=call.body, page=call.query)


def route(policy: Policy = PUBLIC, **more: Any) -> Route:
    settings: dict[str, Any] = {"summary": "Shows", "answer": Seen, **more}
    return Route("POST", "/orders", show, policy=policy, **settings)


@pytest.fixture
def orders(make_app: MakeApp, talk: Talk) -> httpx.AsyncClient:
    return talk(make_app([route(body=Order)]))


async def test_a_valid_body_reaches_the_handler_as_its_class(orders: httpx.AsyncClient) -> None:
    body = {
        "title": "a",
        "kind": "audio",
        "count": 3,
        "ratio": 2,
        "is_open": True,
        "note": None,
        "tags": ["x", "y"],
        "pieces": [{"name": "n", "size_px": 4}],
        "labels": {"k": 1},
        "rule": {"any": [{"public": {}}]},
    }
    answer = await orders.post("/orders", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["order"] == {**body, "ratio": 2.0}


async def test_all_faults_of_a_body_are_told_with_their_paths(orders: httpx.AsyncClient) -> None:
    body = {
        "titel": "a",
        "kind": "radio",
        "count": 0,
        "ratio": "1",
        "is_open": 1,
        "tags": ["x", 5],
        "pieces": [{"name": "n", "size_px": 4}, {"name": "too long", "size_px": "4", "colour": 1}],
        "labels": {"k": "v"},
    }
    answer = await orders.post("/orders", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "request.invalid"
    told = {fault["field"]: fault["message"] for fault in problem["errors"]}
    assert told["titel"] == "is not a known field; did you mean 'title'?"
    assert told["title"] == "is required"
    assert told["kind"] == "must be one of video, audio"
    assert told["count"] == "must be at least 1; is 0"
    assert told["ratio"] == "must be a number, not a string"
    assert told["is_open"] == "must be a boolean, not an integer"
    assert told["tags[1]"] == "must be a string, not an integer"
    assert told["pieces[1].name"] == "must have at most 5 characters; has 8"
    assert told["pieces[1].size_px"] == "must be an integer, not a string"
    assert told["pieces[1].colour"] == "is not a known field"
    assert told["labels.k"] == "must be an integer, not a string"
    assert len(told) == 11


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "must be an object, not an array"),
        (None, "must be an object, not null"),
        ("x", "must be an object, not a string"),
    ],
)
async def test_a_body_that_is_no_object_is_422(orders: httpx.AsyncClient, value: Any, said: str) -> None:
    answer = await orders.post("/orders", content=json.dumps(value), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "", "message": said}])


async def test_booleans_are_no_numbers_and_fractions_no_integers(orders: httpx.AsyncClient) -> None:
    for wrong in (True, 1.0, "1"):
        answer = await orders.post("/orders", json={"title": "a", "count": wrong})
        assert [fault["field"] for fault in answer.json()["errors"]] == ["count"], wrong


async def test_a_body_may_be_any_object(make_app: MakeApp, talk: Talk) -> None:
    async def echo(call: Call[dict[str, Any], None]) -> Response:
        return JSONResponse(call.body)

    anything = Route("PUT", "/any", echo, policy=PUBLIC, summary="Echoes", body=dict[str, Any])
    client = talk(make_app([anything]))
    rule = {"any": [{"public": {}}, 1, None]}
    assert (await client.put("/any", json=rule)).json() == rule
    assert (await client.put("/any", json=[rule])).status_code == 422
    described = (await client.get("/openapi.json")).json()["paths"]["/any"]["put"]["requestBody"]
    assert described["required"] is True
    assert described["content"]["application/json"]["schema"] == {"type": "object", "additionalProperties": True}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "a\0"}, "title"),
        ({"title": "a", "tags": ["", "\0"]}, "tags[1]"),
        ({"title": "a", "labels": {"\0": 1}}, "labels.\0"),
        ({"title": "a", "rule": {"any": [1, {"x": ["\0"]}]}}, "rule.any[1].x[0]"),
        ({"title": "a", "rule": {"any": [{"a\0b": 1}]}}, "rule.any[0].a\0b"),
    ],
)
async def test_nul_is_refused_wherever_it_is(orders: httpx.AsyncClient, body: Any, field: str) -> None:
    """PostgreSQL can store it neither in a text nor in JSON."""
    answer = await orders.post("/orders", json=body)
    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        [{"field": field, "message": "must not contain U+0000"}],
    )


async def test_how_deep_json_is_nested_does_not_matter_when_nul_is_sought(orders: httpx.AsyncClient) -> None:
    nested = b"[" * 1000 + b'"\\u0000"' + b"]" * 1000
    body = b'{"title": "\\\\u0000 is fine", "rule": ' + nested + b"}"
    answer = await orders.post("/orders", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "rule" + "[0]" * 1000)


async def test_malformed_json_is_400_and_says_where(orders: httpx.AsyncClient) -> None:
    answer = await orders.post("/orders", content=b'{"title": "a",', headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "request.malformed"
    assert "line 1" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""],
)
async def test_another_content_type_is_415(orders: httpx.AsyncClient, content_type: str) -> None:
    answer = await orders.post("/orders", content=b'{"title": "a"}', headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "request.unsupported_media_type")


async def test_a_body_without_content_type_is_415(orders: httpx.AsyncClient) -> None:
    answer = await orders.post("/orders", content=b'{"title": "a"}')
    assert answer.status_code == 415


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "application/merge-patch+json"])
async def test_json_by_any_of_its_names_is_taken(orders: httpx.AsyncClient, content_type: str) -> None:
    answer = await orders.post("/orders", content=b'{"title": "a"}', headers={"content-type": content_type})
    assert answer.status_code == 200


async def test_a_missing_body_misses_its_required_fields(orders: httpx.AsyncClient) -> None:
    answer = await orders.post("/orders")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "title", "message": "is required"}]


async def test_an_oversized_body_is_413_by_its_declared_length_and_while_it_streams(
    make_app: MakeApp, talk: Talk
) -> None:
    client = talk(make_app([route(body=Order, max_body_bytes=100)]))
    declared = await client.post("/orders", json={"title": "x" * 200})
    assert (declared.status_code, declared.json()["code"]) == (413, "request.too_large")
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield b" " * 30

    streamed = await client.post("/orders", content=endless(), headers={"content-type": "application/json"})
    assert streamed.status_code == 413


# --- the order of checks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "nobody", "viewer", "creator", "admin", "service"),
    [
        (PUBLIC, 200, 200, 200, 200, 200),
        (SIGNED_IN, 401, 200, 200, 200, 200),
        (CREATOR, 401, 403, 200, 200, 200),
        (owner("order_id"), 401, 200, 200, 200, 200),
        (ADMIN, 401, 403, 403, 200, 200),
        (TOKEN, 200, 200, 200, 200, 200),
    ],
    ids=str,
)
async def test_a_policy_lets_in_whom_it_names(
    make_app: MakeApp, talk: Talk, policy: Policy, nobody: int, viewer: int, creator: int, admin: int, service: int
) -> None:
    client = talk(make_app([route(policy)]))
    got = [(await client.post("/orders")).status_code]
    for who in ("viewer", "creator", "admin", "service"):
        got.append((await client.post("/orders", headers={"authorization": f"Bearer {who}"})).status_code)
    assert got == [nobody, viewer, creator, admin, service]


async def test_a_bad_credential_is_401_even_where_none_is_needed_unless_the_route_reads_none(
    make_app: MakeApp, talk: Talk
) -> None:
    reads = talk(make_app([route()]))
    answer = await reads.post("/orders", headers={"authorization": "Bearer broken"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    ignores = talk(make_app([route(reads_bearer=False)]))
    assert (await ignores.post("/orders", headers={"authorization": "Bearer broken"})).status_code == 200


async def test_no_key_set_is_503_and_never_401(make_app: MakeApp, talk: Talk) -> None:
    answer = await talk(make_app([route()])).post("/orders", headers={"authorization": "Bearer later"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"


def guard_that_knows(order_id: str) -> Guard:
    async def guard(actor: Actor, texts: Any) -> None:
        if texts["order_id"] != order_id:
            raise NotFound("no such order")
        if not actor.is_moderator:
            raise Forbidden("not yours")

    return guard


async def test_401_goes_before_404_and_403_before_413_415_and_422(make_app: MakeApp, talk: Talk) -> None:
    guarded = Route(
        "PUT",
        "/orders/{order_id}",
        show,
        policy=owner("order_id"),
        summary="Changes",
        body=Order,
        answer=Seen,
        guard=guard_that_knows("o1"),
        max_body_bytes=50,
    )
    client = talk(make_app([guarded]))
    too_large = {"content": b"{" * 100, "headers": {"content-type": "text/plain"}}
    wrong_type = {"content": b"{", "headers": {"content-type": "text/plain"}}
    not_valid = {"content": b'{"titel":1}', "headers": {"content-type": "application/json"}}

    async def status(path: str, who: str, request: dict[str, Any]) -> int:
        headers = {**request["headers"], **({"authorization": f"Bearer {who}"} if who else {})}
        return (await client.put(path, content=request["content"], headers=headers)).status_code

    for request in (too_large, wrong_type, not_valid):
        assert await status("/orders/o2", "", request) == 401
        assert await status("/orders/o2", "viewer", request) == 404
        assert await status("/orders/o1", "viewer", request) == 403
    assert await status("/orders/o1", "admin", too_large) == 413
    assert await status("/orders/o1", "admin", wrong_type) == 415
    assert await status("/orders/o1", "admin", not_valid) == 422


# --- queries ------------------------------------------------------------------------------------------


@pytest.fixture
def pages(make_app: MakeApp, talk: Talk) -> httpx.AsyncClient:
    got = Route("GET", "/things/{thing_id}", show, policy=PUBLIC, summary="Shows", query=Page, answer=Seen)
    return talk(make_app([got]))


async def test_query_and_path_become_one_class(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/things/t%201?limit=7&newest=true&ratio=0.5")
    assert answer.json()["page"] == {"thing_id": "t 1", "limit": 7, "newest": True, "ratio": 0.5}
    assert (await pages.get("/things/t1")).json()["page"]["limit"] == 50


async def test_all_faults_of_a_query_are_told(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/things/t1?limt=7&limit=201&newest=yes&ratio=nan")
    assert answer.status_code == 422
    told = {fault["field"]: fault["message"] for fault in answer.json()["errors"]}
    assert told["limt"] == "is not a known field; did you mean 'limit'?"
    assert set(told) == {"limt", "limit", "newest", "ratio"}


@pytest.mark.parametrize("number", ["1_0", "%20 1", "1.5", "", "9" * 60, "٣", "0x10"])
async def test_what_only_python_calls_an_integer_is_refused(pages: httpx.AsyncClient, number: str) -> None:
    assert (await pages.get("/things/t1", params={"limit": number})).status_code == 422


async def test_a_name_given_twice_is_422_and_the_query_cannot_replace_the_path(pages: httpx.AsyncClient) -> None:
    for query in ("limit=1&limit=2", "thing_id=other"):
        answer = await pages.get(f"/things/t1?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["message"] == "is given more than once"


async def test_what_is_wrong_in_a_path_is_not_put_down_to_the_query(pages: httpx.AsyncClient) -> None:
    told = (await pages.get(f"/things/{'t' * 41}?limit=7")).json()["detail"]
    assert told == "the path is not valid: thing_id must have at most 40 characters; has 41"
    told = (await pages.get("/things/t1?limit=0")).json()["detail"]
    assert told == "the query is not valid: limit must be at least 1; is 0"


@pytest.mark.parametrize(
    ("path", "field", "what"),
    [
        ("/things/a%00b", "thing_id", "the path"),
        ("/things/t1?note=%00", "note", "the query"),
        ("/things/t1?a%00=1", "a\0", "the query"),
    ],
)
async def test_nul_is_refused_before_a_guard_may_look_it_up(
    make_app: MakeApp, talk: Talk, path: str, field: str, what: str
) -> None:
    async def guard(actor: Actor, texts: Any) -> None:
        raise AssertionError("asked")

    got = Route("GET", "/things/{thing_id}", show, policy=PUBLIC, summary="Shows", guard=guard, answer=Seen)
    answer = await talk(make_app([got])).get(path)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] == [{"field": field, "message": "must not contain U+0000"}]
    assert answer.json()["detail"] == f"{what} is not valid: a text must not contain U+0000"


# --- answers ------------------------------------------------------------------------------------------


async def test_the_handler_runs_in_the_callers_context(make_app: MakeApp, talk: Talk) -> None:
    client = talk(make_app([route(SIGNED_IN)]))
    headers = {"authorization": "Bearer viewer", "x-request-id": "abc-12345"}
    answer = await client.post("/orders", headers=headers)
    assert (answer.json()["who"], answer.json()["request_id"]) == ("u_viewer", "abc-12345")
    assert answer.headers["cache-control"] == "no-store"


async def test_the_deadline_and_the_trace_of_a_call_are_passed_on(make_app: MakeApp, talk: Talk) -> None:
    seen: dict[str, Any] = {}

    async def look(call: Call[None, None]) -> None:
        seen["remaining_s"] = current_call().remaining_s()
        seen["traceparent"] = current_call().traceparent

    client = talk(make_app([Route("GET", "/look", look, policy=PUBLIC, summary="Looks", timeout_s=5)]))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert (await client.get("/look", headers={"traceparent": trace})).status_code == 204
    assert 4 < seen["remaining_s"] <= 5
    assert seen["traceparent"] == trace
    await client.get("/look", headers={"traceparent": "00-zz"})
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", seen["traceparent"])  # a trace of our own, unsampled


async def test_a_handler_that_takes_too_long_is_cut_with_503(make_app: MakeApp, talk: Talk) -> None:
    cut = asyncio.Event()

    async def sleep(call: Call[None, None]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    client = talk(make_app([Route("GET", "/sleep", sleep, policy=PUBLIC, summary="Sleeps", timeout_s=0.05)]))
    answer = await client.get("/sleep")
    assert (answer.status_code, answer.json()["code"]) == (503, "service.deadline_exceeded")
    assert "retry-after" in answer.headers
    assert cut.is_set()


async def test_a_response_of_the_handler_goes_out_as_it_is(make_app: MakeApp, talk: Talk) -> None:
    async def text(call: Call[None, None]) -> Response:
        return PlainTextResponse("hello", 202)

    answer = await talk(make_app([Route("GET", "/t", text, policy=PUBLIC, summary="Says")])).get("/t")
    assert (answer.status_code, answer.text) == (202, "hello")


async def test_a_raw_body_is_left_to_the_handler(make_app: MakeApp, talk: Talk) -> None:
    async def count(call: Call[None, None]) -> Response:
        size = 0
        async for part in call.request.stream():
            size += len(part)
        return PlainTextResponse(str(size))

    raw = Route("PUT", "/raw", count, policy=PUBLIC, summary="Counts", raw_body=True, timeout_s=None)
    answer = await talk(make_app([raw])).put("/raw", content=b"x" * 100_000)
    assert answer.text == "100000"


async def test_an_error_carries_its_code_its_extra_and_its_fields(make_app: MakeApp, talk: Talk) -> None:
    class Missing(Conflict):
        code, title = "toy.missing_chunks", "Chunks are missing"

    async def fail(call: Call[None, None]) -> None:
        raise Missing("2 chunks are missing", extra={"missing": [1, 2], "status": 200})

    client = talk(make_app([Route("GET", "/f", fail, policy=PUBLIC, summary="Fails", errors=(Missing,))]))
    answer = await client.get("/f", headers={"x-request-id": "abc-12345"})
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:streamgate:error:toy.missing_chunks",
        "title": "Chunks are missing",
        "status": 409,
        "detail": "2 chunks are missing",
        "code": "toy.missing_chunks",
        "request_id": "abc-12345",
        "missing": [1, 2],
    }
