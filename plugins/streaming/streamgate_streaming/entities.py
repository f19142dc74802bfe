"""What is common to all files of a stream, whoever may have them: conditions, ranges, and headers for any origin.

The address is the only credential: no cookie and no header is read, so any origin may fetch (CORS `*`) without gaining
what it could not fetch itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from prometheus_client import Counter
from starlette.types import ASGIApp, Scope

from streamgate.errors import StreamgateError
from streamgate.web.problems import problem_response
from streamgate.web.request_id import header

from .ranges import ByteRange, RangeUnsatisfiable, parse_range
from .responses import Plain, RawHeaders

SENT = Counter("streamgate_stream_media_bytes_total", "Bytes of media that were asked for and granted.")

SHARED: RawHeaders = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Accept-Ranges, Content-Length, Content-Range, ETag, Retry-After, X-Request-ID",
    ),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class RangeRefused(StreamgateError):
    """No byte of the range exists; Content-Range says how many there are."""

    code, status, title = "stream.range_unsatisfiable", 416, "Range not satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the file has {size_bytes} bytes")
        self.size_bytes = size_bytes


@attrs.frozen(kw_only=True)
class Wanted:
    """How a file is to be answered. `part`: the bytes that are asked for; None: all of them."""

    status: int
    headers: RawHeaders
    part: ByteRange | None
    length_bytes: int


def preflight(common: RawHeaders, methods: Sequence[str], *, takes_body: bool = False) -> Plain:
    headers = b"Range, If-None-Match, If-Range, X-Request-ID" + (b", Content-Type" if takes_body else b"")
    answer = [
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", headers),
        (b"access-control-max-age", b"86400"),
        (b"content-length", b"0"),
    ]
    return Plain(204, [*common, *answer], b"")


def file_headers(media_type: str, cache_control: bytes, etag: bytes) -> RawHeaders:
    return [
        (b"content-type", media_type.encode()),
        (b"cache-control", cache_control),
        (b"etag", etag),
        (b"accept-ranges", b"bytes"),
    ]


def wanted_of(scope: Scope, headers: RawHeaders, etag: bytes, size_bytes: int) -> Wanted:
    """All of it, or the range that is asked for; all of it, too, where If-Range names other bytes than these.

    Raises:
        RangeRefused: there is nothing of the range.
    """
    part = _range_of(scope, etag, size_bytes)
    length = size_bytes if part is None else part.length_bytes
    headers = [*headers, (b"content-length", b"%d" % length)]
    if part is None:
        return Wanted(status=200, headers=headers, part=None, length_bytes=length)
    headers.append((b"content-range", b"bytes %d-%d/%d" % (part.first, part.last, size_bytes)))
    return Wanted(status=206, headers=headers, part=part, length_bytes=length)


def has_it(scope: Scope, etag: bytes) -> bool:
    """RFC 9110 section 13.1.2, If-None-Match: the weak comparison, over a list."""
    if_none_match = header(scope, b"if-none-match")
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return etag in tags or tags == [b"*"]


def problem(error: StreamgateError, request_id: str) -> ASGIApp:
    headers = list(SHARED)
    if isinstance(error, RangeRefused):
        headers.append((b"content-range", b"bytes */%d" % error.size_bytes))
    return problem_response(error, request_id, headers)


def _range_of(scope: Scope, etag: bytes, size_bytes: int) -> ByteRange | None:
    condition = header(scope, b"if-range")
    asked = header(scope, b"range")
    if asked is None or (condition is not None and condition != etag):
        return None
    try:
        return parse_range(asked.decode("latin-1"), size_bytes)
    except RangeUnsatisfiable as fault:
        raise RangeRefused(size_bytes) from fault
