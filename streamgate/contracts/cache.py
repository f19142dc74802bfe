"""Cache: values that may be lost at any time. Loss loses no data and opens no gate.

Who keeps what others change goes by `sdk.cache.Cached`; the service below is what lies behind it.
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from streamgate.errors import NotFound, Unavailable
from streamgate.events import Topic
from streamgate.services import ServiceRef, method


class KeyMissing(NotFound):
    code, title = "cache.missing", "Nothing is cached under this key"


class CacheUnavailable(Unavailable):
    """The store behind the cache cannot be reached: reading finds nothing and setting keeps nothing meanwhile, but
    deleting cannot be promised."""

    code, title = "cache.unavailable", "The cache is unavailable"


@attrs.frozen(kw_only=True)
class CacheKey:
    key: str  # 1 to 512 characters
    namespace: str = "default"


@attrs.frozen(kw_only=True)
class CacheSet:
    """`value` is any JSON, at most `cache.max_value_bytes` encoded. `ttl_s` None keeps it for `cache.default_ttl_s`.

    With the `stamp` of an earlier `get` it is kept only if nothing in the namespace was deleted since: a value read
    before a change is never kept after it.
    """

    key: str
    value: Any
    ttl_s: float | None = None
    namespace: str = "default"
    stamp: str = ""


@attrs.frozen(kw_only=True)
class CacheEntry:
    """`stamp` is for a `set` that follows a miss; empty where nothing can be kept now."""

    key: str
    found: bool
    value: Any = None
    ttl_s: float | None = None
    stamp: str = ""


@attrs.frozen(kw_only=True)
class CacheNamespace:
    namespace: str = "default"


@attrs.frozen(kw_only=True)
class NamespaceStats:
    """`entries` and `bytes` are None where the engine does not count them by namespace (Redis)."""

    namespace: str
    hits: int
    misses: int
    entries: int | None = None
    bytes: int | None = None


@attrs.frozen(kw_only=True)
class CacheStats:
    """Hits and misses are of this process since its start. On Redis `entries`, `bytes` and `evictions` are those of
    the whole Redis database, and 0 while it cannot be reached."""

    hits: int
    misses: int
    hit_ratio: float
    entries: int
    bytes: int
    evictions: int
    engine: str
    namespaces: tuple[NamespaceStats, ...] = ()


@attrs.frozen(kw_only=True)
class Stored:
    """`stored` False: it may not be kept (a stamp that is over, a store that is away); ask the source again."""

    key: str
    stored: bool


@attrs.frozen(kw_only=True)
class Deleted:
    deleted: bool


class Cache(Protocol):
    @method(timeout_s=2, idempotent=True)
    async def get(self, key: CacheKey) -> CacheEntry: ...

    @method(timeout_s=2, idempotent=True)
    async def set(self, entry: CacheSet) -> Stored: ...

    @method(timeout_s=2, idempotent=True)
    async def delete(self, key: CacheKey) -> Deleted:
        """Raises CacheUnavailable."""

    @method(timeout_s=2, idempotent=True)
    async def clear(self, wanted: CacheNamespace) -> None:
        """Forgets a namespace, however large, at once. Raises CacheUnavailable."""

    @method(timeout_s=2, idempotent=True)
    async def stats(self) -> CacheStats: ...


CACHE = ServiceRef("cache", Cache)


@attrs.frozen(kw_only=True)
class CacheDropped:
    """Something that processes keep copies of has changed. No `keys`: everything in the namespace."""

    namespace: str
    keys: tuple[str, ...]
    sender: str


CACHE_DROPPED = Topic("cache.dropped", CacheDropped)
