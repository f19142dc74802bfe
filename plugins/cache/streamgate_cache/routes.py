"""Cache over HTTP, by the mission's paths; for admins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from streamgate.contracts.cache import (
    Cache,
    CacheKey,
    CacheNamespace,
    CacheSet,
    CacheStats,
    CacheUnavailable,
    Deleted,
    KeyMissing,
    Stored,
)
from streamgate.errors import TooLarge
from streamgate.web.routes import ADMIN, Call, Route

PREFIX = "/api/v1/cache"


@attrs.frozen(kw_only=True)
class SetBody:
    """`ttl_s` left out or null: as long as `cache.default_ttl_s` says."""

    key: str
    value: Any
    ttl_s: float | None = None
    namespace: str = "default"


@attrs.frozen(kw_only=True)
class Found:
    key: str
    value: Any
    ttl_s: float | None


class CacheRoutes:
    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/get",
                self.get,
                policy=ADMIN,
                query=CacheKey,
                answer=Found,
                summary="A cached value",
                errors=(KeyMissing,),
            ),
            Route(
                "POST",
                f"{PREFIX}/set",
                self.set,
                policy=ADMIN,
                body=SetBody,
                answer=Stored,
                summary="Cache a value",
                errors=(TooLarge,),
                max_body_bytes=2 * 1_048_576,
            ),
            Route(
                "DELETE",
                f"{PREFIX}/delete",
                self.delete,
                policy=ADMIN,
                query=CacheKey,
                answer=Deleted,
                summary="Forget a value",
                errors=(CacheUnavailable,),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/clear",
                self.clear,
                policy=ADMIN,
                query=CacheNamespace,
                status=204,
                summary="Forget a namespace",
                description="As quick for many entries as for few.",
                errors=(CacheUnavailable,),
            ),
            Route("GET", f"{PREFIX}/stats", self.stats, policy=ADMIN, answer=CacheStats, summary="Hits, misses, sizes"),
        ]

    async def get(self, call: Call[None, CacheKey]) -> Found:
        entry = await self._cache.get(call.query)
        if not entry.found:
            raise KeyMissing(f"nothing is cached under {call.query.key!r} in {call.query.namespace!r}")
        return Found(key=entry.key, value=entry.value, ttl_s=entry.ttl_s)

    async def set(self, call: Call[SetBody, None]) -> Stored:
        body = call.body
        entry = CacheSet(key=body.key, value=body.value, ttl_s=body.ttl_s, namespace=body.namespace)
        return await self._cache.set(entry)

    async def delete(self, call: Call[None, CacheKey]) -> Deleted:
        return await self._cache.delete(call.query)

    async def clear(self, call: Call[None, CacheNamespace]) -> None:
        await self._cache.clear(call.query)

    async def stats(self, call: Call[None, None]) -> CacheStats:
        return await self._cache.stats()
