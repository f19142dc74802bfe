"""The cache service beside the Redis driver itself, and its memory engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis

from streamgate.contracts.cache import CacheKey, CacheNamespace, CacheSet
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.testing.servers import RedisServer
from streamgate_cache.memory import MemoryCache
from streamgate_cache.redis_engine import RedisCache
from streamgate_cache.service import CacheService
from tests.bench.figures import Figure

CALLS = 4_000
CLEARED = 20_000
VALUE = "x" * 200


async def _one(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


def _service(engine: MemoryCache | RedisCache) -> CacheService:
    return CacheService(engine, max_value_bytes=1_000_000, default_ttl_s=60)


async def _beside_redis(url: str) -> list[Figure]:
    raw, engine = Redis.from_url(url), RedisCache(url)
    cache = _service(engine)
    entry, key, payload = CacheSet(key="k", value=VALUE, ttl_s=60), CacheKey(key="k"), VALUE.encode()
    gets: tuple[list[float], list[float]] = ([], [])
    sets: tuple[list[float], list[float]] = ([], [])
    for _ in range(CALLS):  # in turn, so that a drift of the machine's speed hits both
        sets[0].append(await _one(lambda: cache.set(entry)))
        sets[1].append(await _one(lambda: raw.set("raw", payload, px=60_000)))
        gets[0].append(await _one(lambda: cache.get(key)))
        gets[1].append(await _one(lambda: raw.get("raw")))
    clears = await _clears(cache)
    await raw.aclose()
    await engine.close()
    return [
        *_figures("cache get, Redis", gets),
        *_figures("cache set, Redis", sets),
        Figure(name=f"cache clear of {CLEARED:,} entries, Redis", unit="ms", ours=clears, limit=10.0),
    ]


def _figures(name: str, samples: tuple[list[float], list[float]]) -> list[Figure]:
    ours, raw = (tuple(each) for each in samples)
    beside = Figure(name=name, unit="ms", ours=ours, peer=raw, peer_name="raw redis-py", limit=1.0)
    return [beside, Figure(name="  times the driver alone", unit="×", ours=(beside.ratio or 0.0,), limit=1.3)]


async def _clears(cache: CacheService) -> tuple[float, ...]:
    took = []
    for _ in range(3):
        for n in range(CLEARED):
            await cache.set(CacheSet(key=str(n), value=n, namespace="full"))
        took.append(await _one(lambda: cache.clear(CacheNamespace(namespace="full"))))
    return tuple(took)


async def _in_memory() -> list[Figure]:
    cache = _service(MemoryCache(max_bytes=64 * 1024 * 1024, max_entries=100_000, clock=SYSTEM_CLOCK))
    entry, key = CacheSet(key="k", value=VALUE, ttl_s=60), CacheKey(key="k")
    sets = [await _one(lambda: cache.set(entry)) for _ in range(CALLS)]
    gets = [await _one(lambda: cache.get(key)) for _ in range(CALLS)]
    return [
        Figure(name="cache get, memory", unit="ms", ours=tuple(gets), limit=1.0),
        Figure(name="cache set, memory", unit="ms", ours=tuple(sets), limit=1.0),
        Figure(name=f"cache clear of {CLEARED:,} entries, memory", unit="ms", ours=await _clears(cache), limit=10.0),
    ]


def measure(folder: Path) -> list[Figure]:
    with RedisServer() as server:
        beside = asyncio.run(_beside_redis(server.url))
    return [*beside, *asyncio.run(_in_memory())]
