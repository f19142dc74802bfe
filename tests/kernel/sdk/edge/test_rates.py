"""Buckets: one suite for memory and Redis, and what happens when Redis goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from streamgate.sdk.edge.rates import Limiter, MemoryRates, SharedRates, Spent
from streamgate.sdk.redis import open_redis
from streamgate.testing.attacks import attack
from streamgate.testing.servers import RedisServer

Spend = Callable[..., Awaitable[Spent]]


@pytest.fixture(params=["memory", "redis"])
async def spend(request: pytest.FixtureRequest) -> AsyncIterator[Spend]:
    if request.param == "memory":
        memory = MemoryRates()

        async def from_memory(key: str, per_minute: int) -> Spent:
            return memory.spend(key, per_minute)

        yield from_memory
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    redis = open_redis(server.url)
    shared = SharedRates(redis, prefix=f"{request.node.name}:")

    async def from_redis(key: str, per_minute: int) -> Spent:
        found = await shared.spend(key, per_minute)
        assert found is not None
        return found

    yield from_redis
    await redis.aclose()


async def test_a_minutes_worth_is_there_at_once_and_then_no_more(spend: Spend) -> None:
    """At 5 a minute the next one comes after 12 s, so the test is over before."""
    all_spent = [await spend("a", 5) for _ in range(6)]
    assert [each.is_allowed for each in all_spent] == [True] * 5 + [False]
    assert [each.remaining for each in all_spent] == [4, 3, 2, 1, 0, 0]
    assert {each.limit for each in all_spent} == {5}
    assert 11 < all_spent[0].reset_s <= 12
    assert 55 < all_spent[4].reset_s <= 60
    assert 5 < all_spent[5].retry_after_s <= 12
    assert (await spend("b", 5)).is_allowed


async def test_many_at_once_never_get_more_than_there_is(spend: Spend) -> None:
    found = await asyncio.gather(*(spend("a", 10) for _ in range(40)))
    assert sum(each.is_allowed for each in found) == 10


async def test_a_refused_request_costs_nothing(spend: Spend) -> None:
    for _ in range(3):
        last = await spend("a", 1)
    again = await spend("a", 1)
    assert again.retry_after_s <= last.retry_after_s


def test_the_bucket_refills_evenly() -> None:
    now = [1000.0]
    rates = MemoryRates(lambda: now[0])
    assert [rates.spend("a", 60).is_allowed for _ in range(61)] == [True] * 60 + [False]
    now[0] += 2.0
    assert [rates.spend("a", 60).is_allowed for _ in range(3)] == [True, True, False]
    now[0] += 3600
    assert rates.spend("a", 60).remaining == 59


@attack("B41")
def test_a_flood_of_addresses_takes_bounded_memory_and_frees_nobody_who_keeps_asking() -> None:
    rates = MemoryRates(lambda: 1000.0, max_keys=100)
    for number in range(1000):
        rates.spend("busy", 10)
        rates.spend(f"flood-{number}", 10)
    assert len(rates) == 100
    assert not rates.spend("busy", 10).is_allowed


async def test_redis_away_limits_each_process_and_comes_back(own_redis_server: RedisServer) -> None:
    now = [1000.0]
    redis = open_redis(own_redis_server.url)
    shared = SharedRates(redis, lambda: now[0])
    limiter = Limiter("address", shared, lambda: now[0])
    assert (await limiter.spend("a", 2)).remaining == 1
    own_redis_server.kill()
    during = [await limiter.spend("a", 2) for _ in range(3)]
    assert [each.is_allowed for each in during] == [True, True, False]
    own_redis_server.restart()
    now[0] += 10
    assert await shared.spend("b", 2) is not None
    await redis.aclose()


async def test_a_limit_is_shared_by_processes(redis_server: RedisServer) -> None:
    first, second = open_redis(redis_server.url), open_redis(redis_server.url)
    here: Any = Limiter("shared-by", SharedRates(first))
    there: Any = Limiter("shared-by", SharedRates(second))
    found = [(await each.spend("a", 4)).is_allowed for each in (here, there) * 3]
    assert found == [True, True, True, True, False, False]
    await first.aclose()
    await second.aclose()
