"""`/api/v1/stream/s/{token}/…`: playlists, manifests and media bytes, as a raw ASGI application.

    token → session id      one HMAC, no look-up for garbage
    session id → session    one look-up in memory (`Sessions.admit`)
    path → file             the one rule below; ids and numbers, never a path of the store

The token in the path is the only credential: no cookie and no header is read, so any origin may fetch (CORS `*`)
without gaining what it could not fetch itself. Nothing here may be kept by a shared cache. Segments may be kept by
the viewer's own, but are asked for again each time (`no-cache`), so that an ended session is noticed.

Of an encrypted content a session gets texts and keys here, and its segments elsewhere (`protected/serving.py`); clear
ones only where nothing but the beginning is open, since a key would open more.
"""

from __future__ import annotations

from typing import Protocol

import attrs
from loguru import logger
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate.contracts.streaming import SegmentPending, SegmentUnknown, SessionUnknown
from streamgate.errors import Internal, StreamgateError
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.web.problems import MethodNotAllowed
from streamgate.web.request_id import request_id_of

from .catalogue import LICENCE, Catalogue
from .entities import SENT, SHARED, file_headers, has_it, preflight, problem, wanted_of
from .files import FILE, PREFIX, Admitted, Blob, Unmade, blob_of
from .hot import HotSegments
from .live import LiveSession
from .offload import Offload
from .pending import Pending
from .protected.granting import MAX_LICENCE_BYTES, Granting
from .responses import Plain, RawHeaders, Streamed, read_body
from .saying import Saying

OF_CONTENT = "streamgate.stream.content_id"
"""Where a scope may name the content the session must be of."""

_METHODS = ("GET", "HEAD", "OPTIONS")
_LICENCE_METHODS = ("POST", "OPTIONS")
_NO_STORE = b"private, no-store"
_REVALIDATE = b"private, no-cache"

KEY_TYPE, LICENCE_TYPE = "application/octet-stream", "application/json"
_LICENCE = "/licence"


class TokenReader(Protocol):
    def read(self, token: str) -> str | None: ...


class Doorkeeper(Protocol):
    async def admit(self, session_id: str) -> LiveSession: ...


class Delivery:
    """The ASGI application.

    Args:
        public_url: of the server, without a `/` at its end; empty: players are told paths.
    """

    def __init__(
        self,
        tokens: TokenReader,
        sessions: Doorkeeper,
        catalogue: Catalogue,
        blobs: BlobStore,
        hot: HotSegments,
        pending: Pending,
        saying: Saying,
        granting: Granting,
        offload: Offload | None = None,
        *,
        public_url: str = "",
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._catalogue = catalogue
        self._blobs = blobs
        self._hot = hot
        self._pending = pending
        self._saying = saying
        self._granting = granting
        self._offload = offload
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope)
        try:
            answer = await self._answer(scope, receive, request_id)
        except StreamgateError as fault:
            answer = problem(fault, request_id)
        except ClientDisconnect:
            return
        except Exception:
            logger.bind(request_id=request_id).exception("stream request failed")
            answer = problem(Internal(), request_id)
        await answer(scope, receive, send)

    def licence_url(self, token: str) -> str:
        """Where a manifest says that keys are: players take it as it stands, wherever their page is from."""
        return f"{self._public_url}{PREFIX}/{token}{_LICENCE}"

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> ASGIApp:
        common = [(b"x-request-id", request_id.encode()), *SHARED]
        method = scope["method"]
        is_licence = scope["path"].endswith(_LICENCE)
        methods = _LICENCE_METHODS if is_licence else _METHODS
        if method == "OPTIONS":
            return preflight(common, methods, takes_body=is_licence)
        if method not in methods:
            raise MethodNotAllowed(f"the stream does not take {method} here", allowed=methods)
        body = await read_body(receive, MAX_LICENCE_BYTES) if is_licence else b""
        admitted = await self.admit(scope["path"], scope.get(OF_CONTENT, ""))
        if admitted.is_licence:
            return _text(common, LICENCE_TYPE, self._granting.licence(admitted.listing, admitted.live, body))
        if admitted.asked["key"]:
            return _text(common, KEY_TYPE, self._granting.key(admitted))
        found = await self.opened(admitted)
        near = admitted.live.at_n + 1
        if admitted.asked["n"]:
            admitted.live.at_n = int(admitted.asked["n"])
        if isinstance(found, Unmade):
            if method == "HEAD":
                raise SegmentPending("it is made when it is asked for", retry_after_s=1)
            found = await self._made(admitted, found, near)
        if isinstance(found, Blob):
            return await self._blob(scope, common, found, admitted.live)
        media_type, text = found
        if admitted.live.is_sealed and admitted.asked["top"] == "manifest.mpd":
            text = text.replace(LICENCE.encode(), self.licence_url(admitted.asked["token"]).encode())
        return _text(common, media_type, text)

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
        listing = await self._catalogue.for_session(live.content_id, live.media_version, is_sealed=live.is_sealed)
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

    async def _made(self, admitted: Admitted, wanted: Unmade, near: int) -> Blob:
        """`near`: the segment that the session asks for next, if it plays on: who changes to another rendition asks for
        its head before."""
        plan, live = admitted.listing.plan, admitted.live
        if plan is None:
            raise SegmentUnknown("this file is lost")
        made = await self._pending.made(plan, wanted.track.id, wanted.n, session_id=live.session_id, near=near)
        now = attrs.evolve(admitted, live=await self._sessions.admit(live.session_id))
        now.opened()  # it may be over, or narrower, meanwhile
        return blob_of(wanted.track, made.key, made.size_bytes, made.sha256)

    async def _blob(self, scope: Scope, common: RawHeaders, blob: Blob, live: LiveSession) -> ASGIApp:
        about = file_headers(blob.media_type, _NO_STORE if live.is_sealed else _REVALIDATE, blob.etag)
        headers = [*common, *about]
        if has_it(scope, blob.etag):
            return Plain(304, headers, b"")
        wanted = wanted_of(scope, headers, blob.etag, blob.size_bytes)
        status, headers, part, length = wanted.status, wanted.headers, wanted.part, wanted.length_bytes
        if scope["method"] == "HEAD":
            return Plain(status, headers, b"")
        SENT.inc(length)
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


def _text(common: RawHeaders, media_type: str, body: bytes) -> Plain:
    headers = [
        *common,
        (b"content-type", media_type.encode()),
        (b"cache-control", _NO_STORE),
        (b"content-length", b"%d" % len(body)),
    ]
    return Plain(200, headers, body)
