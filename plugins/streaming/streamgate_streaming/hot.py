"""Segments that many watch at once, in memory: read from the store once, however many ask.

A segment is kept from its second request on, so that one viewer's pass through a film pushes nothing out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from prometheus_client import Counter, Gauge

from streamgate.sdk.blobs import BlobStore

MAX_ITEM_BYTES = 8 << 20
_REMEMBERED = 8_192

_ASKED = Counter("streamgate_stream_hot_segments_total", "Segments asked of the memory.", ["result"])
_HELD = Gauge("streamgate_stream_hot_bytes", "Bytes of segments in memory.")


class HotSegments:
    """Args:
    capacity_bytes: kept at most; 0 keeps nothing.
    """

    def __init__(self, blobs: BlobStore, capacity_bytes: int) -> None:
        self._blobs = blobs
        self._capacity_bytes = capacity_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._held_bytes = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._loading: dict[str, asyncio.Task[bytes]] = {}

    async def get(self, key: str, size_bytes: int) -> bytes | None:
        """The whole blob; None where it is to be streamed from the store.

        Raises:
            BlobMissing, and what else the store raises.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            _ASKED.labels("hit").inc()
            return kept
        if not self._is_wanted(key, size_bytes):
            _ASKED.labels("passed").inc()
            return None
        _ASKED.labels("loaded").inc()
        return await self._once(key, lambda: self._blobs.read(key), is_kept=True)

    async def made(self, key: str, size_bytes: int, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What is made of a segment, once for all who ask meanwhile; kept by the same rule.

        Args:
            key: of what is made; no blob has it.

        Raises:
            What `make` raises.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            _ASKED.labels("hit").inc()
            return kept
        is_wanted = self._is_wanted(key, size_bytes)
        _ASKED.labels("loaded" if is_wanted else "passed").inc()
        return await self._once(key, make, is_kept=is_wanted)

    async def _once(self, key: str, make: Callable[[], Awaitable[bytes]], *, is_kept: bool) -> bytes:
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.create_task(self._load(key, make, is_kept=is_kept))
            loading.add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(loading)

    def _is_wanted(self, key: str, size_bytes: int) -> bool:
        if size_bytes > min(MAX_ITEM_BYTES, self._capacity_bytes):
            return False
        if key in self._seen or key in self._loading:
            return True
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False

    async def _load(self, key: str, make: Callable[[], Awaitable[bytes]], *, is_kept: bool) -> bytes:
        data = await make()
        if not is_kept:
            return data
        self._kept[key] = data
        self._held_bytes += len(data)
        while self._held_bytes > self._capacity_bytes:
            _, pushed_out = self._kept.popitem(last=False)
            self._held_bytes -= len(pushed_out)
        _HELD.set(self._held_bytes)
        return data
