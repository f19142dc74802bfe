"""Cache: values that may be lost at any time. Loss loses no data and opens no gate."""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from streamgate.errors import NotFound
from streamgate.services import ServiceRef, method


class KeyMissing(NotFound):
    code, title = "cache.missing", "Nothing is cached under this key"


@attrs.frozen(kw_only=True)
class CacheKey:
    key: str  # 1 to 512 characters
    namespace: str = "default"


@attrs.frozen(kw_only=True)
class CacheSet:
    """`value` is any JSON, at most 1 MiB encoded. `ttl_s` None keeps it until evicted."""

    key: str
    value: Any
    ttl_s: float | None = None
    namespace: str = "default"


@attrs.frozen(kw_only=True)
class CacheEntry:
    key: str
    found: bool
    value: Any = None
    ttl_s: float | None = None


@attrs.frozen(kw_only=True)
class CacheStats:
    hits: int
    misses: int
    hit_ratio: float
    entries: int
    bytes: int
    evictions: int
    engine: str


@attrs.frozen(kw_only=True)
class Deleted:
    deleted: bool


class Cache(Protocol):
    @method(timeout_s=2, idempotent=True)
    async def get(self, key: CacheKey) -> CacheEntry: ...

    @method(timeout_s=2, idempotent=True)
    async def set(self, entry: CacheSet) -> None: ...

    @method(timeout_s=2, idempotent=True)
    async def delete(self, key: CacheKey) -> Deleted: ...

    @method(timeout_s=2, idempotent=True)
    async def stats(self) -> CacheStats: ...


CACHE = ServiceRef("cache", Cache)
