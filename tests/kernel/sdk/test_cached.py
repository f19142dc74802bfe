"""Values kept in a process: one load for a crowd, and nothing old after a drop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import attrs
import pytest

from streamgate.bus import open_bus
from streamgate.bus.base import Bus
from streamgate.bus.memory import MemoryBus
from streamgate.context import CallContext, use_call
from streamgate.errors import DeadlineExceeded, NotFound
from streamgate.events import Events, EventsUnit
from streamgate.sdk.cache import Cached
from streamgate.testing.clock import FakeClock, settle
from streamgate.testing.context import bus_unit, running
from streamgate.testing.servers import NatsServer
from streamgate.testing.wait import eventually


@attrs.frozen
class Thing:
    name: str


class Source:
    """What is true, and how often it was asked. `gate` holds loads back."""

    def __init__(self) -> None:
        self.name = "first"
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self) -> Thing | None:
        self.loads += 1
        found = Thing(self.name)
        await self.gate.wait()
        return found


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def cached(clock: FakeClock) -> AsyncIterator[Cached[Thing]]:
    bus = MemoryBus()
    made = Cached("test.things", Thing, Events(bus, source="test"), ttl_s=5, max_entries=3, clock=clock)
    async with running(bus_unit(bus), EventsUnit(bus, made.subscriptions(), needs=("bus",))):
        yield made


async def test_a_hundred_that_miss_at_once_load_once(cached: Cached[Thing], source: Source) -> None:
    source.gate.clear()
    asked = [asyncio.create_task(cached.get_or_load("k", source.load)) for _ in range(100)]
    await settle()
    source.gate.set()
    assert await asyncio.gather(*asked) == [Thing("first")] * 100
    assert source.loads == 1
    assert await cached.get_or_load("k", source.load) == Thing("first")
    assert source.loads == 1


async def test_a_value_is_loaded_again_after_its_time(cached: Cached[Thing], source: Source, clock: FakeClock) -> None:
    await cached.get_or_load("k", source.load)
    clock.jump(4.9)
    await cached.get_or_load("k", source.load)
    assert source.loads == 1
    clock.jump(0.1)
    await cached.get_or_load("k", source.load)
    assert source.loads == 2


async def test_nothing_old_after_a_drop(cached: Cached[Thing], source: Source) -> None:
    await cached.get_or_load("k", source.load)
    source.name = "second"
    await cached.drop("k")
    assert await cached.get_or_load("k", source.load) == Thing("second")


@pytest.mark.parametrize("keys", [("k",), ()])
async def test_a_load_that_began_before_a_drop_is_kept_for_nobody(
    cached: Cached[Thing], source: Source, keys: tuple[str, ...]
) -> None:
    source.gate.clear()
    early = asyncio.create_task(cached.get_or_load("k", source.load))
    await settle()
    source.name = "second"
    await cached.drop(*keys)
    late = asyncio.create_task(cached.get_or_load("k", source.load))
    await settle()
    source.gate.set()
    assert (await early, await late) == (Thing("first"), Thing("second"))
    assert await cached.get_or_load("k", source.load) == Thing("second")
    assert source.loads == 2


async def test_what_is_not_there_and_what_fails_is_not_kept(cached: Cached[Thing], source: Source) -> None:
    async def nothing() -> Thing | None:
        return None

    async def fault() -> Thing | None:
        raise NotFound("k")

    assert await cached.get_or_load("k", nothing) is None
    with pytest.raises(NotFound):
        await cached.get_or_load("k", fault)
    assert await cached.get_or_load("k", source.load) == Thing("first")


async def test_one_who_gives_up_takes_the_load_from_nobody(cached: Cached[Thing], source: Source) -> None:
    source.gate.clear()
    with use_call(CallContext(request_id="r", deadline_s=0.0)):
        first = asyncio.create_task(cached.get_or_load("k", source.load))
    await settle()
    second = asyncio.create_task(cached.get_or_load("k", source.load))
    await settle()
    first.cancel()
    await settle()
    source.gate.set()
    assert await second == Thing("first")
    assert source.loads == 1


async def test_a_load_outlives_the_deadline_of_who_began_it(cached: Cached[Thing]) -> None:
    from streamgate.context import current_call

    async def load() -> Thing | None:
        if current_call().deadline_s is not None:
            raise DeadlineExceeded("k")
        return Thing(current_call().request_id)

    with use_call(CallContext(request_id="r", deadline_s=0.0)):
        assert await cached.get_or_load("k", load) == Thing("r")


async def test_the_least_recently_used_goes_first(cached: Cached[Thing], source: Source) -> None:
    for key in ("a", "b", "c", "a", "d"):
        await cached.get_or_load(key, source.load)
    assert (len(cached), source.loads) == (3, 4)
    await cached.get_or_load("a", source.load)
    assert source.loads == 4
    await cached.get_or_load("b", source.load)
    assert source.loads == 5


async def test_another_process_hears_of_a_drop_and_drops_all_after_a_gap(nats_server: NatsServer) -> None:
    source = Source()
    buses: list[Bus] = [open_bus(nats_server.url, name=name) for name in ("one", "two")]
    here, there = (Cached("test.nats", Thing, Events(bus, source="test"), ttl_s=3600) for bus in buses)

    async def knows(cached: Cached[Thing], name: str) -> bool | None:
        return await cached.get_or_load("k", source.load) == Thing(name) or None

    def of(name: str) -> Callable[[], Awaitable[bool | None]]:
        return lambda: knows(there, name)

    async with (
        running(bus_unit(buses[0]), EventsUnit(buses[0], here.subscriptions(), needs=("bus",))),
        running(bus_unit(buses[1]), EventsUnit(buses[1], there.subscriptions(), needs=("bus",))),
    ):
        for cached in (here, there):
            await cached.get_or_load("k", source.load)
        for name, keys in (("second", ("k",)), ("third", ())):
            source.name = name
            await here.drop(*keys)
            assert await knows(here, name)
            await eventually(of(name), every_s=0.005)
        await there._resync()
        assert len(there) == 0
