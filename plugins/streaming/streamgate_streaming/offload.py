"""Media bytes that do not come through this process: a proxy sends the store's file, or the store sends it itself.

    accel      `X-Accel-Redirect` names the file to the nginx in front, which alone can send it
    redirect   302 to an address of the store (S3), which is good for a minute at most

Who may have them is decided here all the same, at each request.
"""

from __future__ import annotations

from math import floor
from typing import Literal, Protocol

from starlette.types import ASGIApp

from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.blobs.base import StoreFault
from streamgate.sdk.clock import Clock

from .live import LiveSession
from .responses import Plain, RawHeaders

LONGEST_S = 60
_NO_STORE = (b"cache-control", b"private, no-store")
_EMPTY = (b"content-length", b"0")

Way = Literal["none", "accel", "redirect"]


class Offload(Protocol):
    async def answer(self, key: str, live: LiveSession, headers: RawHeaders, kept: RawHeaders) -> ASGIApp:
        """In place of the bytes under a key, which the session may have.

        Args:
            headers: every answer's.
            kept: those about the bytes.
        """


class Accel:
    """Args:
    prefix: what nginx' internal location begins with; the key follows.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()

    async def answer(self, key: str, live: LiveSession, headers: RawHeaders, kept: RawHeaders) -> ASGIApp:
        return Plain(200, [*headers, *kept, (b"x-accel-redirect", self._prefix + key.encode()), _EMPTY], b"")


class Redirect:
    """An address outlives its session by what is left of its lease, and never by more than a minute."""

    def __init__(self, blobs: BlobStore, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock

    async def answer(self, key: str, live: LiveSession, headers: RawHeaders, kept: RawHeaders) -> ASGIApp:
        left_s = floor(live.lease.until_s - self._clock.monotonic_s())
        url = await self._blobs.signed_url(key, method="GET", expires_s=max(1, min(LONGEST_S, left_s)))
        assert url is not None  # `open_offload` has asked
        return Plain(302, [*headers, _NO_STORE, (b"location", url.encode()), _EMPTY], b"")


def open_offload(way: Way, prefix: str, blobs: BlobStore, clock: Clock) -> Offload | None:
    """Raises StoreFault: this store cannot do it."""
    has_files = blobs.local_path("a") is not None
    if way == "accel":
        if not has_files:
            raise StoreFault("streaming.offload: accel is for blobs in files; with S3 say redirect, or none")
        return Accel(prefix)
    if way == "redirect":
        if has_files:
            raise StoreFault("streaming.offload: redirect is for blobs in S3; with files say accel, or none")
        return Redirect(blobs, clock)
    return None
