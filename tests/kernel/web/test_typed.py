"""Typed routes over HTTP: every fault of a body told, and the order of checks."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from streamgate.context import Actor
from streamgate.errors import Forbidden, NotFound
from streamgate.web.routes import ADMIN, CREATOR, PUBLIC, SIGNED_IN, TOKEN, Call, Guard, Policy, Route, owner
from tests.kernel.web.orders import MakeApp, Order, Seen, Talk, route, show


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


async def test_an_encoded_body_is_415_and_says_so(orders: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    for body in (gzip.compress(b'{"title": "a"}'), b'{"title": "a"}'):
        answer = await orders.post("/orders", content=body, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (415, "send the JSON as it is, not encoded as gzip")
    plain = await orders.post("/orders", content=body, headers=headers | {"content-encoding": "Identity"})
    assert plain.status_code == 200


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
