"""The service, and its words for bad input."""

from __future__ import annotations

import pytest

from streamgate.contracts.cache import CacheKey, CacheSet
from streamgate.errors import Invalid, StreamgateError, TooLarge
from streamgate.testing.clock import FakeClock
from streamgate_cache.memory import MemoryCache
from streamgate_cache.service import CacheService


def service(max_value_bytes: int = 100) -> CacheService:
    memory = MemoryCache(max_bytes=10_000, max_entries=10, clock=FakeClock())
    return CacheService(memory, max_value_bytes=max_value_bytes)


async def test_a_value_comes_back_as_it_was_and_later_changes_do_not_reach_it() -> None:
    cache = service()
    value = {"a": [1, 2.5, None, "ü"]}
    await cache.set(CacheSet(key="k", value=value, ttl_s=5))
    value["a"].append("more")
    entry = await cache.get(CacheKey(key="k"))
    assert (entry.found, entry.value, entry.ttl_s) == (True, {"a": [1, 2.5, None, "ü"]}, 5)


async def test_namespaces_are_apart() -> None:
    cache = service()
    await cache.set(CacheSet(key="k", value=1, namespace="one"))
    assert (await cache.get(CacheKey(key="k", namespace="two"))).found is False


async def test_stats_count_hits_and_misses() -> None:
    cache = service()
    await cache.set(CacheSet(key="k", value=1))
    await cache.get(CacheKey(key="k"))
    await cache.get(CacheKey(key="absent"))
    stats = await cache.stats()
    assert (stats.hits, stats.misses, stats.hit_ratio, stats.entries, stats.engine) == (1, 1, 0.5, 1, "memory")
    assert stats.bytes == len("default") + len("k") + len("1")


@pytest.mark.parametrize(
    ("entry", "expected", "words"),
    [
        (CacheSet(key="", value=1), Invalid, "key"),
        (CacheSet(key="k" * 513, value=1), Invalid, "key"),
        (CacheSet(key="k", value=1, namespace=""), Invalid, "namespace"),
        (CacheSet(key="k", value=1, ttl_s=0), Invalid, "ttl_s"),
        (CacheSet(key="k", value=1, ttl_s=-1), Invalid, "ttl_s"),
        (CacheSet(key="k", value=1, ttl_s=float("nan")), Invalid, "ttl_s"),
    ],
)
async def test_bad_input_names_the_field(entry: CacheSet, expected: type[StreamgateError], words: str) -> None:
    with pytest.raises(expected) as caught:
        await service().set(entry)
    assert [error.field for error in caught.value.errors] == [words]


async def test_a_large_value_is_refused_with_the_limit() -> None:
    with pytest.raises(TooLarge, match="limit is 100"):
        await service().set(CacheSet(key="k", value="x" * 200))
