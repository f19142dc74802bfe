"""What `streamgate.bus.base` promises the members of a group, for each bus alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streamgate.bus.base import Bus, Reject
from streamgate.errors import Unavailable

Nothing = Callable[[], Awaitable[None]]


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0.01)


async def test_each_group_gets_one_copy(bus: Bus, subject: str, recorder: Any) -> None:
    first, second = recorder(), recorder()
    await bus.subscribe_group(subject, "first", first)
    await bus.subscribe_group(subject, "second", second)

    await bus.publish(subject, b"\x00 any bytes \xff", message_id=f"{subject}-1")

    assert await first.wait_for(1) == [b"\x00 any bytes \xff"]
    assert await second.wait_for(1) == [b"\x00 any bytes \xff"]


async def test_members_of_a_group_share_the_messages(bus: Bus, subject: str, recorder: Any) -> None:
    both = recorder()
    await bus.subscribe_group(subject, "group", both, concurrency=2)
    await bus.subscribe_group(subject, "group", both, concurrency=2)

    await asyncio.gather(*(bus.publish(subject, b"%d" % n, message_id=f"{subject}-{n}") for n in range(20)))

    assert sorted(await both.wait_for(20)) == sorted(b"%d" % n for n in range(20))


async def test_a_group_hears_only_its_subject(bus: Bus, subject: str, recorder: Any) -> None:
    heard = recorder()
    await bus.subscribe_group(subject, "group", heard)

    await bus.publish(f"{subject}2", b"another", message_id=f"{subject}-0")
    await bus.publish(subject, b"mine", message_id=f"{subject}-1")

    assert await heard.wait_for(1) == [b"mine"]


async def test_a_failing_handler_is_tried_again(bus: Bus, subject: str, recorder: Any) -> None:
    group = subject.replace(".", "-")
    handler = recorder(failures=2)
    await bus.subscribe_group(subject, group, handler)

    await bus.publish(subject, b"again", message_id=f"{subject}-1")

    assert await handler.wait_for(3) == [b"again"] * 3
    assert group not in await bus.dead_letters()


async def test_after_the_last_try_it_is_a_dead_letter_and_others_go_on(bus: Bus, subject: str, recorder: Any) -> None:
    group = subject.replace(".", "-")
    handler, sibling = recorder(failures=3), recorder()
    await bus.subscribe_group(subject, group, handler)
    await bus.subscribe_group(subject, "sibling", sibling)

    await bus.publish(subject, b"bad", message_id=f"{subject}-1")
    await handler.wait_for(3)
    await bus.publish(subject, b"good", message_id=f"{subject}-2")

    assert await handler.wait_for(4) == [b"bad", b"bad", b"bad", b"good"]
    assert await sibling.wait_for(2) == [b"bad", b"good"]
    await eventually(lambda: _has_dead(bus, group, 1))


async def _has_dead(bus: Bus, group: str, count: int) -> bool:
    return (await bus.dead_letters()).get(group) == count


async def test_what_cannot_be_done_now_uses_up_no_delivery(bus: Bus, subject: str, recorder: Any) -> None:
    """A dependency that is away for longer than all the tries together costs no message its life."""
    group = subject.replace(".", "-")
    got: list[bytes] = []
    handled = asyncio.Event()

    async def handler(payload: bytes) -> None:
        got.append(payload)
        if len(got) <= 7:
            raise Unavailable("the database is away")
        if len(got) <= 9:  # one fault fewer than make a dead letter
            raise RuntimeError("as the test wants it")
        handled.set()

    await bus.subscribe_group(subject, group, handler)
    await bus.publish(subject, b"precious", message_id=f"{subject}-1")

    async with asyncio.timeout(10):
        await handled.wait()
    assert got == [b"precious"] * 10
    assert group not in await bus.dead_letters()


async def test_a_message_that_waits_for_its_dependency_holds_up_no_other(bus: Bus, subject: str, recorder: Any) -> None:
    is_back, others = asyncio.Event(), recorder()
    handled = asyncio.Event()

    async def handler(payload: bytes) -> None:
        if payload != b"waits":
            await others(payload)
        elif is_back.is_set():
            handled.set()
        else:
            raise Unavailable("what only this message needs is away")

    await bus.subscribe_group(subject, "group", handler, concurrency=1)
    waiting = asyncio.create_task(bus.publish(subject, b"waits", message_id=f"{subject}-0"))
    for n in range(1, 6):
        await bus.publish(subject, b"%d" % n, message_id=f"{subject}-{n}")
    assert sorted(await others.wait_for(5)) == [b"1", b"2", b"3", b"4", b"5"]
    assert not handled.is_set()

    is_back.set()
    async with asyncio.timeout(10):
        await handled.wait()
    await waiting


async def test_a_rejected_message_is_a_dead_letter_at_once(bus: Bus, subject: str, recorder: Any) -> None:
    group = subject.replace(".", "-")
    handler = recorder(failures=9, fault=Reject("no repetition can help: ünreadable"))
    await bus.subscribe_group(subject, group, handler)

    await bus.publish(subject, b"bad", message_id=f"{subject}-1")

    await eventually(lambda: _has_dead(bus, group, 1))
    assert handler.got == [b"bad"]


async def test_a_copy_sent_twice_is_dropped(bus: Bus, subject: str, recorder: Any, nothing: Nothing) -> None:
    group, everyone = recorder(), recorder()
    await bus.subscribe_group(subject, "group", group)
    await bus.subscribe_everyone(subject, everyone, resync=nothing)

    await bus.publish(subject, b"first", message_id=f"{subject}-1")
    await bus.publish(subject, b"first", message_id=f"{subject}-1")
    await bus.publish(subject, b"second", message_id=f"{subject}-2")

    assert sorted(await group.wait_for(2)) == [b"first", b"second"]
    assert await everyone.wait_for(2) == [b"first", b"second"]


async def test_no_more_handlers_at_once_than_asked_for(bus: Bus, subject: str) -> None:
    running, most = 0, 0
    all_done = asyncio.Event()
    handled: list[bytes] = []

    async def handler(payload: bytes) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        handled.append(payload)
        if len(handled) == 20:
            all_done.set()

    await bus.subscribe_group(subject, "group", handler, concurrency=3)
    await asyncio.gather(*(bus.publish(subject, b"%d" % n, message_id=f"{subject}-{n}") for n in range(20)))

    async with asyncio.timeout(10):
        await all_done.wait()
    assert most == 3


@pytest.mark.parametrize("what", ["subscription", "bus"])
async def test_stopping_lets_the_running_handler_finish(
    make_bus: Callable[..., Bus], subject: str, what: str, recorder: Any
) -> None:
    bus = make_bus()
    await bus.start()
    began, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(_: bytes) -> None:
        began.set()
        await may_end.wait()
        ended.set()

    subscription = await bus.subscribe_group(subject, "group", handler)
    publishing = asyncio.create_task(bus.publish(subject, b"slow", message_id=f"{subject}-1"))
    await began.wait()
    stopping = asyncio.create_task(subscription.stop() if what == "subscription" else bus.stop())
    asyncio.get_running_loop().call_later(0.05, may_end.set)
    await stopping

    assert ended.is_set()
    await publishing
    await subscription.stop()  # a second time does nothing
    await bus.stop()


async def test_a_stopped_subscription_takes_no_new_messages(bus: Bus, subject: str, recorder: Any) -> None:
    stopped, other = recorder(), recorder()
    subscription = await bus.subscribe_group(subject, "group", stopped)
    await bus.subscribe_group(subject, "group", other)
    await subscription.stop()

    for n in range(4):
        await bus.publish(subject, b"%d" % n, message_id=f"{subject}-{n}")

    assert len(await other.wait_for(4)) == 4
    assert stopped.got == []


@pytest.mark.parametrize("wrong", ["live.test.v1", "evt.with space", "evt.*", "evt.>", "evt..v1", ""])
async def test_durable_messages_need_a_plain_event_subject(bus: Bus, wrong: str, recorder: Any) -> None:
    with pytest.raises(ValueError, match="subject"):
        await bus.publish(wrong, b"", message_id="1")
    with pytest.raises(ValueError, match="subject"):
        await bus.subscribe_group(wrong, "group", recorder())


async def test_a_durable_message_needs_an_id_and_a_group_a_plain_name(bus: Bus, subject: str, recorder: Any) -> None:
    with pytest.raises(ValueError, match="id"):
        await bus.publish(subject, b"", message_id="")
    with pytest.raises(ValueError, match="group"):
        await bus.subscribe_group(subject, "two words", recorder())
