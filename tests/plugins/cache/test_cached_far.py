"""Two processes that keep copies before one Redis: shared loads, and never an old value, with Redis or without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import attrs
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.cache import CacheKey
from streamgate.events import Events, EventsUnit
from streamgate.sdk.cache import FAR_PAUSE_S, Cached
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import bus_unit, running
from streamgate.testing.servers import RedisServer
from streamgate_cache.redis_engine import RedisCache
from streamgate_cache.service import CacheService


@attrs.frozen
class Thing:
    name: str


class Process:
    """A process with its own copies, its own bus (drops are heard by nobody else) and its own way to Redis."""

    def __init__(self, url: str, clock: FakeClock, truth: dict[str, str]) -> None:
        self.engine = RedisCache(url, clock=clock, timeout_s=5)
        self.far = CacheService(self.engine, max_value_bytes=1000, default_ttl_s=60)
        self.bus = MemoryBus()
        events = Events(self.bus, source="test")
        self.cached = Cached("test.far", Thing, events, ttl_s=0.001, far=self.far, far_ttl_s=3600, clock=clock)
        self.loads = 0
        self._truth = truth

    async def load(self) -> Thing | None:
        self.loads += 1
        return Thing(self._truth["k"])

    async def read(self) -> str:
        found = await self.cached.get_or_load("k", self.load)
        assert found is not None
        return found.name


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def truth() -> dict[str, str]:
    return {"k": "first"}


@pytest.fixture
async def pair(
    own_redis_server: RedisServer, clock: FakeClock, truth: dict[str, str]
) -> AsyncIterator[tuple[Process, Process]]:
    one, two = (Process(own_redis_server.url, clock, truth) for _ in range(2))
    async with (
        running(bus_unit(one.bus), EventsUnit(one.bus, one.cached.subscriptions(), needs=("bus",))),
        running(bus_unit(two.bus), EventsUnit(two.bus, two.cached.subscriptions(), needs=("bus",))),
    ):
        yield one, two
    await one.engine.close()
    await two.engine.close()


async def test_what_one_loaded_the_other_finds(pair: tuple[Process, Process], clock: FakeClock) -> None:
    one, two = pair
    assert await one.read() == await two.read() == "first"
    clock.jump(1)
    assert await one.read() == "first"
    assert (one.loads, two.loads) == (1, 0)


async def test_a_drop_is_a_drop_for_both(
    pair: tuple[Process, Process], truth: dict[str, str], clock: FakeClock
) -> None:
    one, two = pair
    await one.read()
    await two.read()
    truth["k"] = "second"
    await one.cached.drop("k")
    clock.jump(1)  # past the copies here: this bus tells the other process nothing
    assert await two.read() == await one.read() == "second"
    truth["k"] = "third"
    await two.cached.clear()
    clock.jump(1)
    assert await one.read() == "third"


async def test_redis_dies_and_comes_back(
    pair: tuple[Process, Process], truth: dict[str, str], clock: FakeClock, own_redis_server: RedisServer
) -> None:
    one, two = pair
    await one.read()
    await asyncio.to_thread(own_redis_server.kill)
    for name in ("second", "third"):
        truth["k"] = name
        await one.cached.drop("k")
        clock.jump(1)
        assert await one.read() == await two.read() == name
    await asyncio.to_thread(own_redis_server.restart)
    clock.jump(2 * FAR_PAUSE_S)
    loads = one.loads + two.loads
    assert await one.read() == await two.read() == "third"
    clock.jump(1)
    assert await one.read() == await two.read() == "third"
    assert one.loads + two.loads <= loads + 2
    assert (await one.far.get(CacheKey(key="k", namespace="test.far"))).value == {"name": "third"}


async def test_a_drop_that_did_not_reach_redis_holds_all_the_same(
    pair: tuple[Process, Process], truth: dict[str, str], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await one.read()

    async def cut(*parts: object, **options: object) -> None:
        raise OSError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(one.engine._redis, "execute_command", cut)
        patch.setattr(one.engine, "_command", cut)
        truth["k"] = "second"
        await one.cached.drop("k")
        assert await one.read() == "second"
    clock.jump(2 * FAR_PAUSE_S)
    assert await one.read() == "second"
    clock.jump(1)
    assert await two.read() == "second"
