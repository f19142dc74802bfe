"""Ciphertext, made from clear segments when somebody asks for it: nothing encrypted is ever stored.

The same segment gives the same bytes, always, so its address never has to change. It costs a read and about a
millisecond a megabyte, once for all who ask at a time; what several want stays in the memory of hot segments.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial

import attrs
from loguru import logger
from prometheus_client import Counter

from streamgate.contracts.streaming import SegmentUnknown
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.playlists.presentation import Segment, Track

from ..hot import HotSegments
from . import aes128, cenc
from .boxes import UnknownLayout
from .content_keys import ContentKeys, Mode

AT_ONCE = 8
"""Segments that are made side by side: each is in memory twice meanwhile."""
_HERE_BYTES = 256 << 10
"""Beyond, a thread does it, so that nobody else waits."""

_MADE = Counter("streamgate_stream_encrypted_bytes_total", "Bytes of media that were encrypted.", ["mode"])


@attrs.frozen(kw_only=True)
class Sealed:
    """What is asked for: a segment of a track, or with a `period` the init segment for it."""

    mode: Mode
    keys: ContentKeys
    track: Track
    source: Segment
    period: int | None = None

    @property
    def name(self) -> str:
        """The same for the same bytes; another one where the secret is another."""
        what = self.source.n if self.period is None else f"init-{self.period}"
        return f"{self.keys.media}{self.mode}/{self.track.id}/{what}"

    @property
    def etag(self) -> bytes:
        """Known before the bytes are: they follow from the clear ones and the address."""
        return f'"{hashlib.sha256(f"{self.name} {self.source.sha256}".encode()).hexdigest()[:32]}"'.encode()

    def made_from(self, clear: bytes) -> bytes:
        """Raises UnknownLayout."""
        keys, track = self.keys, self.track
        if self.period is not None:
            return cenc.encrypted_init(clear, keys.kid(track.id, self.period)) if self.mode == "cenc" else clear
        n = self.source.n
        period = keys.period_of(n)
        key = keys.key(self.mode, track.id, period)
        if self.mode == "hls":
            return aes128.encrypt(key, keys.iv(track.id, period), clear)
        counter, is_video = keys.first_counter(track.id), track.kind == "video"
        return cenc.encrypted_segment(clear, key=key, first_counter=counter, n=n, is_video=is_video)


class Packaging:
    def __init__(self, blobs: BlobStore, hot: HotSegments) -> None:
        self._blobs = blobs
        self._hot = hot
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def sealed(self, wanted: Sealed) -> bytes:
        """The ciphertext.

        Raises:
            SegmentUnknown: the clear segment is lost, or none that can be encrypted.
        """
        return await self._hot.made(wanted.name, wanted.source.size_bytes, partial(self._make, wanted))

    async def _make(self, wanted: Sealed) -> bytes:
        about = {"key": wanted.source.key, "mode": wanted.mode}
        async with self._at_once:
            try:
                clear = await self._blobs.read(wanted.source.key)
                if len(clear) <= _HERE_BYTES:
                    sealed = wanted.made_from(clear)
                else:
                    sealed = await asyncio.to_thread(wanted.made_from, clear)
            except BlobMissing as fault:
                logger.bind(**about).error("segment is indexed, but not in the blob store")
                raise SegmentUnknown("this file is lost") from fault
            except UnknownLayout as fault:
                logger.bind(**about, fault=str(fault)).error("segment cannot be encrypted")
                raise SegmentUnknown("this file is damaged") from fault
        _MADE.labels(wanted.mode).inc(len(sealed))
        return sealed
