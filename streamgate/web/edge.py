"""The one middleware: request id out, recovery, access log, two cheap security headers. Pure ASGI.

One layer that wraps `send` once, where a stack of five would wrap it five times.
"""

from __future__ import annotations

import asyncio
import time

from loguru import logger
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgate.context import ANONYMOUS
from streamgate.errors import StreamgateError, Unavailable
from streamgate.web.access import Access, AccessLog
from streamgate.web.problems import ProblemResponse, error_from
from streamgate.web.request_id import request_id_of
from streamgate.web.typed import ACTOR_KEY

CLIENT_LEFT = 499
_SECURITY = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class Edge:
    """Runs `app` for one request and answers for it, whatever happens inside."""

    def __init__(self, app: ASGIApp, access_log: AccessLog) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.perf_counter()
        exchange = _Exchange(request_id_of(scope), send)
        try:
            await self._app(scope, receive, exchange.send)
        except asyncio.CancelledError:  # the server stops, and has waited
            if not exchange.has_started:
                error = Unavailable("the server is stopping")
                await ProblemResponse(error, exchange.request_id)(scope, receive, exchange.send)
            raise
        except Exception as fault:
            await self._recover(fault, exchange, scope, receive)
        finally:
            self._note(scope, exchange, began_s)

    async def _recover(self, fault: Exception, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        if isinstance(fault, ClientDisconnect):
            exchange.status = CLIENT_LEFT  # nobody is there to be answered
            return
        error = fault if isinstance(fault, StreamgateError) else error_from(fault)
        if error.status >= 500 and error is not fault:
            bound = logger.bind(request_id=exchange.request_id, method=scope["method"], path=scope["path"])
            bound.opt(exception=fault).error("request failed")
        if exchange.has_started:
            # Too late for an answer. Returning without the end of the body makes the server close the
            # connection, so the client sees that it was cut.
            logger.bind(request_id=exchange.request_id, code=error.code).warning("answer was cut off")
            return
        await ProblemResponse(error, exchange.request_id)(scope, receive, exchange.send)

    def _note(self, scope: Scope, exchange: _Exchange, began_s: float) -> None:
        took_ms = round((time.perf_counter() - began_s) * 1000, 3)
        user_id = scope.get(ACTOR_KEY, ANONYMOUS).user_id
        client = (scope.get("client") or ("",))[0]
        done = (exchange.status, took_ms, exchange.sent_bytes, exchange.request_id, user_id, client)
        self._access_log.add(Access(time.time(), scope["method"], scope["path"], *done))


class _Exchange:
    """The answer on its way out: marked with the request id, measured."""

    __slots__ = ("_send", "has_started", "request_id", "sent_bytes", "status")

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self._send = send
        self.has_started = False
        self.status = CLIENT_LEFT  # until something is answered
        self.sent_bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
        elif message["type"] == "http.response.start":
            self.has_started = True
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name for name, _ in headers}
            headers += [pair for pair in _SECURITY if pair[0] not in present]
            if b"x-request-id" not in present:
                headers.append((b"x-request-id", self.request_id.encode()))
            message = {**message, "headers": headers}
        await self._send(message)
