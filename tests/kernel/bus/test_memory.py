"""What only the memory bus promises: publishing lasts until the groups are done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streamgate.bus import lanes
from streamgate.bus.base import BusUnavailable, RetryPolicy
from streamgate.bus.memory import MemoryBus
from streamgate.errors import Unavailable


async def test_publish_returns_when_each_group_has_handled_it(running: Any, subject: str) -> None:
    bus = MemoryBus()
    async with running(bus):
        may_end = asyncio.Event()
        handled: list[bytes] = []

        async def quick(payload: bytes) -> None:
            handled.append(payload)

        async def slow(payload: bytes) -> None:
            await may_end.wait()
            handled.append(payload)

        await bus.subscribe_group(subject, "quick", quick)
        await bus.subscribe_group(subject, "slow", slow)
        publishing = asyncio.create_task(bus.publish(subject, b"it", message_id="1"))
        await asyncio.sleep(0.01)
        assert not publishing.done()

        may_end.set()
        await publishing

        assert handled == [b"it", b"it"]


async def test_pauses_between_tries_are_those_of_the_policy(running: Any, subject: str, recorder: Any) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    bus = MemoryBus(retry=RetryPolicy(max_deliveries=5, pauses_s=(1, 60, 3600)), sleep=sleep)
    handler = recorder(failures=9)
    async with running(bus):
        await bus.subscribe_group(subject, "group", handler)
        await bus.publish(subject, b"never", message_id="1")

        assert slept == [1, 60, 3600, 3600]
        assert len(handler.got) == 5
        assert await bus.dead_letters() == {"group": 1}


@pytest.mark.parametrize("fault", [RuntimeError("broken"), Unavailable("away")])
async def test_stopping_ends_a_pause_and_the_publisher_keeps_its_row(
    subject: str, recorder: Any, fault: Exception
) -> None:
    bus = MemoryBus(retry=RetryPolicy(pauses_s=(3600,)))
    await bus.start()
    handler = recorder(failures=1, fault=fault)
    await bus.subscribe_group(subject, "group", handler)
    publishing = asyncio.create_task(bus.publish(subject, b"later", message_id="1"))
    await handler.wait_for(1)

    await bus.stop()

    with pytest.raises(BusUnavailable):
        await publishing
    assert await bus.dead_letters() == {}


async def test_what_is_away_is_asked_for_again_at_the_longest_pause(running: Any, subject: str, recorder: Any) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    bus = MemoryBus(sleep=sleep)
    handler = recorder(failures=1000, fault=Unavailable("away for eight hours"))
    async with running(bus):
        await bus.subscribe_group(subject, "group", handler)
        await bus.publish(subject, b"precious", message_id="1")

        assert slept == [0.2, 1, 5, 15, *[30.0] * 996]
        assert len(handler.got) == 1001
        assert await bus.dead_letters() == {}


async def test_a_message_that_waits_for_its_turn_is_not_begun_while_stopping(subject: str) -> None:
    bus = MemoryBus()
    await bus.start()
    began, may_end = asyncio.Event(), asyncio.Event()
    handled: list[bytes] = []

    async def handler(payload: bytes) -> None:
        began.set()
        await may_end.wait()
        handled.append(payload)

    await bus.subscribe_group(subject, "group", handler, concurrency=1)
    first = asyncio.create_task(bus.publish(subject, b"first", message_id="1"))
    await began.wait()
    second = asyncio.create_task(bus.publish(subject, b"second", message_id="2"))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(bus.stop())
    await asyncio.sleep(0)
    may_end.set()
    await stopping

    await first
    with pytest.raises(BusUnavailable):
        await second
    assert handled == [b"first"]


async def test_a_publisher_that_gives_up_does_not_stop_the_handler(running: Any, subject: str, recorder: Any) -> None:
    bus = MemoryBus()
    async with running(bus):
        began, may_end = asyncio.Event(), asyncio.Event()
        handled = recorder()

        async def handler(payload: bytes) -> None:
            began.set()
            await may_end.wait()
            await handled(payload)

        await bus.subscribe_group(subject, "group", handler)
        publishing = asyncio.create_task(bus.publish(subject, b"it", message_id="1"))
        await began.wait()
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        may_end.set()

        assert await handled.wait_for(1) == [b"it"]
        await bus.publish(subject, b"it", message_id="1")  # the copy waits for, and is, the first
        assert handled.got == [b"it"]


async def test_a_message_goes_to_another_member_when_one_leaves(running: Any, subject: str, recorder: Any) -> None:
    bus = MemoryBus(retry=RetryPolicy(pauses_s=(0.01,)))
    async with running(bus):
        leaving, staying = recorder(failures=99), recorder()
        subscription = await bus.subscribe_group(subject, "group", leaving)
        publishing = asyncio.create_task(bus.publish(subject, b"it", message_id="1"))
        await leaving.wait_for(1)
        await bus.subscribe_group(subject, "group", staying)
        await subscription.stop()

        await publishing
        assert staying.got == [b"it"]


async def test_a_slow_listener_loses_the_oldest_and_resyncs(
    running: Any, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "LANE_CAPACITY", 3)
    bus = MemoryBus()
    async with running(bus):
        trail: list[str] = []
        done = asyncio.Event()

        async def resync() -> None:
            trail.append("resync")

        async def handler(payload: bytes) -> None:
            trail.append(payload.decode())
            if payload == b"6":
                done.set()

        await bus.subscribe_everyone(subject, handler, resync=resync)
        for n in range(7):
            await bus.broadcast(subject, b"%d" % n)
        async with asyncio.timeout(5):
            await done.wait()

        assert trail == ["resync", "resync", "4", "5", "6"]


async def test_too_many_waiting_questions_are_refused_at_once(
    running: Any, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BACKLOG", 1)
    bus = MemoryBus()
    async with running(bus):
        may_end = asyncio.Event()

        async def slow(payload: bytes) -> bytes:
            await may_end.wait()
            return payload

        await bus.serve(f"svc.{subject}", "group", slow, concurrency=1)
        taken = [asyncio.create_task(bus.request(f"svc.{subject}", b"", timeout_s=5)) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(Exception, match="too many"):
            await bus.request(f"svc.{subject}", b"", timeout_s=5)
        may_end.set()
        await asyncio.gather(*taken)
