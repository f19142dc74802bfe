"""The memory engine: bounded, least recently used first, expiring to the tick."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamgate.testing.clock import FakeClock
from streamgate_cache.memory import MemoryCache

NAME = ("default", "key")


def cache(max_bytes: int = 1000, max_entries: int = 100, clock: FakeClock | None = None) -> MemoryCache:
    return MemoryCache(max_bytes=max_bytes, max_entries=max_entries, clock=clock or FakeClock())


def test_an_entry_lives_to_its_last_tick_and_no_longer() -> None:
    clock = FakeClock()
    memory = cache(clock=clock)
    memory.set(NAME, b"1", 10.0)
    clock.jump(9.999)
    assert memory.get(NAME) is not None
    clock.jump(0.001)
    assert memory.get(NAME) is None
    assert (len(memory), memory.size_bytes) == (0, 0)


def test_the_least_recently_used_entry_goes_first() -> None:
    memory = cache(max_entries=2)
    memory.set(("n", "a"), b"1", None)
    memory.set(("n", "b"), b"2", None)
    memory.get(("n", "a"))
    memory.set(("n", "c"), b"3", None)
    assert [memory.get(("n", key)) is not None for key in "abc"] == [True, False, True]
    assert memory.evictions == 1


def test_what_is_larger_than_the_cache_takes_nothing_else_with_it() -> None:
    memory = cache(max_bytes=100)
    memory.set(("n", "small"), b"1", None)
    memory.set(("n", "large"), b"x" * 200, None)
    assert memory.get(("n", "small")) is not None
    assert memory.get(("n", "large")) is None


def test_deleting_says_whether_something_was_there() -> None:
    clock = FakeClock()
    memory = cache(clock=clock)
    memory.set(NAME, b"1", 1.0)
    assert memory.delete(NAME) is True
    assert memory.delete(NAME) is False
    memory.set(NAME, b"1", 1.0)
    clock.jump(2)
    assert memory.delete(NAME) is False


@given(st.lists(st.tuples(st.sampled_from("gsd"), st.integers(0, 9), st.integers(0, 60)), max_size=80))
def test_the_books_always_balance(steps: list[tuple[str, int, int]]) -> None:
    memory = cache(max_bytes=120, max_entries=5)
    for step, key, size in steps:
        name = ("n", str(key))
        if step == "s":
            memory.set(name, b"x" * size, None)
        elif step == "d":
            memory.delete(name)
        else:
            memory.get(name)
        kept = [memory._entries[each] for each in memory._entries]
        assert memory.size_bytes == sum(each.size_bytes for each in kept) <= 120
        assert len(memory) <= 5
