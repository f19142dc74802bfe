"""Heads of answers as bytes. Most headers of most answers say what those of the last one said: whoever has checked and
written a line once needs not do it again."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

MAX_KNOWN = 512
MAX_STEADY_BYTES = 256

_STEADY = frozenset(
    b"accept-ranges access-control-allow-credentials access-control-allow-origin access-control-expose-headers "
    b"cache-control content-security-policy content-type cross-origin-embedder-policy cross-origin-opener-policy "
    b"cross-origin-resource-policy permissions-policy ratelimit-limit referrer-policy strict-transport-security "
    b"vary x-content-type-options x-frame-options".split()
)
"""Headers with few values; the lines of others would fill the memory with what never comes again."""

_NOT_IN_NAME = re.compile(rb"[\x00-\x1f\x7f()<>@,;:\[\]={} \t\\\"]")
_NOT_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_known: dict[tuple[bytes, bytes], bytes] = {}
_prefixes: dict[bytes, tuple[bytes, bool]] = {}  # by name: how its lines begin, and whether `_frame` wants to know
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


@attrs.define
class Head:
    """`is_chunked`: None where no header says how the body is framed. `closes`: a header ends the connection."""

    lines: list[bytes]
    content_length: int = 0
    is_chunked: bool | None = None
    closes: bool = False


def render_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Raises ValueError for a header that holds what would end it, or a Content-Length that is no number."""
    lines: list[bytes] = []
    head = Head(lines)
    for pair in headers:
        try:
            line = _known.get(pair)
        except TypeError:  # a list, as the specification allows
            pair = (pair[0], pair[1])
            line = None
        if line is None:
            name, value = pair
            prefix, is_framing = _prefixes.get(name) or _prefix(name)
            if not value.isalnum() and _NOT_IN_VALUE.search(value):
                raise ValueError(f"the header {name.decode()} cannot hold control characters")
            line = prefix + value + b"\r\n"
            if is_framing:
                _frame(head, name.lower(), value)
            elif name in _STEADY and len(_known) < MAX_KNOWN and len(value) <= MAX_STEADY_BYTES:
                _known[pair] = line
        lines.append(line)
    return head


def _prefix(name: bytes) -> tuple[bytes, bool]:
    if not name or _NOT_IN_NAME.search(name):
        raise ValueError(f"a header cannot be named {name!r}")
    found = (name.lower() + b": ", name.lower() in _FRAMING)
    if len(_prefixes) < MAX_KNOWN:
        _prefixes[name] = found
    return found


def _frame(head: Head, name: bytes, value: bytes) -> None:
    """What a header says of the body's length and of the connection. The first word on the length counts."""
    if name == b"content-length":
        if head.is_chunked is None:
            head.content_length = int(value)
            head.is_chunked = False
    elif name == b"transfer-encoding":
        if value.lower() == b"chunked":
            head.content_length = 0
            head.is_chunked = True
    elif name == b"connection":
        head.closes = head.closes or b"close" in [token.strip() for token in value.lower().split(b",")]
