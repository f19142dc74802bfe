"""The request id: a client's own when it is well formed, else a new one. One per request, kept in its scope."""

from __future__ import annotations

import os
import re

from starlette.types import Scope

_VALID = re.compile(rb"[A-Za-z0-9._~-]{8,64}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = "streamgate.request_id"


def request_id_of(scope: Scope) -> str:
    """The id of this request; asking twice gives the same. 8 to 64 characters of `A-Z a-z 0-9 . _ ~ -`."""
    known: str | None = scope.get(_KEY)
    if known is not None:
        return known
    sent = header(scope, b"x-request-id")
    chosen = sent.decode("ascii") if sent is not None and _VALID.fullmatch(sent) else os.urandom(16).hex()
    scope[_KEY] = chosen
    return chosen


def traceparent_of(scope: Scope) -> str:
    """The W3C `traceparent` that came with the request, or "" (also when it is malformed)."""
    sent = header(scope, b"traceparent")
    return sent.decode("ascii") if sent is not None and _TRACEPARENT.fullmatch(sent) else ""


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that lower-case name. ASGI servers send names in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None
