"""Without Redis the cache is slower and never wrong: nothing waits, nothing old comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streamgate.contracts.cache import CACHE, CacheUnavailable
from streamgate.settings import Secret
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import house
from streamgate.testing.processes import free_port
from streamgate.testing.servers import RedisServer
from streamgate_cache.config import CacheConfig
from streamgate_cache.engines import Found, Missed
from streamgate_cache.redis_engine import PAUSE_S, RedisCache


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def engine(own_redis_server: RedisServer, clock: FakeClock) -> AsyncIterator[RedisCache]:
    made = RedisCache(own_redis_server.url, clock=clock, timeout_s=5)
    yield made
    await made.close()


async def test_reads_find_nothing_and_deletions_are_not_promised(
    engine: RedisCache, own_redis_server: RedisServer
) -> None:
    await engine.set("n", "k", b"1", 60, "")
    await asyncio.to_thread(own_redis_server.kill)
    assert await engine.get("n", "k") == Missed("")
    assert await engine.set("n", "k", b"1", 60, "") is False
    for asked in (engine.delete("n", "k"), engine.clear("n"), engine.probe()):
        with pytest.raises(CacheUnavailable):
            await asked
    assert (await engine.usage()).entries == 0


async def test_only_one_call_in_a_while_waits_for_an_absent_server(
    engine: RedisCache, own_redis_server: RedisServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    await asyncio.to_thread(own_redis_server.kill)
    execute = engine._command

    async def counted(*parts: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        return await execute(*parts, **options)

    monkeypatch.setattr(engine, "_command", counted)
    monkeypatch.setattr(engine._redis, "execute_command", counted)
    for _ in range(20):
        await engine.get("n", "k")
    assert asked == 1
    clock.jump(PAUSE_S)
    for _ in range(20):
        await engine.get("n", "k")
    assert asked == 2


async def test_a_deletion_that_was_lost_is_not_undone_when_it_comes_back(
    engine: RedisCache, own_redis_server: RedisServer, clock: FakeClock
) -> None:
    """The server keeps its values here, as after a cut connection or a snapshot: only this side lost it."""
    other = RedisCache(own_redis_server.url, timeout_s=5)
    await engine.set("n", "k", b"old", 60, "")
    reached, engine._redis = engine._redis, RedisCache(f"redis://127.0.0.1:{free_port()}", timeout_s=5)._redis
    with pytest.raises(CacheUnavailable):
        await engine.delete("n", "k")
    await engine._redis.aclose()
    engine._redis = reached
    clock.jump(PAUSE_S)
    assert isinstance(await engine.get("n", "k"), Missed)
    assert isinstance(await other.get("n", "k"), Missed)
    await engine.set("n", "k", b"new", 60, "")
    found = await other.get("n", "k")
    assert isinstance(found, Found)
    assert found.payload == b"new"
    await other.close()


async def test_it_goes_on_after_a_restart(engine: RedisCache, own_redis_server: RedisServer, clock: FakeClock) -> None:
    await engine.set("n", "k", b"1", 60, "")
    await asyncio.to_thread(own_redis_server.kill)
    assert isinstance(await engine.get("n", "k"), Missed)
    await asyncio.to_thread(own_redis_server.restart)
    clock.jump(PAUSE_S)
    assert await engine.set("n", "k", b"2", 60, "") is True
    found = await engine.get("n", "k")
    assert isinstance(found, Found)
    assert found.payload == b"2"


async def test_being_without_it_is_shown_and_makes_nothing_unready(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = CacheConfig(url=Secret(f"redis://127.0.0.1:{free_port()}"))
    async with house(tmp_path_factory.mktemp("house"), ["cache"], configs={"cache": config}) as home:
        [check] = home.plugins["cache"].collect_checks()
        assert check.critical is False
        with pytest.raises(CacheUnavailable):
            await check.probe()
        assert (await home.services.get(CACHE).stats()).engine == "redis"
