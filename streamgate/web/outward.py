"""The headers every answer has: the request id, and what the edge's policy says."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgate.errors import StreamgateError
from streamgate.web.problems import RawHeaders, problem_response
from streamgate.web.request_id import request_id_of
from streamgate.web.routes import ANSWER_HEADERS, REFUSED_KEY, EdgePolicy

_LEAST = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


def answer_headers(start: Message, scope: Scope) -> RawHeaders:
    """Those of the answer that starts, and those that it lacks. `Vary` has as many lines as have something to say."""
    headers: RawHeaders = list(start.get("headers", ()))
    present = dict(headers)
    more = scope.get(ANSWER_HEADERS, _LEAST)
    if start["status"] == 429 and REFUSED_KEY not in scope:
        more = [pair for pair in more if not pair[0].startswith(b"ratelimit-")]
    if present.keys().isdisjoint(dict(more)):
        headers += more
    else:
        headers += [pair for pair in more if pair[0] not in present or pair[0] == b"vary"]
    if b"x-request-id" not in present:
        headers.append((b"x-request-id", request_id_of(scope).encode()))
    return headers


class AheadOfEdge:
    """A mount of order 0 behind the edge's policy: it has the headers and limits of all, and nothing else of ours."""

    def __init__(self, app: ASGIApp, policy: EdgePolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": answer_headers(message, scope)}
            await send(message)

        try:
            app = await self._policy.enter(scope) or self._app
        except StreamgateError as refusal:
            app = problem_response(refusal, request_id_of(scope)) if scope["type"] == "http" else refuse_websocket
        await app(scope, receive, send_marked)


async def refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Closing before accepting is HTTP 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1000})
