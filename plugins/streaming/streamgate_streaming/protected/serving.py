"""`/api/v1/stream/m/{content}/{media version}/…`: encrypted segments, the same bytes for everybody, for ever.

    hls/{rendition}/init.mp4          clear: it holds no sample
    hls/{rendition}/{n}.m4s           AES-128
    cenc/{rendition}/init-{p}.mp4     names the key of period p
    cenc/{rendition}/{n}.m4s          CENC

Nobody is asked who they are: without a key it is noise, and keys are given by sessions alone. So any cache between here
and a viewer may keep it. Clear contents are not here, and are answered like those there are not.

What is not made yet is made for whoever asks, but only while somebody watches the content, and only so many at a time.
"""

from __future__ import annotations

import re
from functools import partial

from loguru import logger
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate.contracts.streaming import SegmentPending, SegmentUnknown
from streamgate.errors import Internal, StreamgateError
from streamgate.sdk.db import Database
from streamgate.sdk.playlists.presentation import Segment, Track
from streamgate.web.problems import MethodNotAllowed
from streamgate.web.request_id import request_id_of

from ..catalogue import Catalogue, Listing
from ..entities import SENT, SHARED, file_headers, has_it, preflight, problem, wanted_of
from ..loading import INIT, init_of
from ..pending import Pending
from ..responses import Plain
from ..session_repository import is_watched
from .content_keys import ContentKeys, Mode
from .packaging import Packaging, Sealed

MOST_WAITING = 32
"""Who wait for parts of one content that are not made yet, all of them together."""
MAX_AGE_S = 31_536_000
_METHODS = ("GET", "HEAD", "OPTIONS")
_FOR_EVER = f"public, max-age={MAX_AGE_S}, immutable".encode()
_RETRY_AFTER_S = 1

PREFIX = "/api/v1/stream/m"
_FILE = re.compile(
    re.escape(PREFIX) + r"/(?P<content>[A-Za-z0-9_-]{1,40})/(?P<version>[1-9][0-9]{0,8})/"
    r"(?:(?P<hls>hls)|cenc)/(?P<track>[a-z0-9][a-z0-9_-]{0,31})/"
    r"(?:(?P<head>init\.mp4)|init-(?P<period>0|[1-9][0-9]{0,6})\.mp4|(?P<n>0|[1-9][0-9]{0,6})\.m4s)"
)


class Serving:
    """The ASGI application."""

    def __init__(self, db: Database, catalogue: Catalogue, packaging: Packaging, pending: Pending) -> None:
        self._db = db
        self._catalogue = catalogue
        self._packaging = packaging
        self._pending = pending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope)
        try:
            answer = await self._answer(scope, request_id)
        except StreamgateError as fault:
            answer = problem(fault, request_id)
        except Exception:
            logger.bind(request_id=request_id).exception("encrypted segment failed")
            answer = problem(Internal(), request_id)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, request_id: str) -> ASGIApp:
        common = [(b"x-request-id", request_id.encode()), *SHARED]
        method = scope["method"]
        if method == "OPTIONS":
            return preflight(common, _METHODS)
        if method not in _METHODS:
            raise MethodNotAllowed(f"the stream does not take {method}", allowed=_METHODS)
        sealed = await self._wanted(scope["path"], may_make=method != "HEAD")
        headers = [*common, *file_headers(f"{sealed.track.kind}/mp4", _FOR_EVER, sealed.etag)]
        if has_it(scope, sealed.etag):
            return Plain(304, headers, b"")
        data = await self._packaging.sealed(sealed)
        wanted = wanted_of(scope, headers, sealed.etag, len(data))
        if method == "HEAD":
            return Plain(wanted.status, wanted.headers, b"")
        SENT.inc(wanted.length_bytes)
        begin = 0 if wanted.part is None else wanted.part.first
        body = data if wanted.part is None else data[begin : begin + wanted.length_bytes]
        return Plain(wanted.status, wanted.headers, body)

    async def _wanted(self, path: str, *, may_make: bool) -> Sealed:
        """Raises SegmentUnknown, SegmentPending."""
        asked = _FILE.fullmatch(path)
        listing = None
        if asked is not None:
            listing = await self._catalogue.listing(asked["content"], int(asked["version"]))
        if asked is None or listing is None or listing.keys is None or not listing.is_encrypted:
            raise SegmentUnknown("no such file")
        mode: Mode = "hls" if asked["hls"] else "cenc"
        track = listing.whole.presentation.track(asked["track"])
        n = INIT if asked["n"] is None else int(asked["n"])
        period = _period(listing.keys, mode, asked)
        if track is None or n >= len(track.segments) or (n == INIT and period is None):
            raise SegmentUnknown("no such file")
        source = init_of(track) if n == INIT else track.segments[n]
        if not source.key:
            source = await self._made(listing, track, n, may_make=may_make)
        return Sealed(mode=mode, keys=listing.keys, track=track, source=source, period=period)

    async def _made(self, listing: Listing, track: Track, n: int, *, may_make: bool) -> Segment:
        if listing.plan is None:
            raise SegmentUnknown("this file is lost")
        if not may_make:
            raise SegmentPending("it is made when it is asked for", retry_after_s=_RETRY_AFTER_S)
        content_id = listing.plan.content_id
        found = self._pending.known(listing.plan, track.id, n)
        if found is not None:
            return found
        if not await self._db.read(partial(is_watched, content_id=content_id)):
            raise SegmentPending("it is made when somebody watches", retry_after_s=_RETRY_AFTER_S)
        whose = f"everybody of {content_id}"
        return await self._pending.made(listing.plan, track.id, n, session_id=whose, most=MOST_WAITING)


def _period(keys: ContentKeys, mode: Mode, asked: re.Match[str]) -> int | None:
    """Of an init segment; None for a media segment, and for one that there is not."""
    if mode == "hls":
        return 0 if asked["head"] else None
    period = None if asked["period"] is None else int(asked["period"])
    return period if period is not None and period < len(keys.starts) else None
