"""What the routes' own description lacks: streams by path, and what a WebSocket says (OpenAPI knows none).

A stream by path is described as the operation it stands for, with the content in the path: so it cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from streamgate.web.openapi import Description
from streamgate.web.problems import MethodNotAllowed, RouteNotFound, problem_response
from streamgate.web.request_id import request_id_of
from streamgate.web.system import cached_json
from streamgate_api.bypath import BY_QUERY, CONTENT_ID, PREFIX, STREAM
from streamgate_api.live.hub import KINDS
from streamgate_api.live.websocket import GOING_AWAY, SIGNED_OUT
from streamgate_api.live.websocket import PATH as SOCKET

PATH = "/openapi.json"
_METHODS = ("GET", "HEAD")

Json = Mapping[str, Any]  # Any: a JSON value

_CONTENT_ID = {"name": "content_id", "in": "path", "required": True}
_WEBSOCKET = {
    "receives": {
        "contentType": "application/json",
        "schema": {
            "type": "object",
            "required": ["event"],
            "properties": {
                "event": {"type": "string", "description": "`hello`, `ping`, `gap`, the update's name, or why it ends"},
                "kind": {"type": "string", "enum": list(KINDS)},
                "id": {"type": "string"},
                "content_id": {"type": "string"},
                "at": {"type": "string", "format": "date-time"},
                "data": {"type": "object"},
            },
        },
    },
    "sends": None,
    "closes": {str(GOING_AWAY): "The server stops", str(SIGNED_OUT): "The sign-in has ended"},
}
"""`x-websocket` of an operation: texts that a client receives, that it sends none, and codes that close."""


class DescriptionPage:
    """An ASGI application: `/openapi.json`, as `current` has it."""

    def __init__(self, current: Callable[[], Awaitable[Description]]) -> None:
        self._current = current

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH or scope["method"] not in _METHODS:
            refusal = (
                RouteNotFound(f"nothing is served at {scope['path']}")
                if scope["path"] != PATH
                else MethodNotAllowed(f"the description does not take {scope['method']}", allowed=_METHODS)
            )
            await problem_response(refusal, request_id_of(scope))(scope, receive, send)
            return
        response = cached_json(await self._current(), Request(scope).headers.get("if-none-match"))
        await response(scope, receive, send)


def completed(document: Json) -> dict[str, Any]:
    """The same document with what it lacks."""
    paths = dict(document["paths"])
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        found = {method: _by_path(each, method, path, schemas) for method, each in _twins(path, operations)}
        if found:
            paths[_path_of(path)] = found
    if SOCKET in paths:
        paths[SOCKET] = {**paths[SOCKET], "get": {**paths[SOCKET]["get"], "x-websocket": _WEBSOCKET}}
    return {**document, "paths": paths}


def _twins(path: str, operations: Json) -> Iterator[tuple[str, Json]]:
    """The operations of a path that `StreamingByPath` asks."""
    rest = path.removeprefix(f"{STREAM}/")
    asked = {**dict.fromkeys(BY_QUERY, ("get",)), "session": ("post",)}
    for method, operation in operations.items():
        if method in asked.get(rest, ()) or rest.startswith("session/"):
            yield method, operation


def _path_of(twin: str) -> str:
    return f"{PREFIX}/{{content_id}}{twin.removeprefix(STREAM)}"


def _by_path(twin: Json, method: str, path: str, schemas: Json) -> dict[str, Any]:
    in_path = {**_CONTENT_ID, "schema": {"type": "string", "pattern": f"^{CONTENT_ID}$"}}
    others = [each for each in twin.get("parameters", ()) if each["name"] != "content_id"]
    said = f"Stands for `{method.upper()} {path}`."
    operation = {
        **twin,
        "operationId": twin["operationId"].replace("_stream_", "_streaming_by_content_id_", 1),
        "tags": [PREFIX.rpartition("/")[2]],
        "description": f"{twin.get('description', '')} {said}".strip(),
        "parameters": [in_path, *others],
        "responses": _with_unknown_path(twin["responses"]),
    }
    body = twin.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        schema = _without_content(body["schema"], schemas)
        operation["requestBody"] = {
            "required": bool(schema.get("required")),
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _with_unknown_path(responses: Json) -> dict[str, Any]:
    """An id that is none is a path that is none."""
    known = responses.get("404") or {**responses["503"], "x-streamgate-codes": []}
    codes = [*known["x-streamgate-codes"]]
    codes += [RouteNotFound.code] if RouteNotFound.code not in codes else []
    found = {name: value for name, value in known.items() if name != "headers"}
    said = ", ".join(f"`{code}`" for code in codes)
    return {**responses, "404": {**found, "description": said, "x-streamgate-codes": codes}}


def _without_content(schema: Json, schemas: Json) -> dict[str, Any]:
    named = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    properties = {name: each for name, each in named["properties"].items() if name != "content_id"}
    required = [name for name in named.get("required", ()) if name != "content_id"]
    plain = {name: each for name, each in named.items() if name != "required"}
    return {**plain, "properties": properties, **({"required": required} if required else {})}
