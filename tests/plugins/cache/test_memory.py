"""The memory engine beyond the suite: bounded, least recently used first, expiring to the tick, exact in its books."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from streamgate.testing.clock import FakeClock
from streamgate_cache.engines import Found
from streamgate_cache.memory import MAX_STATES, MemoryCache


def cache(max_bytes: int = 1000, max_entries: int = 100, clock: FakeClock | None = None) -> MemoryCache:
    return MemoryCache(max_bytes=max_bytes, max_entries=max_entries, clock=clock or FakeClock())


async def has(memory: MemoryCache, namespace: str, key: str) -> bool:
    return isinstance(await memory.get(namespace, key), Found)


async def test_an_entry_lives_to_its_last_tick_and_no_longer() -> None:
    clock = FakeClock()
    memory = cache(clock=clock)
    await memory.set("n", "k", b"1", 10.0, "")
    clock.jump(9.999)
    assert await has(memory, "n", "k")
    clock.jump(0.001)
    assert not await has(memory, "n", "k")
    assert (memory.entries, memory.size_bytes) == (0, 0)


async def test_the_least_recently_used_entry_of_all_namespaces_goes_first() -> None:
    memory = cache(max_entries=3)
    for namespace, key in (("one", "a"), ("two", "b"), ("one", "c")):
        await memory.set(namespace, key, b"1", 60, "")
    assert await has(memory, "one", "a")
    await memory.set("three", "d", b"1", 60, "")
    assert [await has(memory, *name) for name in (("one", "a"), ("two", "b"), ("one", "c"), ("three", "d"))] == [
        True,
        False,
        True,
        True,
    ]
    assert memory.evictions == 1


async def test_what_is_larger_than_the_cache_takes_nothing_else_with_it() -> None:
    memory = cache(max_bytes=100)
    await memory.set("n", "small", b"1", 60, "")
    assert await memory.set("n", "large", b"x" * 200, 60, "") is False
    assert await has(memory, "n", "small")
    assert not await has(memory, "n", "large")


async def test_what_expired_was_not_there_to_delete() -> None:
    clock = FakeClock()
    memory = cache(clock=clock)
    await memory.set("n", "k", b"1", 1.0, "")
    clock.jump(2)
    assert await memory.delete("n", "k") is False


async def test_what_was_cleared_makes_room_before_anything_is_evicted() -> None:
    memory = cache(max_entries=100)
    for n in range(90):
        await memory.set("old", str(n), b"1", 60, "")
    await memory.clear("old")
    assert (memory.entries, memory.size_bytes) == (0, 0)
    for n in range(100):
        await memory.set("new", str(n), b"1", 60, "")
    assert [await has(memory, "new", str(n)) for n in range(100)] == [True] * 100
    assert (memory.evictions, memory._old) == (0, [])


async def test_stamps_stay_void_when_states_are_forgotten() -> None:
    memory = cache()
    missed = await memory.get("n", "k")
    await memory.delete("n", "k")
    for number in range(MAX_STATES):
        await memory.delete(str(number), "k")
    assert await memory.set("n", "k", b"old", 60, missed.stamp) is False


@given(st.lists(st.tuples(st.sampled_from("gsdc"), st.integers(0, 9), st.integers(0, 60)), max_size=80))
def test_the_books_always_balance(steps: list[tuple[str, int, int]]) -> None:
    async def run() -> None:
        memory = cache(max_bytes=120, max_entries=5)
        for step, key, size in steps:
            name = (f"n{key % 2}", str(key))
            if step == "s":
                await memory.set(*name, b"x" * size, 60, "")
            elif step == "d":
                await memory.delete(*name)
            elif step == "c":
                await memory.clear(name[0])
            else:
                await memory.get(*name)
            kept = [each for home in memory._namespaces.values() for each in home.entries.values()]
            assert memory.size_bytes == sum(each.size_bytes for each in kept) <= 120
            assert memory.entries == len(kept) <= 5
            old = [each for entries in memory._old for each in entries.values()]
            assert memory._old_bytes == sum(each.size_bytes for each in old) <= 120 - memory.size_bytes
            assert memory._old_entries == len(old) <= 5 - memory.entries
            assert all(home.entries for home in memory._namespaces.values())

    asyncio.run(run())
