"""The service `Cache` of `contracts/cache.py`, on either engine."""

from __future__ import annotations

from collections import Counter, OrderedDict

import orjson
from prometheus_client import Counter as Metric

from streamgate.contracts.cache import (
    CacheEntry,
    CacheKey,
    CacheNamespace,
    CacheSet,
    CacheStats,
    Deleted,
    NamespaceStats,
    Stored,
)
from streamgate.errors import FieldError, Invalid, TooLarge
from streamgate_cache.engines import Engine, Found

MAX_KEY_CHARS = 512
MAX_TTL_S = 366 * 24 * 3600.0
MAX_COUNTED = 200
"""Namespaces whose reads are counted apart: those read last."""

READS = Metric("streamgate_cache_reads_total", "Reads of the cache service.", ["outcome"])
HITS, MISSES = READS.labels("hit"), READS.labels("miss")


class CacheService:
    """Args:
    max_value_bytes: largest value, as JSON.
    default_ttl_s: for what is set without a time to live.
    """

    def __init__(self, engine: Engine, *, max_value_bytes: int, default_ttl_s: float) -> None:
        self._engine = engine
        self._max_value_bytes = max_value_bytes
        self._default_ttl_s = default_ttl_s
        self._reads = Counter[bool]()
        self._by_namespace: OrderedDict[str, Counter[bool]] = OrderedDict()

    async def get(self, key: CacheKey) -> CacheEntry:
        _check(key.namespace, key.key)
        found = await self._engine.get(key.namespace, key.key)
        self._count(key.namespace, isinstance(found, Found))
        if not isinstance(found, Found):
            return CacheEntry(key=key.key, found=False, stamp=found.stamp)
        value = orjson.loads(found.payload)
        return CacheEntry(key=key.key, found=True, value=value, ttl_s=found.ttl_s, stamp=found.stamp)

    async def set(self, entry: CacheSet) -> Stored:
        """Raises Invalid (`request.invalid`) for a key or time to live out of range, TooLarge for a large value."""
        _check(entry.namespace, entry.key)
        ttl_s = self._default_ttl_s if entry.ttl_s is None else entry.ttl_s
        if not 0 < ttl_s <= MAX_TTL_S:
            raise Invalid(errors=(FieldError("ttl_s", f"must be more than 0 and at most {MAX_TTL_S:.0f}"),))
        payload = orjson.dumps(entry.value)
        if len(payload) > self._max_value_bytes:
            raise TooLarge(f"the value of {entry.key!r} is {len(payload)} bytes; the limit is {self._max_value_bytes}")
        stored = await self._engine.set(entry.namespace, entry.key, payload, ttl_s, entry.stamp)
        return Stored(key=entry.key, stored=stored)

    async def delete(self, key: CacheKey) -> Deleted:
        _check(key.namespace, key.key)
        return Deleted(deleted=await self._engine.delete(key.namespace, key.key))

    async def clear(self, wanted: CacheNamespace) -> None:
        _check(wanted.namespace)
        await self._engine.clear(wanted.namespace)

    async def stats(self) -> CacheStats:
        usage = await self._engine.usage()
        asked = self._reads.total()
        names = sorted(usage.namespaces.keys() | self._by_namespace.keys())[:MAX_COUNTED]
        return CacheStats(
            hits=self._reads[True],
            misses=self._reads[False],
            hit_ratio=round(self._reads[True] / asked, 4) if asked else 0.0,
            entries=usage.entries,
            bytes=usage.size_bytes,
            evictions=usage.evictions,
            engine=self._engine.name,
            namespaces=tuple(self._of(name, usage.namespaces.get(name)) for name in names),
        )

    def _of(self, namespace: str, usage: tuple[int, int] | None) -> NamespaceStats:
        reads = self._by_namespace.get(namespace, Counter())
        entries, size_bytes = usage or (None, None)
        return NamespaceStats(
            namespace=namespace, hits=reads[True], misses=reads[False], entries=entries, bytes=size_bytes
        )

    def _count(self, namespace: str, is_hit: bool) -> None:
        (HITS if is_hit else MISSES).inc()
        self._reads[is_hit] += 1
        reads = self._by_namespace.get(namespace)
        if reads is None:
            reads = self._by_namespace[namespace] = Counter()
            if len(self._by_namespace) > MAX_COUNTED:
                self._by_namespace.popitem(last=False)
        else:
            self._by_namespace.move_to_end(namespace)
        reads[is_hit] += 1


def _check(namespace: str, key: str = "-") -> None:
    for field, value in (("key", key), ("namespace", namespace)):
        if not 1 <= len(value) <= MAX_KEY_CHARS:
            raise Invalid(errors=(FieldError(field, f"must have 1 to {MAX_KEY_CHARS} characters"),))
