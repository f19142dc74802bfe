"""`/api/v1/stream/s/{token}/…`: playlists, manifests and media bytes, as a raw ASGI application.

    token → session id      one HMAC, no look-up for garbage
    session id → session    one look-up in memory (`Sessions.admit`)
    path → file             the one rule below; ids and numbers, never a path of the store

The token in the path is the only credential: no cookie and no header is read, so any origin may fetch (CORS `*`)
without gaining what it could not fetch itself. Nothing here may be kept by a shared cache. Segments may be kept by
the viewer's own, but are asked for again each time (`no-cache`), so that an ended session is noticed.
"""

from __future__ import annotations

from typing import Protocol

import attrs
from loguru import logger
from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate.contracts.streaming import SegmentPending, SegmentUnknown, SessionUnknown
from streamgate.errors import Internal, StreamgateError
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.web.problems import MethodNotAllowed, problem_response
from streamgate.web.request_id import header, request_id_of

from .catalogue import Catalogue
from .files import FILE, Admitted, Blob, Unmade, blob_of
from .hot import HotSegments
from .live import LiveSession
from .offload import Offload
from .pending import Pending
from .ranges import ByteRange, RangeUnsatisfiable, parse_range
from .responses import Plain, RawHeaders, Streamed
from .saying import Saying

OF_CONTENT = "streamgate.stream.content_id"
"""Where a scope may name the content the session must be of."""

_METHODS = ("GET", "HEAD", "OPTIONS")
_NO_STORE = b"private, no-store"
_REVALIDATE = b"private, no-cache"

_SENT = Counter("streamgate_stream_media_bytes_total", "Bytes of media that were asked for and granted.")

_SHARED: RawHeaders = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Accept-Ranges, Content-Length, Content-Range, ETag, Retry-After, X-Request-ID",
    ),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_PREFLIGHT: RawHeaders = [
    (b"access-control-allow-methods", ", ".join(_METHODS).encode()),
    (b"access-control-allow-headers", b"Range, If-None-Match, If-Range, X-Request-ID"),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]


class TokenReader(Protocol):
    def read(self, token: str) -> str | None: ...


class Doorkeeper(Protocol):
    async def admit(self, session_id: str) -> LiveSession: ...


class RangeRefused(StreamgateError):
    """No byte of the range exists; Content-Range says how many there are."""

    code, status, title = "stream.range_unsatisfiable", 416, "Range not satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the file has {size_bytes} bytes")
        self.size_bytes = size_bytes


class Delivery:
    """The ASGI application."""

    def __init__(
        self,
        tokens: TokenReader,
        sessions: Doorkeeper,
        catalogue: Catalogue,
        blobs: BlobStore,
        hot: HotSegments,
        pending: Pending,
        saying: Saying,
        offload: Offload | None = None,
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._catalogue = catalogue
        self._blobs = blobs
        self._hot = hot
        self._pending = pending
        self._saying = saying
        self._offload = offload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope)
        try:
            answer = await self._answer(scope, request_id)
        except StreamgateError as fault:
            answer = _problem(fault, request_id)
        except Exception:
            logger.bind(request_id=request_id).exception("stream request failed")
            answer = _problem(Internal(), request_id)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, request_id: str) -> ASGIApp:
        common = [(b"x-request-id", request_id.encode()), *_SHARED]
        method = scope["method"]
        if method == "OPTIONS":
            return Plain(204, [*common, *_PREFLIGHT], b"")
        if method not in _METHODS:
            raise MethodNotAllowed(f"the stream does not take {method}", allowed=_METHODS)
        admitted = await self.admit(scope["path"], scope.get(OF_CONTENT, ""))
        found = await self.opened(admitted)
        if isinstance(found, Unmade):
            if method == "HEAD":
                raise SegmentPending("it is made when it is asked for", retry_after_s=1)
            found = await self._made(admitted, found)
        if isinstance(found, Blob):
            return await self._blob(scope, common, found, admitted.live)
        media_type, body = found
        headers = [
            *common,
            (b"content-type", media_type.encode()),
            (b"cache-control", _NO_STORE),
            (b"content-length", b"%d" % len(body)),
        ]
        return Plain(200, headers, body)

    async def admit(self, path: str, content_id: str = "") -> Admitted:
        """Who asks for the file, if bytes may be served to them now.

        Args:
            content_id: what the session must be of; empty: whatever it is of.

        Raises:
            SegmentUnknown, SessionUnknown: 404. SessionEnded: 410. GateUnknown: 503.
        """
        asked = FILE.fullmatch(path)
        if asked is None:
            raise SegmentUnknown("no such file in a stream")
        session_id = self._tokens.read(asked["token"])
        if session_id is None:
            raise SessionUnknown("not a playback address of this server")
        live = await self._sessions.admit(session_id)
        if content_id not in ("", live.content_id):
            raise SegmentUnknown("the session is of another content")
        listing = await self._catalogue.listing(live.content_id, live.media_version)
        if listing is None:
            raise SegmentUnknown("nothing of this media version is served any more")
        return Admitted(asked, live, listing)

    async def opened(self, admitted: Admitted) -> Blob | Unmade | tuple[str, bytes]:
        """The file, as far as it is open to the session.

        Raises:
            GateRefused: 403. SegmentUnknown, PictureUnknown, CaptionsUnknown: 404.
        """
        if admitted.asked["said"]:
            return await self._saying.find(admitted.listing, admitted.live, admitted.asked)
        return admitted.opened()

    async def _made(self, admitted: Admitted, wanted: Unmade) -> Blob:
        plan, live = admitted.listing.plan, admitted.live
        if plan is None:
            raise SegmentUnknown("this file is lost")
        made = await self._pending.made(plan, wanted.track.id, wanted.n, session_id=live.session_id)
        now = attrs.evolve(admitted, live=await self._sessions.admit(live.session_id))
        now.opened()  # it may be over, or narrower, meanwhile
        return blob_of(wanted.track, made.key, made.size_bytes, made.sha256)

    async def _blob(self, scope: Scope, common: RawHeaders, blob: Blob, live: LiveSession) -> ASGIApp:
        about = [
            (b"content-type", blob.media_type.encode()),
            (b"cache-control", _REVALIDATE),
            (b"etag", blob.etag),
            (b"accept-ranges", b"bytes"),
        ]
        headers = [*common, *about]
        if _has_it(header(scope, b"if-none-match"), blob.etag):
            return Plain(304, headers, b"")
        part = _wanted_part(scope, blob)
        length = blob.size_bytes if part is None else part.length_bytes
        headers.append((b"content-length", b"%d" % length))
        status = 200
        if part is not None:
            status = 206
            headers.append((b"content-range", b"bytes %d-%d/%d" % (part.first, part.last, blob.size_bytes)))
        if scope["method"] == "HEAD":
            return Plain(status, headers, b"")
        _SENT.inc(length)
        if self._offload is not None:  # which looks at the range itself
            return await self._offload.answer(blob.key, live, common, about)
        begin = 0 if part is None else part.first
        try:  # the first bytes before the status: now a fault can still be said
            kept = await self._hot.get(blob.key, blob.size_bytes)
            if kept is not None and len(kept) == blob.size_bytes:
                return Plain(status, headers, kept if part is None else kept[begin : begin + length])
            chunks = self._blobs.stream(blob.key, begin, length)
            first = await anext(chunks, b"")
        except BlobMissing as fault:
            logger.bind(key=blob.key).error("segment is indexed, but not in the blob store")
            raise SegmentUnknown("this file is lost") from fault
        return Streamed(status, headers, first, chunks, length)


def _wanted_part(scope: Scope, blob: Blob) -> ByteRange | None:
    """The range that is asked for; None for all of it, also when If-Range names other bytes than these."""
    condition = header(scope, b"if-range")
    asked = header(scope, b"range")
    if asked is None or (condition is not None and condition != blob.etag):
        return None
    try:
        return parse_range(asked.decode("latin-1"), blob.size_bytes)
    except RangeUnsatisfiable as fault:
        raise RangeRefused(blob.size_bytes) from fault


def _has_it(if_none_match: bytes | None, etag: bytes) -> bool:
    """RFC 9110 section 13.1.2: the weak comparison, over a list."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return etag in tags or tags == [b"*"]


def _problem(error: StreamgateError, request_id: str) -> ASGIApp:
    headers = list(_SHARED)
    if isinstance(error, RangeRefused):
        headers.append((b"content-range", b"bytes */%d" % error.size_bytes))
    return problem_response(error, request_id, headers)
