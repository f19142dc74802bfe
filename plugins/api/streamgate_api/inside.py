"""Asks an ASGI application in this process, as if over HTTP: same routes, policies, limits, logs and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import attrs
from starlette.types import ASGIApp, Message, Scope

from streamgate.web.typed import DEADLINE_KEY

RawHeaders = list[tuple[bytes, bytes]]


@attrs.frozen(kw_only=True)
class Ask:
    """One request. `query` and `body` are encoded; a body in `parts` has no length that is known beforehand.

    Args:
        client: IP address and port of who asks, where known.
        deadline_s: on this process' monotonic clock; the answer is of no use after it.
    """

    method: str
    path: str
    query: bytes = b""
    headers: RawHeaders = attrs.field(factory=list)
    body: bytes = b""
    parts: AsyncIterator[bytes] | None = None
    client: tuple[str, int] | None = None
    deadline_s: float | None = None


@attrs.frozen
class Answer:
    status: int
    headers: RawHeaders
    body: bytes

    def header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")


async def ask(app: ASGIApp, wanted: Ask) -> Answer:
    """The whole answer. Cancelling it cancels the request.

    Raises:
        ConnectionError: the application broke its answer off.
    """
    exchange = _Exchange(wanted)
    await app(exchange.scope(), exchange.receive, exchange.send)
    if not exchange.is_whole:
        raise ConnectionError(f"{wanted.method} {wanted.path} was not answered")
    return Answer(exchange.status, exchange.headers, b"".join(exchange.parts))


class _Exchange:
    __slots__ = ("_ended", "_is_sent", "_wanted", "headers", "is_whole", "parts", "status")

    def __init__(self, wanted: Ask) -> None:
        self._wanted = wanted
        self._is_sent = False
        self._ended: asyncio.Event | None = None
        self.status = 0
        self.headers: RawHeaders = []
        self.parts: list[bytes] = []
        self.is_whole = False

    def scope(self) -> Scope:
        wanted = self._wanted
        headers = wanted.headers
        if wanted.parts is not None:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        elif wanted.body:
            headers = [*headers, (b"content-length", b"%d" % len(wanted.body))]
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": wanted.method,
            "scheme": "http",
            "path": wanted.path,
            "raw_path": wanted.path.encode(),
            "query_string": wanted.query,
            "root_path": "",
            "headers": headers,
            "client": wanted.client,
            "server": None,
            "state": {},
        }
        if wanted.deadline_s is not None:
            scope[DEADLINE_KEY] = wanted.deadline_s
        return scope

    async def receive(self) -> Message:
        if self._is_sent:
            if self._ended is None:
                self._ended = asyncio.Event()
                if self.is_whole:
                    self._ended.set()
            await self._ended.wait()
            return {"type": "http.disconnect"}
        parts = self._wanted.parts
        if parts is not None:
            async for part in parts:
                return {"type": "http.request", "body": part, "more_body": True}
        self._is_sent = True
        return {"type": "http.request", "body": self._wanted.body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
            if self.is_whole and self._ended is not None:
                self._ended.set()
