"""Typed routes over HTTP: queries and paths as one class, and what goes out."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from streamgate.context import Actor, current_call
from streamgate.errors import Conflict
from streamgate.web.routes import PUBLIC, SIGNED_IN, Call, Route
from tests.kernel.web.orders import MakeApp, Page, Seen, Talk, route, show

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
