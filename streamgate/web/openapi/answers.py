"""What any route may be answered with beside its own: by the server, the edge and the typed layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streamgate import errors
from streamgate.web.problems import (
    HeadersTooLarge,
    IdempotencyAnswerGone,
    IdempotencyInProgress,
    IdempotencyMismatch,
    IdempotencyUnknown,
    RequestTimedOut,
    RouteNotFound,
    UrlTooLong,
)
from streamgate.web.routes import Route

_NUMBER = {"type": "integer", "minimum": 0}

ANSWER_HEADERS: dict[str, Any] = {
    "X-Request-ID": {"schema": {"type": "string"}},
    "RateLimit-Limit": {"schema": _NUMBER},
    "RateLimit-Remaining": {"schema": _NUMBER},
    "RateLimit-Reset": {"schema": _NUMBER},
}
"""Of every answer that counts against a limit; those of errors are the same, and not repeated for each."""

_RETRY_AFTER = {"Retry-After": {"description": "Seconds after which to try again.", "schema": _NUMBER}}
HEADERS_BY_STATUS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {
        **_RETRY_AFTER,
        "RateLimit-Limit": {"description": "Requests a minute; absent of limits of another kind.", "schema": _NUMBER},
        "RateLimit-Remaining": {"description": "How many are left now.", "schema": _NUMBER},
        "RateLimit-Reset": {"description": "Seconds until all are back.", "schema": _NUMBER},
    },
    503: _RETRY_AFTER,
}


def reads_credentials(route: Route) -> bool:
    return route.policy.level != "token" and route.reads_bearer


def implied_errors(route: Route) -> Iterable[type[errors.StreamgateError]]:
    """What the layers around its handler may answer for such a route."""
    yield from (UrlTooLong, HeadersTooLarge, errors.TooMany, errors.Internal, errors.Unavailable)
    if route.timeout_s is not None:
        yield errors.DeadlineExceeded
    if reads_credentials(route):
        yield from (errors.Unauthorized, errors.TokenInvalid, errors.TokenExpired, errors.KeyInvalid)
        yield errors.AuthUnavailable
        if route.method != "GET" and not route.only_reads:  # an API key that may only read
            yield errors.Forbidden
    if route.policy.level in ("creator", "admin", "owner"):
        yield errors.Forbidden
    if "{" in route.path:
        yield RouteNotFound
    if route.policy.level == "owner":
        yield errors.NotFound
    if route.query is not None or route.body is not None or route.guard is not None:
        yield errors.Invalid
    if route.body is not None:
        yield from (errors.BadRequest, errors.TooLarge, errors.UnsupportedMediaType)
    if route.body is not None or route.raw_body:
        yield RequestTimedOut
    if route.creates:
        yield from (IdempotencyInProgress, IdempotencyUnknown, IdempotencyAnswerGone, IdempotencyMismatch)
        yield errors.Invalid
