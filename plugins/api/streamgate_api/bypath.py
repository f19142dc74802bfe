"""`/api/v1/streaming/{content_id}/…`: the stream's operations, with the content in the path.

A mount ahead of the edge that makes the request into the one it stands for and asks the same application: whichever
process serves that answers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgate.errors import BadRequest, FieldError, Invalid, StreamgateError, TooLarge
from streamgate.web.problems import MethodNotAllowed, RouteNotFound, problem_response
from streamgate.web.request_id import request_id_of

PREFIX = "/api/v1/streaming"
STREAM = "/api/v1/stream"
CONTENT_ID = "[A-Za-z0-9_-]{1,40}"
_PATH = re.compile(rf"{PREFIX}/(?P<content_id>{CONTENT_ID})/(?P<rest>[A-Za-z0-9_-]+(?:/[A-Za-z0-9._-]+)*)")
BY_QUERY = {
    "info": ("GET", "HEAD"),
    "hls": ("GET", "HEAD"),
    "dash": ("GET", "HEAD"),
    "segment": ("GET", "HEAD", "OPTIONS"),  # bytes are for players on other sites, who ask first
}
"""Operations that take the content in their query, and their methods."""
_MAX_BODY_BYTES = 64 * 1024


class StreamingByPath:
    """Args:
    app: the listener's own application, there once requests come.
    """

    def __init__(self, app: Callable[[], ASGIApp]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope, receive = await _rewritten(scope, receive)
        except ClientDisconnect:
            return
        except StreamgateError as error:
            await problem_response(error, request_id_of(scope))(scope, receive, send)
            return
        await self._app()(scope, receive, send)


async def _rewritten(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """Raises what the edge would raise for a path, a method or a body that are none."""
    match = _PATH.fullmatch(scope["path"])
    if match is None:
        raise RouteNotFound(f"nothing is served at {scope['path']}")
    content_id, rest = match["content_id"], match["rest"]
    kept = {name: value for name, value in scope.items() if name in _OF_THE_CONNECTION}
    query = b"&".join(filter(None, (b"content_id=" + content_id.encode(), scope["query_string"])))
    if rest in BY_QUERY:
        if scope["method"] not in BY_QUERY[rest]:
            raise MethodNotAllowed(f"{scope['path']} does not take {scope['method']}", allowed=BY_QUERY[rest])
        return _at(kept, f"{STREAM}/{rest}", query), receive
    if rest == "session":
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} does not take {scope['method']}", allowed=("POST",))
        return await _with_content(_at(kept, f"{STREAM}/session", scope["query_string"]), receive, content_id)
    if rest.startswith("session/"):
        return _at(kept, f"{STREAM}/{rest}", query), receive
    raise RouteNotFound(f"nothing is served at {scope['path']}")


_OF_THE_CONNECTION = frozenset(
    {
        "type",
        "asgi",
        "http_version",
        "method",
        "scheme",
        "root_path",
        "headers",
        "client",
        "server",
        "state",
        "extensions",
        "streamgate.request_id",
        "streamgate.deadline_s",
        "streamgate.rate",
    }
)
"""What else the door has noted of the request it let in it notes again, of the one that this stands for. It is counted
once."""


def _at(kept: dict[str, Any], path: str, query: bytes) -> Scope:
    return {**kept, "path": path, "raw_path": quote(path).encode(), "query_string": query}


async def _with_content(scope: Scope, receive: Receive, content_id: str) -> tuple[Scope, Receive]:
    """The JSON body with the content in it; none at all is as good as an empty object."""
    body = await _read(receive)
    headers = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
    if body:
        try:
            plain = orjson.loads(body)
        except orjson.JSONDecodeError as fault:
            raise BadRequest(
                f"the body is not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}"
            ) from fault
        if not isinstance(plain, dict):
            no_object = FieldError("", "must be a JSON object")
            raise Invalid(f"the body is not valid: {no_object.message}", errors=(no_object,))
    else:
        plain = {}
        headers = [pair for pair in headers if pair[0] != b"content-type"]
        headers.append((b"content-type", b"application/json"))
    made = orjson.dumps({**plain, "content_id": content_id})
    headers.append((b"content-length", b"%d" % len(made)))
    is_sent = False

    async def receive_made() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": made, "more_body": False}

    return {**scope, "headers": headers}, receive_made


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > _MAX_BODY_BYTES:
            raise TooLarge(f"the body is larger than the {_MAX_BODY_BYTES} bytes that are read here")
        if not message.get("more_body", False):
            return bytes(body)
