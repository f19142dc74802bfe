"""The service, and its words for bad input."""

from __future__ import annotations

import pytest

from streamgate.contracts.cache import CacheKey, CacheNamespace, CacheSet, NamespaceStats
from streamgate.errors import Invalid, StreamgateError, TooLarge
from streamgate.testing.clock import FakeClock
from streamgate_cache.memory import MemoryCache
from streamgate_cache.service import CacheService


def service(max_value_bytes: int = 100) -> CacheService:
    memory = MemoryCache(max_bytes=10_000, max_entries=10, clock=FakeClock())
    return CacheService(memory, max_value_bytes=max_value_bytes, default_ttl_s=50)


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


async def test_what_has_no_time_to_live_is_given_one() -> None:
    cache = service()
    await cache.set(CacheSet(key="k", value=1))
    assert (await cache.get(CacheKey(key="k"))).ttl_s == 50


async def test_a_namespace_is_cleared() -> None:
    cache = service()
    await cache.set(CacheSet(key="k", value=1, namespace="one"))
    await cache.clear(CacheNamespace(namespace="one"))
    assert (await cache.get(CacheKey(key="k", namespace="one"))).found is False
    with pytest.raises(Invalid):
        await cache.clear(CacheNamespace(namespace=""))


async def test_stats_count_hits_and_misses() -> None:
    cache = service()
    await cache.set(CacheSet(key="k", value=1))
    await cache.get(CacheKey(key="k"))
    await cache.get(CacheKey(key="absent"))
    stats = await cache.stats()
    assert (stats.hits, stats.misses, stats.hit_ratio, stats.entries, stats.engine) == (1, 1, 0.5, 1, "memory")
    assert stats.bytes == len("default") + len("k") + len("1")
    assert stats.namespaces == (NamespaceStats(namespace="default", hits=1, misses=1, entries=1, bytes=stats.bytes),)


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
