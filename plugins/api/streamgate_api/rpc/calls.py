"""A gRPC call as a request to the application: who asks, from where, until when; and its answer or refusal."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote

import attrs
import grpc
import orjson
from google.protobuf.message import DecodeError, Message
from loguru import logger
from starlette.types import ASGIApp

from streamgate.context import new_request_id
from streamgate.errors import BadRequest, Internal, StreamgateError
from streamgate.telemetry.measures import Counts
from streamgate_api.inside import Answer, Ask, RawHeaders, ask
from streamgate_api.rpc.errors import RpcError, from_answer, from_error
from streamgate_api.rpc.messages import to_message, to_plain
from streamgate_api.rpc.operations import Operation, target_of

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
M = TypeVar("M", bound=Message)
T = TypeVar("T")

_PASSED = frozenset(
    {
        "accept-language",
        "authorization",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-api-key",
        "x-forwarded-for",
        "x-request-id",
    }
)
"""Metadata that mean something to the operations. The application itself judges what it believes of them."""
CALLS = Counts("streamgate_api_grpc_calls_total", "gRPC answers of the API by their status", ("method", "code"))
OK = grpc.StatusCode.OK.name
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{8,64}")


class Refused(Exception):
    """The operation said no; `told` is for the caller."""

    def __init__(self, told: RpcError) -> None:
        super().__init__(told.details)
        self.told = told


@attrs.frozen
class Caller:
    """Who calls, as headers, address and deadline."""

    headers: RawHeaders
    client: tuple[str, int] | None
    deadline_s: float | None
    request_id: str


def caller_of(context: Context) -> Caller:
    """Read from the call's metadata, peer and deadline. It always has a request id."""
    headers: RawHeaders = []
    request_id = ""
    for name, value in context.invocation_metadata() or ():
        if name in _PASSED and isinstance(value, str):
            headers.append((name.encode(), value.encode("latin-1", "replace")))
            if name == "x-request-id" and _REQUEST_ID.fullmatch(value):
                request_id = value
    if not request_id:
        request_id = new_request_id()
        headers = [pair for pair in headers if pair[0] != b"x-request-id"]
        headers.append((b"x-request-id", request_id.encode()))
    remaining_s = context.time_remaining()
    deadline_s = None if remaining_s is None else time.monotonic() + remaining_s
    return Caller(headers, _client(context.peer()), deadline_s, request_id)


@functools.lru_cache(maxsize=4096)  # a connection has many calls
def _client(peer: str) -> tuple[str, int] | None:
    """`ipv4:127.0.0.1:5` and `ipv6:%5B::1%5D:5`, as gRPC writes them."""
    kind, _, rest = unquote(peer).partition(":")
    host, _, port = rest.rpartition(":")
    return (host.strip("[]"), int(port)) if kind in ("ipv4", "ipv6") and port.isdigit() else None


class Calls:
    """Asks the application for callers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(self, caller: Caller, wanted: Ask) -> Answer:
        """Raises Refused for what is answered with 400 or above."""
        headers = [*caller.headers, *wanted.headers]
        full = attrs.evolve(wanted, headers=headers, client=caller.client, deadline_s=caller.deadline_s)
        answer = await ask(self._app, full)
        if answer.status >= 400:
            raise Refused(from_answer(answer))
        return answer

    async def operate(self, caller: Caller, operation: Operation, message: Message) -> Message:
        """One operation for one message.

        Raises:
            Refused, Invalid.
        """
        target = target_of(operation, to_plain(message))
        headers = [(b"content-type", b"application/json")] if target.body else []
        wanted = Ask(method=operation.method, path=target.path, query=target.query, headers=headers, body=target.body)
        try:
            answer = await self.ask(caller, wanted)
        except Refused as refusal:
            if target.fault is not None and refusal.told.status in (404, 422):
                raise target.fault from refusal
            raise
        if target.fault is not None:
            raise target.fault
        return to_message(operation.answer, orjson.loads(answer.body) if answer.body else {})


def parse(kind: type[M], payload: bytes) -> M:
    """Raises BadRequest: gRPC itself would call it an internal fault."""
    try:
        return kind.FromString(payload)
    except DecodeError as fault:
        raise BadRequest(f"the message is not a {kind.DESCRIPTOR.full_name}") from fault


async def told(context: Context, caller: Caller, name: str, work: Callable[[], Awaitable[T]]) -> T:
    """Runs the work of a call; what it raises is told as the API's errors are, a fault of ours without its text."""
    try:
        answer = await work()
    except Refused as refusal:
        error = refusal.told
    except StreamgateError as fault:
        error = from_error(fault, caller.request_id)
    except Exception as fault:
        logger.bind(request_id=caller.request_id, rpc=name).opt(exception=fault).error("gRPC call failed")
        error = from_error(Internal(), caller.request_id)
    else:
        CALLS.of(name, OK).add()
        context.set_trailing_metadata((("x-request-id", caller.request_id),))
        return answer
    CALLS.of(name, error.code.name).add()
    await context.abort(error.code, error.details, error.trailing)
    raise AssertionError("abort raises")
