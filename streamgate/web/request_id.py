"""The request id: a client's own when it is well formed, else a new one. One per request, kept in its scope, and so is
the step of the trace that the request belongs to."""

from __future__ import annotations

import os
import re

from starlette.types import Scope

_VALID = re.compile(rb"[A-Za-z0-9._~-]{8,64}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = "streamgate.request_id"
TRACE_KEY = "streamgate.traceparent"
"""Where the edge keeps the request's own `traceparent`, whatever came with it."""
_ID_BYTES = 16
_IDS_AT_ONCE = 64


def request_id_of(scope: Scope) -> str:
    """The id of this request; asking twice gives the same. 8 to 64 characters of `A-Z a-z 0-9 . _ ~ -`."""
    known: str | None = scope.get(_KEY)
    if known is not None:
        return known
    sent = header(scope, b"x-request-id")
    chosen = sent.decode("ascii") if sent is not None and _VALID.fullmatch(sent) else _new_id()
    scope[_KEY] = chosen
    return chosen


_made: list[str] = []


def _new_id() -> str:
    """Asking the system for each id would cost more than all else of it."""
    try:
        return _made.pop()
    except IndexError:
        digits = os.urandom(_ID_BYTES * _IDS_AT_ONCE).hex()
        _made.extend(digits[at : at + 2 * _ID_BYTES] for at in range(2 * _ID_BYTES, len(digits), 2 * _ID_BYTES))
        return digits[: 2 * _ID_BYTES]


def traceparent_of(scope: Scope) -> str:
    """The `traceparent` that the request has here; ahead of the edge, the one that came with it."""
    known: str | None = scope.get(TRACE_KEY)
    return checked_traceparent(header(scope, b"traceparent")) if known is None else known


def checked_traceparent(sent: bytes | None) -> str:
    """A W3C `traceparent` that came with a request, or "" where there is none, or a malformed one."""
    return sent.decode("ascii") if sent is not None and _TRACEPARENT.fullmatch(sent) else ""


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that lower-case name. ASGI servers send names in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None
