"""What `streamgate.bus.base` promises who hears everything, for each bus alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from streamgate.bus.base import Bus

Nothing = Callable[[], Awaitable[None]]


async def test_everyone_hears_what_is_published_and_broadcast_in_order(
    bus: Bus, subject: str, recorder: Any, nothing: Nothing
) -> None:
    first, second = recorder(), recorder()
    await bus.subscribe_everyone(subject, first, resync=nothing)
    await bus.subscribe_everyone(subject, second, resync=nothing)

    for n in range(10):
        if n % 2:
            await bus.publish(subject, b"%d" % n, message_id=f"{subject}-{n}")
        else:
            await bus.broadcast(subject, b"%d" % n)

    expected = [b"%d" % n for n in range(10)]
    assert await first.wait_for(10) == expected
    assert await second.wait_for(10) == expected


async def test_a_listener_may_hear_everything_below_a_subject(bus: Bus, recorder: Any, nothing: Nothing) -> None:
    heard = recorder()
    await bus.subscribe_everyone("live.below.>", heard, resync=nothing)

    await bus.broadcast("live.below", b"not below")
    await bus.broadcast("live.elsewhere.a", b"elsewhere")
    await bus.broadcast("live.below.a", b"a")
    await bus.broadcast("live.below.a.b", b"a.b")

    assert await heard.wait_for(2) == [b"a", b"a.b"]


async def test_a_broadcast_without_listeners_is_nothing(bus: Bus) -> None:
    await bus.broadcast("live.nobody.hears", b"")


async def test_resync_has_run_when_subscribing_returns(bus: Bus, subject: str, recorder: Any) -> None:
    resynced = 0

    async def resync() -> None:
        nonlocal resynced
        resynced += 1

    await bus.subscribe_everyone(subject, recorder(), resync=resync)

    assert resynced == 1


async def test_a_failing_resync_is_tried_again_while_messages_go_on(bus: Bus, subject: str, recorder: Any) -> None:
    heard, tries, is_well = recorder(), 0, asyncio.Event()

    async def resync() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("the truth is away")
        is_well.set()

    await bus.subscribe_everyone(subject, heard, resync=resync)
    await bus.broadcast(subject, b"meanwhile")

    assert await heard.wait_for(1) == [b"meanwhile"]
    async with asyncio.timeout(5):
        await is_well.wait()
    assert tries == 3


async def test_resync_and_handler_never_run_beside_each_other(bus: Bus, subject: str) -> None:
    trail: list[str] = []
    handled = asyncio.Event()

    async def resync() -> None:
        trail.append("resync begins")
        await bus.broadcast(subject, b"early")
        await bus.ping()
        trail.append("resync ends")

    async def handler(_: bytes) -> None:
        trail.append("handler")
        handled.set()

    await bus.subscribe_everyone(subject, handler, resync=resync)
    async with asyncio.timeout(5):
        await handled.wait()

    assert trail == ["resync begins", "resync ends", "handler"]


async def test_a_failing_listener_misses_only_that_message(
    bus: Bus, subject: str, recorder: Any, nothing: Nothing
) -> None:
    handler = recorder(failures=1)
    await bus.subscribe_everyone(subject, handler, resync=nothing)

    await bus.broadcast(subject, b"dropped")
    await bus.broadcast(subject, b"next")

    assert await handler.wait_for(2) == [b"dropped", b"next"]


async def test_a_stopped_listener_hears_nothing_more(bus: Bus, subject: str, recorder: Any, nothing: Nothing) -> None:
    stopped, other = recorder(), recorder()
    subscription = await bus.subscribe_everyone(subject, stopped, resync=nothing)
    await bus.subscribe_everyone(subject, other, resync=nothing)
    await subscription.stop()
    await subscription.stop()

    await bus.broadcast(subject, b"late")

    await other.wait_for(1)
    assert stopped.got == []
