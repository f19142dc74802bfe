"""uvicorn, with what it leaves open: how long the head of a request may take, how large it and the framing of a body
may be, and that what follows a body is no header."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio.events import TimerHandle
from collections.abc import Generator, Iterable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from streamgate.engine.base import BACKLOG, MAX_HEAD_BYTES, MAX_WEBSOCKET_MESSAGE_BYTES
from streamgate.engine.heads import render_head
from streamgate.settings import ServerSettings

DATE_EVERY_S = 1.0
MAX_JOINED_BYTES = 65_536  # joining copies
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_MALFORMED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


async def serve(
    app: ASGIApp,
    bound: socket.socket,
    settings: ServerSettings,
    *,
    accepting: asyncio.Event,
    stopping: asyncio.Event,
) -> None:
    """An `Engine`."""
    application: Any = app  # uvicorn types ASGI applications by its own TypedDicts
    idle_s: Any = settings.read_timeout_s  # uvicorn types whole seconds, and hands them to call_later
    config = uvicorn.Config(
        application,
        loop="none",
        interface="asgi3",  # ours is a bound method, which uvicorn takes for the old form
        http=_Protocol,
        ws="wsproto",  # which hypercorn brings
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        lifespan="on",
        backlog=BACKLOG,
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whom to believe is the edge's to decide
        timeout_keep_alive=idle_s,
    )
    try:
        await _Server(config, accepting, stopping).serve(sockets=[socket.socket(fileno=bound.detach())])
    except SystemExit as fault:  # of the process, where uvicorn is the whole of it
        raise RuntimeError("uvicorn could not start the application") from fault


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, accepting: asyncio.Event, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._accepting = accepting
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._accepting.set()

    async def main_loop(self) -> None:
        """uvicorn's own looks ten times a second whether to end."""
        while not self._stopping.is_set():
            await self.on_tick(0)  # the Date header
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DATE_EVERY_S):
                    await self._stopping.wait()


class _Cycle(RequestResponseCycle):
    """One request and its answer. A head waits for the first part of its body, at most until the event loop's next
    turn: uvloop writes at once, and each write is a question to the system, and wakes the client."""

    _head = b""  # that waits

    async def send(self, message: Any) -> None:
        """uvicorn returns at once where the client has left: an application that never waits would hold the event
        loop for ever, and never hear of it."""
        if self.disconnected:
            await asyncio.sleep(0)
        elif self._head and not self.flow.write_paused and len(message.get("body", b"")) <= MAX_JOINED_BYTES:
            head, self._head = self._head, b""
            self.expected_content_length += len(head)
            joined: Any = {**message, "body": head + message.get("body", b"")}
            await super().send(joined)
        elif self._head:
            self._flush()
            await super().send(message)
        elif self.response_started or self.flow.write_paused or message["type"] != "http.response.start":
            await super().send(message)
        else:
            self._begin(message["status"], message.get("headers", ()))

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """As uvicorn writes the head of an answer. It searches each header twice; `heads.py` knows lines it has seen.

        Raises:
            ValueError: a header has characters that would end it.
        """
        head = render_head([*self.default_headers, *headers])
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = head.lines
        if head.closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        self.chunked_encoding = head.is_chunked
        if head.is_chunked is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        self.expected_content_length = head.content_length
        self._head = b"".join((STATUS_LINE[status], *lines, b"\r\n"))
        if self.expected_content_length and self.scope["method"] != "HEAD":
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self.transport.is_closing():
            self.transport.write(head)


class _Protocol(HttpToolsProtocol):
    """One connection. A head that comes at once, as nearly all do, costs no timer, and an answer none of its own: one
    that runs already looks again when it ends."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._awaits_head = True
        self._framing_bytes = 0  # since the last whole head or part of a body
        self._head_timer: TimerHandle | None = None
        self._idle_timer: TimerHandle | None = None
        self._idle_since_s: float | None = None  # by the event loop's clock; None: a request is under way

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._limit_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_limit()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._framing_bytes += len(data)
        self._idle_since_s = None
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._framing_bytes > MAX_HEAD_BYTES:
            if self._awaits_head:
                self._refuse(_TOO_LARGE)
            else:  # trailers or extensions of chunks, in the middle of a request
                self.transport.close()
        elif self._awaits_head and self._head_timer is None:
            self._limit_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaits_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """uvicorn adds trailers to the headers, behind those that a proxy has set."""
        if self._awaits_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._awaits_head = False
        self._framing_bytes = 0
        self._end_limit()
        super().on_headers_complete()
        if self.cycle is not None:  # made a moment ago by uvicorn, which has no other place to say its class
            self.cycle.__class__ = _Cycle

    def on_response_complete(self) -> None:
        """As uvicorn's, but for the timer, and for a body that is still coming: uvicorn would read it to its end."""
        if not self.pipeline and self.cycle is not None and self.cycle.more_body:
            self.transport.close()
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since_s = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._end_idle)

    def _end_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since_s is None:
            return
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._idle_timer = self.loop.call_later(left_s, self._end_idle)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._refuse(_MALFORMED)

    def _refuse(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()

    def _limit_head(self) -> None:
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self.transport.close)

    def _end_limit(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
