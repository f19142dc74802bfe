"""The service `Cache` of `contracts/cache.py` on the memory engine."""

from __future__ import annotations

import orjson

from streamgate.contracts.cache import CacheEntry, CacheKey, CacheSet, CacheStats, Deleted
from streamgate.errors import FieldError, Invalid, TooLarge
from streamgate_cache.memory import MemoryCache, Name

MAX_KEY_CHARS = 512
MAX_TTL_S = 366 * 24 * 3600.0


class CacheService:
    """Args:
    max_value_bytes: largest value, as JSON.
    """

    def __init__(self, memory: MemoryCache, *, max_value_bytes: int) -> None:
        self._memory = memory
        self._max_value_bytes = max_value_bytes

    async def get(self, key: CacheKey) -> CacheEntry:
        kept = self._memory.get(_name(key.namespace, key.key))
        if kept is None:
            return CacheEntry(key=key.key, found=False)
        return CacheEntry(
            key=key.key, found=True, value=orjson.loads(kept.payload), ttl_s=self._memory.remaining_s(kept)
        )

    async def set(self, entry: CacheSet) -> None:
        """Raises Invalid (`request.invalid`) for a key or time to live out of range, TooLarge for a large value."""
        name = _name(entry.namespace, entry.key)
        if entry.ttl_s is not None and not 0 < entry.ttl_s <= MAX_TTL_S:
            raise Invalid(errors=(FieldError("ttl_s", f"must be more than 0 and at most {MAX_TTL_S:.0f}"),))
        payload = orjson.dumps(entry.value)
        if len(payload) > self._max_value_bytes:
            raise TooLarge(f"the value of {entry.key!r} is {len(payload)} bytes; the limit is {self._max_value_bytes}")
        self._memory.set(name, payload, entry.ttl_s)

    async def delete(self, key: CacheKey) -> Deleted:
        return Deleted(deleted=self._memory.delete(_name(key.namespace, key.key)))

    async def stats(self) -> CacheStats:
        memory = self._memory
        asked = memory.hits + memory.misses
        return CacheStats(
            hits=memory.hits,
            misses=memory.misses,
            hit_ratio=round(memory.hits / asked, 4) if asked else 0.0,
            entries=len(memory),
            bytes=memory.size_bytes,
            evictions=memory.evictions,
            engine="memory",
        )


def _name(namespace: str, key: str) -> Name:
    for field, value in (("key", key), ("namespace", namespace)):
        if not 1 <= len(value) <= MAX_KEY_CHARS:
            raise Invalid(errors=(FieldError(field, f"must have 1 to {MAX_KEY_CHARS} characters"),))
    return namespace, key
