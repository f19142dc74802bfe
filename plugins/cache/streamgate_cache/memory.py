"""The memory engine: least recently used goes first, bounded by bytes and by entries.

Values are kept encoded: what a caller does to its own copy later changes nothing here, and the bytes are
counted as they are.
"""

from __future__ import annotations

from collections import OrderedDict

import attrs

from streamgate.sdk.clock import Clock

Name = tuple[str, str]  # namespace, key


@attrs.frozen
class Kept:
    """`expires_at_s` on the monotonic clock; None: until it is evicted."""

    payload: bytes
    expires_at_s: float | None
    size_bytes: int


@attrs.define
class MemoryCache:
    max_bytes: int
    max_entries: int
    clock: Clock
    hits: int = 0
    misses: int = 0
    evictions: int = 0
    size_bytes: int = 0
    _entries: OrderedDict[Name, Kept] = attrs.field(factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: Name) -> Kept | None:
        """The entry, now the most recently used one; None when it is not there or has expired."""
        kept = self._entries.get(name)
        if kept is not None and self._has_expired(kept):
            self._drop(name)
            kept = None
        if kept is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(name)
        return kept

    def set(self, name: Name, payload: bytes, ttl_s: float | None) -> None:
        """Replaces what was there. What is larger than the whole cache is not kept at all."""
        self.delete(name)
        size_bytes = len(payload) + sum(len(part.encode()) for part in name)
        if size_bytes > self.max_bytes:
            self.evictions += 1
            return
        expires_at_s = None if ttl_s is None else self.clock.monotonic_s() + ttl_s
        self._entries[name] = Kept(payload, expires_at_s, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self.max_bytes or len(self._entries) > self.max_entries:
            self._drop(next(iter(self._entries)))
            self.evictions += 1

    def delete(self, name: Name) -> bool:
        """Whether there was something that had not expired."""
        kept = self._entries.get(name)
        if kept is None:
            return False
        self._drop(name)
        return not self._has_expired(kept)

    def remaining_s(self, kept: Kept) -> float | None:
        return None if kept.expires_at_s is None else kept.expires_at_s - self.clock.monotonic_s()

    def _has_expired(self, kept: Kept) -> bool:
        return kept.expires_at_s is not None and self.clock.monotonic_s() >= kept.expires_at_s

    def _drop(self, name: Name) -> None:
        self.size_bytes -= self._entries.pop(name).size_bytes
