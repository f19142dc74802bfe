"""Errors as problem documents (RFC 9457), for the typed routes and for raw mounts alike.

    {"type", "title", "status", "detail", "code", "request_id"}  + `errors` on 422, + the error's own `extra`

`code` is the stable part; clients branch on it. A 500 says nothing but its request id: what happened is in
the log under that id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from streamgate.errors import Conflict, Internal, Invalid, NotFound, StreamgateError

RawHeaders = list[tuple[bytes, bytes]]

MEDIA_TYPE = "application/problem+json"
DEFAULT_RETRY_AFTER_S = 1.0  # a 429 or 503 always says when; this, where the error does not know


class MethodNotAllowed(StreamgateError):
    code, status, title = "request.method_not_allowed", 405, "Method not allowed"

    def __init__(self, detail: str = "", *, allowed: Iterable[str] = (), **more: Any) -> None:
        super().__init__(detail, **more)
        self.allowed = tuple(sorted(allowed))


class RequestTimedOut(StreamgateError):
    """The client took longer than `server.read_timeout_s` to send the next bytes of its body."""

    code, status, title, retryable = "request.timed_out", 408, "The request took too long to arrive", True


class UrlTooLong(StreamgateError):
    code, status, title = "request.url_too_long", 414, "URL too long"


class HeadersTooLarge(StreamgateError):
    code, status, title = "request.headers_too_large", 431, "Too many headers, or too large ones"


class IdempotencyMismatch(Invalid):
    code, title = "request.idempotency_mismatch", "The Idempotency-Key was used for another request"


class IdempotencyInProgress(Conflict):
    """The first request with this key is not answered yet."""

    code, title, retryable = "request.idempotency_in_progress", "The same request is being answered", True


class IdempotencyUnknown(Conflict):
    """It took too long, or its process died: whether it was done is for the caller to look at."""

    code, title = "request.idempotency_unknown", "How the same request ended is not known"


class IdempotencyAnswerGone(Conflict):
    """The first request with this key was done; its answer was too long to be kept."""

    code, title = "request.idempotency_answer_gone", "The same request was done, and its answer was not kept"


class RouteNotFound(NotFound):
    code, title = "request.unknown_path", "Nothing is served here"


def problem_document(error: StreamgateError, request_id: str) -> dict[str, Any]:
    """The document for an error. Members of `extra` never replace a standard one."""
    is_ours = error.status != Internal.status  # the detail of a 500 is for the log, not for the caller
    document: dict[str, Any] = {
        **(error.extra if is_ours else {}),
        "type": f"urn:streamgate:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail if is_ours else Internal.title,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = [{"field": fault.field, "message": fault.message} for fault in error.errors]
    return document


def problem_headers(error: StreamgateError) -> RawHeaders:
    """Headers that go with an error: when to try again, how to sign in, which methods there are."""
    headers: RawHeaders = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
    retry_after_s = error.retry_after_s
    if retry_after_s is None and error.status in (429, 503):
        retry_after_s = DEFAULT_RETRY_AFTER_S
    if retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(retry_after_s))))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    return headers


class ProblemResponse:
    """An error as an ASGI application. Made by `problem_response`."""

    def __init__(self, error: StreamgateError, request_id: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.status_code = error.status
        self.body = orjson.dumps(problem_document(error, request_id), default=str)
        length = (b"content-length", b"%d" % len(self.body))
        self.raw_headers: RawHeaders = [length, *problem_headers(error), *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = b"" if scope["method"] == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body, "more_body": False})


def problem_response(
    error: StreamgateError, request_id: str, headers: Iterable[tuple[bytes, bytes]] = ()
) -> ProblemResponse:
    """The answer a raw mount gives for an error: `await problem_response(error, request_id)(scope, receive, send)`.

    `X-Request-ID` is among its headers, since mounts stand ahead of the middleware that adds it elsewhere.
    """
    return ProblemResponse(error, request_id, [(b"x-request-id", request_id.encode()), *headers])


def error_from(fault: Exception) -> StreamgateError:
    """What the caller is told of a fault outside the family: the framework's by its status, any other nothing."""
    kinds: list[type[StreamgateError]] = [RouteNotFound, MethodNotAllowed, *StreamgateError.__subclasses__()]
    for kind in kinds:
        if isinstance(fault, HTTPException) and kind.status == fault.status_code:
            return kind(fault.detail)
    return Internal()
