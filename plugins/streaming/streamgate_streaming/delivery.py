"""`/api/v1/stream/s/{token}/…`: playlists, manifests and media bytes, as a raw ASGI application.

    token → session id      one HMAC, no look-up for garbage
    session id → session    one look-up in memory (`Sessions.admit`)
    path → file             the one rule below; ids and numbers, never a path of the store

The token in the path is the only credential: no cookie and no header is read, so any origin may fetch (CORS `*`)
without gaining what it could not fetch itself. Nothing here may be kept by a shared cache. Segments may be kept by
the viewer's own, but are asked for again each time (`no-cache`), so that an ended session is noticed.
"""

from __future__ import annotations

import re
from typing import Protocol

import attrs
from loguru import logger
from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate.contracts.streaming import SegmentPending, SegmentUnknown, SessionUnknown
from streamgate.errors import Internal, StreamgateError
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.playlists import dash, hls
from streamgate.sdk.playlists.presentation import Track
from streamgate.sdk.playlists.storyboard import VTT_TYPE
from streamgate.web.problems import MethodNotAllowed, problem_response
from streamgate.web.request_id import header, request_id_of

from . import showing
from .catalogue import Catalogue, Listing, Texts
from .extent import nothing_left, shut
from .hot import HotSegments
from .live import LiveSession
from .loading import INIT
from .pending import Pending
from .ranges import ByteRange, RangeUnsatisfiable, parse_range
from .responses import Plain, RawHeaders, Streamed
from .saying import FILES as SAID
from .saying import Saying

PREFIX = "/api/v1/stream/s"
OF_CONTENT = "streamgate.stream.content_id"
"""Where a scope may name the content the session must be of."""

_FILE = re.compile(
    re.escape(PREFIX) + r"/(?P<token>[A-Za-z0-9_-]{1,512})/"
    r"(?:(?P<top>master\.m3u8|manifest\.mpd)|" + SAID + r"|"
    r"(?P<picture>poster\.jpg|storyboard\.vtt|storyboard/(?P<sheet>0|[1-9][0-9]{0,2})\.jpg)|(?P<track>[a-z0-9][a-z0-9_-]{0,31})/"
    r"(?:(?P<named>playlist\.m3u8|init\.mp4)|(?P<n>0|[1-9][0-9]{0,6})\.m4s))"
)
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


@attrs.frozen(kw_only=True)
class _Blob:
    key: str
    size_bytes: int
    sha256: str
    media_type: str

    @property
    def etag(self) -> bytes:
        return f'"{self.sha256[:32]}"'.encode()


@attrs.frozen(kw_only=True)
class _Unmade:
    """Listed, and still to be made. `n`: of the segment, or INIT."""

    track: Track
    n: int


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
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._catalogue = catalogue
        self._blobs = blobs
        self._hot = hot
        self._pending = pending
        self._saying = saying

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
        asked = _FILE.fullmatch(scope["path"])
        if asked is None:
            raise SegmentUnknown("no such file in a stream")
        session_id = self._tokens.read(asked["token"])
        if session_id is None:
            raise SessionUnknown("not a playback address of this server")
        live = await self._sessions.admit(session_id)
        if scope.get(OF_CONTENT, live.content_id) != live.content_id:
            raise SegmentUnknown("the session is of another content")
        listing = await self._catalogue.listing(live.content_id, live.media_version)
        if listing is None:
            raise SegmentUnknown("nothing of this media version is served any more")
        found: _Blob | _Unmade | tuple[str, bytes]
        if asked["said"]:
            found = await self._saying.find(listing, live, asked)
        else:
            found = _picture(listing, live, asked) if asked["picture"] else _open(listing, live, asked)
        if isinstance(found, _Unmade):
            if method == "HEAD":
                raise SegmentPending("it is made when it is asked for", retry_after_s=1)
            found = await self._made(listing, found, session_id)
            _open(listing, await self._sessions.admit(session_id), asked)  # it may be over, or narrower, meanwhile
        if isinstance(found, _Blob):
            return await self._blob(scope, common, found)
        media_type, body = found
        headers = [
            *common,
            (b"content-type", media_type.encode()),
            (b"cache-control", _NO_STORE),
            (b"content-length", b"%d" % len(body)),
        ]
        return Plain(200, headers, body)

    async def _made(self, listing: Listing, wanted: _Unmade, session_id: str) -> _Blob:
        if listing.plan is None:
            raise SegmentUnknown("this file is lost")
        made = await self._pending.made(listing.plan, wanted.track.id, wanted.n, session_id=session_id)
        return _blob_of(wanted.track, made.key, made.size_bytes, made.sha256)

    async def _blob(self, scope: Scope, common: RawHeaders, blob: _Blob) -> ASGIApp:
        headers = [
            *common,
            (b"content-type", blob.media_type.encode()),
            (b"cache-control", _REVALIDATE),
            (b"etag", blob.etag),
            (b"accept-ranges", b"bytes"),
        ]
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


def _open(listing: Listing, live: LiveSession, asked: re.Match[str]) -> _Blob | _Unmade | tuple[str, bytes]:
    """What is asked for, as far as it is open.

    Raises:
        GateRefused: it is there, and beyond what the session's decision opens.
        SegmentUnknown: it is not there.
    """
    texts = listing.within(live.extent)
    if texts is listing.whole:
        return _find(listing.whole, asked)
    if texts is not None:
        try:
            return _find(texts, asked)
        except SegmentUnknown:
            pass  # what there is at all has to be known, to say which of the two it is
    _find(listing.whole, asked)
    if texts is None:
        raise nothing_left(live.extent, live.decision, listing.whole.presentation)
    raise shut(live.content_id, live.extent, live.decision)


def _find(texts: Texts, asked: re.Match[str]) -> _Blob | _Unmade | tuple[str, bytes]:
    """A blob, one to be made, or a text with its media type. Raises SegmentUnknown."""
    if asked["top"] == "master.m3u8":
        return hls.MEDIA_TYPE, texts.multivariant
    if asked["top"] == "manifest.mpd":
        return dash.MEDIA_TYPE, texts.manifest
    track = texts.presentation.track(asked["track"])
    if track is None:
        raise SegmentUnknown(f"no rendition {asked['track']} in this stream")
    if asked["named"] == "playlist.m3u8":
        return hls.MEDIA_TYPE, texts.playlist(track)
    if asked["named"] == "init.mp4":
        if not track.init_key:
            return _Unmade(track=track, n=INIT)
        return _blob_of(track, track.init_key, track.init_size_bytes, track.init_sha256)
    n = int(asked["n"])
    if n >= len(track.segments):
        raise SegmentUnknown(f"{track.id} has no segment {n}")
    segment = track.segments[n]
    if not segment.key:
        return _Unmade(track=track, n=n)
    return _blob_of(track, segment.key, segment.size_bytes, segment.sha256)


def _blob_of(track: Track, key: str, size_bytes: int, sha256: str) -> _Blob:
    return _Blob(key=key, size_bytes=size_bytes, sha256=sha256, media_type=f"{track.kind}/mp4")


def _picture(listing: Listing, live: LiveSession, asked: re.Match[str]) -> _Blob | tuple[str, bytes]:
    """Raises GateRefused, PictureUnknown."""
    found = listing.showing.find(live, asked["picture"], asked["sheet"])
    if isinstance(found, bytes):
        return VTT_TYPE, found
    return _Blob(key=found.key, size_bytes=found.size_bytes, sha256=found.sha256, media_type=showing.MEDIA_TYPE)


def _wanted_part(scope: Scope, blob: _Blob) -> ByteRange | None:
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
