"""The document made from the routes: what validates is what is described."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NewType

import attrs
import httpx
import pytest
from attrs import validators
from starlette.responses import PlainTextResponse

from streamgate.errors import Conflict
from streamgate.settings import config_field
from streamgate.web.app import App
from streamgate.web.openapi import describe
from streamgate.web.routes import CREATOR, PUBLIC, SIGNED_IN, TOKEN, Call, Mount, Route, owner

MakeApp = Callable[..., App]
Talk = Callable[[App], httpx.AsyncClient]

ThingId = NewType("ThingId", str)


@attrs.frozen(kw_only=True)
class Node:
    """A node of a tree.

    More about it.
    """

    name: str = attrs.field(validator=[validators.min_len(1), validators.max_len(20)])
    parts: tuple[Node, ...] = ()


@attrs.frozen(kw_only=True)
class Thing:
    thing_id: ThingId
    root: Node
    colour: Literal["red", "blue"] = "red"
    size_bytes: int = config_field(5, help="How big.", validator=validators.ge(0))
    labels: dict[str, int] = attrs.field(factory=dict)
    tags: list[str] = attrs.field(factory=list, validator=validators.deep_iterable(validators.max_len(9)))
    kind: Literal["video", "audio"] | None = None
    note: str | None = attrs.field(default=None, validator=validators.optional(validators.matches_re("[a-z]+")))
    rule: Any = None


@attrs.frozen(kw_only=True)
class Query:
    thing_id: str
    limit: int = attrs.field(default=50, validator=[validators.ge(1), validators.le(200)])


class Full(Conflict):
    code, title = "toy.full", "No room"


async def handle(call: Call[Any, Any]) -> None:
    """Does it.

    For whom it may concern.
    """


def document(*routes: Route) -> dict[str, Any]:
    import orjson

    found: dict[str, Any] = orjson.loads(describe(routes, title="Toy", version="1").document)
    return found


def test_an_operation_has_its_parameters_body_answer_errors_and_policy() -> None:
    route = Route(
        "PUT",
        "/api/v1/things/{thing_id}/parts",
        handle,
        policy=owner("thing_id"),
        summary="Changes a thing",
        body=Thing,
        query=Query,
        answer=Thing,
        status=201,
        errors=(Full,),
        headers_doc={"Idempotency-Key": "Makes a repeat harmless."},
    )
    operation = document(route)["paths"]["/api/v1/things/{thing_id}/parts"]["put"]
    assert operation["operationId"] == "put_things_by_thing_id_parts"
    assert operation["tags"] == ["things"]
    assert operation["summary"] == "Changes a thing"
    assert operation["description"] == "Does it."
    assert operation["x-streamgate-policy"] == "owner of thing_id"
    assert operation["security"] == [{"bearer": []}, {"api_key": []}]
    assert [(p["name"], p["in"], p["required"]) for p in operation["parameters"]] == [
        ("thing_id", "path", True),
        ("limit", "query", False),
        ("Idempotency-Key", "header", False),
    ]
    assert operation["parameters"][1]["schema"] == {"type": "integer", "default": 50, "minimum": 1, "maximum": 200}
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}
    responses = operation["responses"]
    assert responses["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}
    assert responses["409"]["x-streamgate-codes"] == ["toy.full"]
    expected = "201 400 401 403 404 408 409 413 414 415 422 429 431 500 503"
    assert list(responses) == expected.split()
    assert {"RateLimit-Limit", "X-Request-ID"} <= set(responses["201"]["headers"])
    assert {"RateLimit-Reset", "Retry-After"} <= set(responses["429"]["headers"])
    assert "request.unknown_path" in responses["404"]["x-streamgate-codes"]


def test_schemas_follow_the_types_and_their_validators() -> None:
    route = Route("POST", "/things", handle, policy=PUBLIC, summary="Makes", body=Thing, answer=Thing)
    schemas = document(route)["components"]["schemas"]
    thing = schemas["Thing"]
    assert thing["required"] == ["thing_id", "root"]
    assert thing["additionalProperties"] is False
    assert thing["properties"] == {
        "thing_id": {"type": "string"},
        "root": {"$ref": "#/components/schemas/Node"},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "size_bytes": {"type": "integer", "minimum": 0, "default": 5, "description": "How big."},
        "labels": {"type": "object", "additionalProperties": {"type": "integer"}},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}},
        "kind": {"anyOf": [{"type": "string", "enum": ["video", "audio"]}, {"type": "null"}]},
        "note": {"type": ["string", "null"], "pattern": "^(?:[a-z]+)$"},
        "rule": {},
    }
    node = schemas["Node"]
    assert node["description"] == "A node of a tree."
    assert node["properties"]["parts"] == {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}
    assert node["properties"]["name"] == {"type": "string", "minLength": 1, "maxLength": 20}


def test_two_classes_of_one_name_stay_apart() -> None:
    other = attrs.make_class("Thing", {"x": attrs.field(type=int)}, frozen=True)
    other.__module__ = "streamgate_toy.routes"
    routes = [
        Route("POST", "/a", handle, policy=PUBLIC, summary="A", body=Thing),
        Route("POST", "/b", handle, policy=PUBLIC, summary="B", body=other),
    ]
    made = document(*routes)
    used = [made["paths"][p]["post"]["requestBody"]["content"]["application/json"]["schema"] for p in ("/a", "/b")]
    assert used == [{"$ref": "#/components/schemas/Thing"}, {"$ref": "#/components/schemas/RoutesThing"}]


def test_policies_become_security() -> None:
    routes = [
        Route("GET", "/public", handle, policy=PUBLIC, summary="P"),
        Route("GET", "/creator", handle, policy=CREATOR, summary="C"),
        Route("GET", "/token", handle, policy=TOKEN, summary="T"),
        Route("GET", "/blind", handle, policy=PUBLIC, summary="B", reads_bearer=False),
    ]
    paths = document(*routes)["paths"]
    assert paths["/public"]["get"]["security"] == [{}, {"bearer": []}, {"api_key": []}]
    assert paths["/creator"]["get"]["security"] == [{"bearer": []}, {"api_key": []}]
    assert paths["/token"]["get"]["security"] == paths["/blind"]["get"]["security"] == []


def test_a_raw_body_and_a_raw_answer_name_their_media_types() -> None:
    route = Route(
        "POST",
        "/raw",
        handle,
        policy=PUBLIC,
        summary="R",
        raw_body=True,
        accepts=("application/offset+octet-stream",),
        produces=("image/jpeg",),
        timeout_s=None,
    )
    operation = document(route)["paths"]["/raw"]["post"]
    assert operation["requestBody"] == {"content": {"application/offset+octet-stream": {}}}
    assert operation["responses"]["200"]["content"] == {"image/jpeg": {}}


def test_what_a_raw_body_holds_is_described_in_each_media_type() -> None:
    taken = ("application/json", "application/yaml")
    route = Route(
        "PUT", "/raw", handle, policy=PUBLIC, summary="R", raw_body=True, accepts=taken, raw_schema=Thing, answer=Thing
    )
    described = {"schema": {"$ref": "#/components/schemas/Thing"}}
    body = document(route)["paths"]["/raw"]["put"]["requestBody"]
    assert body == {"required": True, "content": dict.fromkeys(taken, described)}


def test_a_type_that_cannot_be_validated_is_refused_at_start() -> None:
    odd = attrs.make_class("Odd", {"x": attrs.field(type=complex)}, frozen=True)
    with pytest.raises(TypeError, match="complex"):
        document(Route("POST", "/odd", handle, policy=PUBLIC, summary="O", body=odd))


def test_the_same_routes_give_the_same_bytes() -> None:
    routes = [Route("POST", "/a", handle, policy=PUBLIC, summary="A", body=Thing)]
    first, second = (describe(routes, title="Toy", version="1") for _ in range(2))
    assert first == second
    assert first.sha256 != describe([], title="Toy", version="1").sha256


async def test_it_is_served_with_every_route_and_not_again_to_who_has_it(make_app: MakeApp, talk: Talk) -> None:
    client = talk(make_app([Route("GET", "/a", handle, policy=PUBLIC, summary="A")]))
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    assert set(answer.json()["paths"]) == {"/a", "/health", "/ready", "/openapi.json"}
    again = await client.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_what_creates_takes_an_idempotency_key() -> None:
    made = Route("POST", "/things", handle, policy=SIGNED_IN, summary="Makes", body=Thing, answer=Thing, status=201)
    operation = document(made)["paths"]["/things"]["post"]
    (parameter,) = operation["parameters"]
    assert (parameter["name"], parameter["in"], parameter["schema"]["maxLength"]) == ("Idempotency-Key", "header", 255)
    assert "Idempotency-Replayed" in operation["responses"]["201"]["headers"]
    assert operation["responses"]["409"]["x-streamgate-codes"] == [
        f"request.idempotency_{why}" for why in ("in_progress", "unknown", "answer_gone")
    ]
    assert "request.idempotency_mismatch" in operation["responses"]["422"]["x-streamgate-codes"]
    raw = Route("POST", "/raw", handle, policy=SIGNED_IN, summary="Takes", status=201, raw_body=True)
    (streamed,) = document(raw)["paths"]["/raw"]["post"]["parameters"]
    assert "the same body" in parameter["description"]
    assert "a body of the same length" in streamed["description"]


def test_problems_may_have_members_of_their_own() -> None:
    assert document()["components"]["schemas"]["Problem"]["additionalProperties"] is True


def test_further_good_answers_are_told() -> None:
    route = Route(
        "GET",
        "/file",
        handle,
        policy=PUBLIC,
        summary="File",
        produces=("a/b",),
        also={206: "A part", 304: "Same"},
    )
    responses = document(route)["paths"]["/file"]["get"]["responses"]
    assert responses["206"] == {"description": "A part", "content": {"a/b": {}}}
    assert responses["304"] == {"description": "Same"}


async def test_a_mount_is_described_by_what_it_documents(
    make_app: Callable[..., App], talk: Callable[[App], httpx.AsyncClient]
) -> None:
    told = Route("GET", "/m/{token}/{path:path}", handle, policy=TOKEN, summary="Bytes", produces=("video/mp4",))
    mount = Mount(prefix="/m", app=PlainTextResponse("bytes"), policy=TOKEN, summary="Media", documents=(told,))
    client = talk(make_app([], [mount]))
    operation = (await client.get("/openapi.json")).json()["paths"]["/m/{token}/{path}"]["get"]
    assert operation["x-streamgate-policy"] == "token"
    assert operation["security"] == []
    assert (await client.get("/m/t/1.m4s")).text == "bytes"
