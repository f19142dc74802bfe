"""The cache service called in one process, beside the Redis driver itself on one real Redis (by turns), and with its
memory engine. Milliseconds a call, one at a time, values of 200 characters; `clear` of a namespace with 5,000 entries,
beside what a driver alone needs: UNLINK of as many keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

from redis.asyncio import Redis

from streamgate.contracts.cache import CacheKey, CacheNamespace, CacheSet
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.testing.servers import RedisServer
from streamgate_cache.memory import MemoryCache
from streamgate_cache.redis_engine import RedisCache
from streamgate_cache.service import CacheService
from tests.bench.figures import Figure, Row
from tests.bench.load import timed, timed_by_turns

CALLS = 4_000
CLEARED = 5_000
CLEARS = 3
AT_ONCE = 20
VALUE = "x" * 200


def _service(engine: MemoryCache | RedisCache) -> CacheService:
    return CacheService(engine, max_value_bytes=1_000_000, default_ttl_s=60)


async def _beside_redis(url: str) -> list[Row]:
    raw, engine = Redis.from_url(url), RedisCache(url)
    cache = _service(engine)
    entry, key, payload = CacheSet(key="k", value=VALUE, ttl_s=60), CacheKey(key="k"), VALUE.encode()
    await timed_by_turns(lambda: cache.set(entry), lambda: raw.set("raw", payload, px=60_000), 200)
    sets = await timed_by_turns(lambda: cache.set(entry), lambda: raw.set("raw", payload, px=60_000), CALLS)
    gets = await timed_by_turns(lambda: cache.get(key), lambda: raw.get("raw"), CALLS)
    clears = await _clears(cache)
    unlinks: list[float] = []
    for _ in range(CLEARS):
        names = [f"bench:{n}" for n in range(CLEARED)]
        await raw.mset(dict.fromkeys(names, payload))
        unlinks += await timed(lambda names=names: raw.unlink(*names), 1)  # type: ignore[misc]
    await raw.aclose()
    await engine.close()
    driver = "raw redis-py"
    rows: list[Row] = [
        Figure(name=name, unit="ms", ours=ours, peer=peer, peer_name=driver, limit=1, ratio_limit=1.3)
        for name, (ours, peer) in (("cache get, Redis", gets), ("cache set, Redis", sets))
    ]
    return [*rows, _cleared("Redis", clears, tuple(unlinks), f"{driver}, UNLINK")]


def _cleared(where: str, ours: tuple[float, ...], peer: tuple[float, ...], peer_name: str) -> Figure:
    name = f"cache clear of {CLEARED:,} entries, {where}"
    return Figure(name=name, unit="ms", ours=ours, peer=peer, peer_name=peer_name, limit=10)


async def _clears(cache: CacheService) -> tuple[float, ...]:
    took: list[float] = []
    for _ in range(CLEARS):
        for begin in range(0, CLEARED, AT_ONCE):
            numbers = range(begin, begin + AT_ONCE)
            await asyncio.gather(*(cache.set(CacheSet(key=str(n), value=n, namespace="full")) for n in numbers))
        took += await timed(lambda: cache.clear(CacheNamespace(namespace="full")), 1)
    return tuple(took)


async def _in_memory() -> list[Row]:
    cache = _service(MemoryCache(max_bytes=64 * 1024 * 1024, max_entries=100_000, clock=SYSTEM_CLOCK))
    entry, key = CacheSet(key="k", value=VALUE, ttl_s=60), CacheKey(key="k")
    plain: dict[str, object] = {}

    async def put() -> None:
        plain["k"] = VALUE

    async def get() -> object:
        return plain.get("k")

    async def clear() -> None:
        plain.update(dict.fromkeys(map(str, range(CLEARED))))
        plain.clear()

    sets = await timed_by_turns(lambda: cache.set(entry), put, CALLS)
    gets = await timed_by_turns(lambda: cache.get(key), get, CALLS)
    return [
        *(
            Figure(name=name, unit="ms", ours=ours, peer=peer, peer_name="a dict", limit=1)
            for name, (ours, peer) in (("cache get, memory", gets), ("cache set, memory", sets))
        ),
        _cleared("memory", await _clears(cache), await timed(clear, CLEARS), "a dict, filled and cleared"),
    ]


def measure(folder: Path) -> list[Row]:
    with RedisServer() as server:
        beside = asyncio.run(_beside_redis(server.url))
    return [*beside, *asyncio.run(_in_memory())]
