"""What an engine promises: one suite, and each passes it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.testing.servers import RedisServer
from streamgate.testing.wait import eventually
from streamgate_cache.engines import Engine, Found, Missed
from streamgate_cache.memory import MemoryCache
from streamgate_cache.redis_engine import RedisCache


@pytest.fixture(params=["memory", "redis"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    made: Engine
    if request.param == "memory":
        made = MemoryCache(max_bytes=1_000_000, max_entries=1000, clock=SYSTEM_CLOCK)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        made = RedisCache(server.url, timeout_s=10)
    yield made
    await made.close()


@pytest.fixture
def namespace() -> str:
    return uuid.uuid4().hex


async def value(engine: Engine, namespace: str, key: str = "k") -> bytes | None:
    found = await engine.get(namespace, key)
    return found.payload if isinstance(found, Found) else None


async def test_what_is_set_is_there_with_the_time_it_has_left(engine: Engine, namespace: str) -> None:
    assert await engine.set(namespace, "k", b"\x00 value \xff", 60, "") is True
    found = await engine.get(namespace, "k")
    assert isinstance(found, Found)
    assert found.payload == b"\x00 value \xff"
    assert 50 < found.ttl_s <= 60
    assert await value(engine, namespace, "other") is None


async def test_a_value_ends_with_its_time(engine: Engine, namespace: str) -> None:
    await engine.set(namespace, "k", b"1", 0.02, "")

    async def is_gone() -> bool | None:
        return await value(engine, namespace) is None or None

    await eventually(is_gone, every_s=0.01)


async def test_setting_again_replaces(engine: Engine, namespace: str) -> None:
    for payload in (b"1", b"", b"three"):
        assert await engine.set(namespace, "k", payload, 60, "")
        assert await value(engine, namespace) == payload


async def test_namespaces_are_apart_even_with_signs_of_the_engine(engine: Engine, namespace: str) -> None:
    names = [namespace, f"{namespace}}}:k:", f"{{{namespace}}}", f"{namespace}:k"]
    for number, name in enumerate(names):
        await engine.set(name, "k", str(number).encode(), 60, "")
    await engine.clear(names[1])
    assert [await value(engine, name) for name in names] == [b"0", None, b"2", b"3"]


async def test_clear_forgets_one_namespace_and_it_can_be_used_again(engine: Engine, namespace: str) -> None:
    for number in range(50):
        await engine.set(namespace, f"k{number}", b"1", 60, "")
    await engine.set(f"{namespace}-2", "k", b"kept", 60, "")
    await engine.clear(namespace)
    assert [await value(engine, namespace, f"k{number}") for number in range(50)] == [None] * 50
    assert await value(engine, f"{namespace}-2") == b"kept"
    await engine.set(namespace, "k1", b"new", 60, "")
    assert await value(engine, namespace, "k1") == b"new"


async def test_deleting_says_whether_something_was_there(engine: Engine, namespace: str) -> None:
    await engine.set(namespace, "k", b"1", 60, "")
    assert await engine.delete(namespace, "k") is True
    assert await engine.delete(namespace, "k") is False
    await engine.set(namespace, "k", b"1", 60, "")
    await engine.clear(namespace)
    assert await engine.delete(namespace, "k") is False


@pytest.mark.parametrize("change", ["delete", "delete another", "clear"])
async def test_what_was_read_before_a_change_is_not_kept_after_it(engine: Engine, namespace: str, change: str) -> None:
    missed = await engine.get(namespace, "k")
    assert isinstance(missed, Missed)
    if change == "clear":
        await engine.clear(namespace)
    else:
        await engine.delete(namespace, "k" if change == "delete" else "other")
    assert await engine.set(namespace, "k", b"old", 60, missed.stamp) is False
    assert await value(engine, namespace) is None
    fresh = await engine.get(namespace, "k")
    assert await engine.set(namespace, "k", b"new", 60, fresh.stamp) is True
    assert await value(engine, namespace) == b"new"


async def test_a_stamp_lasts_while_nothing_is_deleted(engine: Engine, namespace: str) -> None:
    missed = await engine.get(namespace, "k")
    await engine.set(namespace, "other", b"1", 60, "")
    await engine.delete(f"{namespace}-2", "k")
    assert await engine.set(namespace, "k", b"1", 60, missed.stamp) is True


async def test_many_at_once_do_not_mix(engine: Engine, namespace: str) -> None:
    async def one(number: int) -> None:
        await engine.set(namespace, str(number), str(number).encode(), 60, "")
        assert await value(engine, namespace, str(number)) == str(number).encode()

    await asyncio.gather(*(one(number) for number in range(100)))


async def test_usage_counts_what_is_kept(engine: Engine, namespace: str) -> None:
    before = await engine.usage()
    await engine.set(namespace, "k", b"x" * 10_000, 60, "")
    after = await engine.usage()
    assert after.entries > before.entries
    assert after.size_bytes > before.size_bytes
    assert await engine.probe() == engine.name
