"""`/api/v1/ws`: the same updates as JSON texts on a WebSocket. What the client says is not listened to.

Close codes: 4401 the credential is good no more, 1001 the server stops. A handshake that is refused is answered with
the problem document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from urllib.parse import urlsplit

import orjson
from loguru import logger
from starlette.types import Message, Receive, Scope, Send

from streamgate.errors import Forbidden, Internal, StreamgateError
from streamgate.web.problems import MethodNotAllowed, ProblemResponse, RouteNotFound
from streamgate.web.request_id import header, request_id_of
from streamgate_api.live.hub import STREAMS, Event, Watcher
from streamgate_api.live.watching import Ended, Looker, Looks

PATH = "/api/v1/ws"
SIGNED_OUT = 4401
GOING_AWAY = 1001
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_METHODS = ("GET", "HEAD")
_PING = Event("ping", {})


class OriginRefused(Forbidden):
    code, title = "events.origin_refused", "This page may not look here"


class UpgradeRequired(StreamgateError):
    """A plain request where a WebSocket handshake is wanted."""

    code, status, title = "events.upgrade_required", 426, "A WebSocket handshake is needed"


class LiveSocket:
    """An ASGI application for `websocket` scopes, and for those who come without one.

    Args:
        origins: of pages that may connect.
    """

    def __init__(self, looks: Looks, origins: Collection[str]) -> None:
        self._looks = looks
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope)
        try:
            if scope["path"] != PATH:
                raise RouteNotFound(f"nothing is served at {scope['path']}")
            if scope["type"] == "http":
                raise await self._without_socket(scope)
            await receive()  # websocket.connect
            looker = await self._admit(scope)
            watcher = self._looks.enter(looker)
        except StreamgateError as error:
            await _refuse(error, request_id, scope, receive, send)
            return
        except Exception as fault:
            logger.bind(request_id=request_id, path=PATH).opt(exception=fault).error("handshake failed")
            await _refuse(Internal(), request_id, scope, receive, send)
            return
        STREAMS.labels("websocket").inc()
        try:
            await self._carry(looker, watcher, receive, send, request_id)
        finally:
            self._looks.leave(watcher)
            STREAMS.labels("websocket").dec()

    async def _without_socket(self, scope: Scope) -> StreamgateError:
        """A plain request: who is not signed in learns no more than that."""
        await self._looks.admit(scope)
        if scope["method"] not in _METHODS:
            return MethodNotAllowed(f"{PATH} does not take {scope['method']}", allowed=_METHODS)
        return UpgradeRequired(f"{PATH} takes WebSocket handshakes alone; /api/v1/events tells the same without one")

    async def _admit(self, scope: Scope) -> Looker:
        """Browsers name the page's origin; what names none is no browser, and had to bring a credential anyway."""
        origin = header(scope, b"origin")
        if origin is not None and not any(_is_same(origin.decode("latin-1"), own) for own in self._origins):
            raise OriginRefused("a page of another origin may not connect; server.cors_origins names those that may")
        return await self._looks.admit(scope)

    async def _carry(self, looker: Looker, watcher: Watcher, receive: Receive, send: Send, request_id: str) -> None:
        await send({"type": "websocket.accept", "headers": [(b"x-request-id", request_id.encode())]})
        writing = asyncio.ensure_future(self._write(looker, watcher, send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                await send({"type": "websocket.close", "code": writing.result()})
        finally:
            for task in (writing, leaving):
                task.cancel()
            await asyncio.wait({writing, leaving})

    async def _write(self, looker: Looker, watcher: Watcher, send: Send) -> int:
        """The code to close with."""
        try:
            async with aclosing(self._looks.events(looker, watcher)) as events:
                async for event in events:
                    await send(_text(event or _PING))
        except Ended as end:
            await send(_text(end.event))
            return SIGNED_OUT
        return GOING_AWAY


def _text(event: Event) -> Message:
    return {"type": "websocket.send", "text": orjson.dumps({"event": event.name, **event.data}).decode()}


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _is_same(origin: str, own: str) -> bool:
    """Exactly, but that a machine has several names for itself."""
    if origin.lower() == own.lower().rstrip("/"):
        return True
    theirs, ours = urlsplit(origin), urlsplit(own)
    is_local = theirs.hostname in _LOOPBACK and ours.hostname in _LOOPBACK
    return is_local and (theirs.scheme, theirs.port) == (ours.scheme, ours.port)


async def _refuse(error: StreamgateError, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
    """The problem as the answer to the handshake, or where the server cannot: closed, which is 403."""
    is_socket = scope["type"] == "websocket"
    if is_socket and "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return

    async def send_on(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"} if is_socket else message)

    headers = [(b"x-request-id", request_id.encode())]
    if isinstance(error, UpgradeRequired) and scope["http_version"] == "1.1":  # later versions know no upgrade
        headers += [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
    problem = ProblemResponse(error, request_id, headers)
    await problem({**scope, "method": scope.get("method", "GET")}, receive, send_on)
