"""The one middleware: request id out, trace in, recovery, access log, measures, headers. Pure ASGI.

One layer that wraps `send` once, where a stack of five would wrap it five times.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from loguru import logger
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgate.context import ANONYMOUS, CallContext, enter_call, leave_call
from streamgate.errors import StreamgateError, Unavailable
from streamgate.telemetry.measures import Levels, Timings
from streamgate.telemetry.requests import Access, shown_path
from streamgate.telemetry.tracing import TRACING, child_of, is_traced, note_span, trace_id_of
from streamgate.web.access import AccessLog
from streamgate.web.client import client_address
from streamgate.web.outward import answer_headers
from streamgate.web.problems import ProblemResponse, error_from
from streamgate.web.request_id import TRACE_KEY, checked_traceparent, request_id_of
from streamgate.web.typed import ACTOR_KEY

CLIENT_LEFT = 499
ROUTE_KEY = "streamgate.route"
"""Where the scope keeps the Route that answers; None where it is a mount behind the routes."""

REQUESTS = Timings(
    "streamgate_http_request_duration_seconds",
    "Requests behind the edge, by route template (none: nothing is there; mounted: forwarded) and class of status.",
    ("route", "method", "status"),
)
IN_FLIGHT = Levels("streamgate_http_requests_in_flight", "Requests that are being answered.")
_in_flight = IN_FLIGHT.values
_in_flight[()] = 0.0

_CLASSES = tuple(f"{hundreds}xx" for hundreds in range(10))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TRACEPARENT = b"traceparent"
HOP_HEADER = b"x-streamgate-hop"
"""What our own gateway says to a service it forwards to; a secret of that process (`sdk/edge`)."""


class Edge:
    """Runs `app` for one request and answers for it, whatever happens inside."""

    def __init__(self, app: ASGIApp, access_log: AccessLog) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.perf_counter()
        exchange = _Exchange(request_id_of(scope), send, scope)
        _enter_trace(scope, exchange)
        token = enter_call(CallContext(request_id=exchange.request_id, traceparent=exchange.traceparent))
        _in_flight[()] += 1
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
            _in_flight[()] -= 1
            leave_call(token)
            self._note(scope, exchange, began_s)

    async def _recover(self, fault: Exception, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        if isinstance(fault, ClientDisconnect):
            exchange.status = CLIENT_LEFT  # nobody is there to be answered
            return
        error = fault if isinstance(fault, StreamgateError) else error_from(fault)
        exchange.code = error.code
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
        took_s = time.perf_counter() - began_s
        method, path, status = scope["method"], scope["path"], exchange.status
        route = scope.get(ROUTE_KEY)
        label = route.path if route is not None else "mounted" if ROUTE_KEY in scope else "none"
        REQUESTS.of(label, method if method in _METHODS else "other", _CLASSES[status // 100]).observe(took_s)
        actor = scope.get(ACTOR_KEY, ANONYMOUS)
        done = (status, round(took_s * 1000, 3), exchange.sent_bytes, exchange.request_id, actor.user_id)
        told = (trace_id_of(exchange.traceparent), exchange.code, route, actor)
        self._access_log.add(Access(time.time(), method, path, *done, client_address(scope), *told))
        if exchange.parent:
            _note_request(exchange, f"{method} {label}", path)


def _enter_trace(scope: Scope, exchange: _Exchange) -> None:
    """What follows belongs to this request's trace: its header says so to everybody behind the edge, a service that
    it is forwarded to among them."""
    headers = scope["headers"]
    by_name = dict(reversed(headers))  # of several, the first
    sent = checked_traceparent(by_name.get(_TRACEPARENT))
    peer = (scope.get("client") or ("",))[0]
    parent = TRACING.root(sent, is_believed=sent != "" and TRACING.believes(peer, by_name.get(HOP_HEADER)))
    if is_traced(parent):
        exchange.parent, exchange.traceparent = parent, child_of(parent)
        exchange.is_root = parent[:35] != sent[:35]
        exchange.began_ns = time.time_ns()
    else:
        exchange.traceparent = parent
    if _TRACEPARENT in by_name:
        headers = [pair for pair in headers if pair[0] != _TRACEPARENT]
    scope["headers"] = [*headers, (_TRACEPARENT, exchange.traceparent.encode())]
    scope[TRACE_KEY] = exchange.traceparent


def _note_request(exchange: _Exchange, name: str, path: str) -> None:
    status = exchange.status
    note_span(
        name,
        "server",
        exchange.parent,
        start_ns=exchange.began_ns,
        traceparent=exchange.traceparent,
        is_root=exchange.is_root,
        attributes={
            "http.response.status_code": status,
            "url.path": shown_path(path),
            "streamgate.request_id": exchange.request_id,
        },
        error=(exchange.code or str(status)) if status >= 500 else "",
    )


class _Exchange:
    """The answer on its way out: marked with the request id, measured."""

    __slots__ = (
        "_scope",
        "_send",
        "began_ns",
        "code",
        "has_started",
        "is_root",
        "parent",
        "request_id",
        "sent_bytes",
        "status",
        "traceparent",
    )

    def __init__(self, request_id: str, send: Send, scope: Scope) -> None:
        self.request_id = request_id
        self._scope = scope
        self._send = send
        self.has_started = False
        self.status = CLIENT_LEFT  # until something is answered
        self.sent_bytes = 0
        self.code = ""  # of the problem that is the answer
        self.traceparent = ""
        self.parent = ""  # the step above this one, where it is recorded
        self.is_root = False
        self.began_ns = 0

    def send(self, message: Message) -> Awaitable[None]:
        """No coroutine of its own around the server's."""
        kind = message["type"]
        if kind == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
        elif kind == "http.response.start":
            self.has_started = True
            self.status = message["status"]
            message = {**message, "headers": answer_headers(message, self._scope)}
        return self._send(message)
