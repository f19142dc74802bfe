"""What `streamgate.bus.base` promises, for each bus alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from streamgate.bus.base import Bus, BusUnavailable, PayloadTooLarge, Reject
from streamgate.errors import DeadlineExceeded, Internal, Unavailable

Nothing = Callable[[], Awaitable[None]]


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0.01)


# --- groups -----------------------------------------------------------------------------------------


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


# --- everyone ---------------------------------------------------------------------------------------


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


# --- questions --------------------------------------------------------------------------------------


async def echo(payload: bytes) -> bytes:
    return payload


async def test_a_request_is_answered(bus: Bus, subject: str) -> None:
    await bus.serve(f"svc.{subject}", "group", echo)

    assert await bus.request(f"svc.{subject}", b"\x00\xff", timeout_s=5) == b"\x00\xff"
    assert await bus.request(f"svc.{subject}", b"", timeout_s=5) == b""


async def test_members_of_a_serving_group_share_the_requests(bus: Bus, subject: str) -> None:
    async def first(_: bytes) -> bytes:
        return b"first"

    async def second(_: bytes) -> bytes:
        return b"second"

    await bus.serve(f"svc.{subject}", "group", first)
    await bus.serve(f"svc.{subject}", "group", second)

    answers = [await bus.request(f"svc.{subject}", b"", timeout_s=5) for _ in range(40)]

    assert set(answers) == {b"first", b"second"}


async def test_serving_everything_below_a_subject(bus: Bus, subject: str) -> None:
    await bus.serve(f"svc.{subject}.*", "group", echo)

    assert await bus.request(f"svc.{subject}.method", b"yes", timeout_s=5) == b"yes"
    with pytest.raises(Unavailable):
        await bus.request(f"svc.{subject}.a.b", b"no", timeout_s=5)


async def test_without_a_responder_it_fails_at_once(bus: Bus, subject: str) -> None:
    began = time.monotonic()

    with pytest.raises(Unavailable) as raised:
        await bus.request(f"svc.{subject}", b"", timeout_s=30)

    assert raised.value.code == "service.unavailable"
    assert time.monotonic() - began < 1


async def test_no_answer_in_time_is_deadline_exceeded(bus: Bus, subject: str) -> None:
    may_answer = asyncio.Event()

    async def slow(_: bytes) -> bytes:
        await may_answer.wait()
        return b"too late"

    await bus.serve(f"svc.{subject}", "group", slow)

    with pytest.raises(DeadlineExceeded) as raised:
        await bus.request(f"svc.{subject}", b"", timeout_s=0.05)

    assert raised.value.code == "service.deadline_exceeded"
    may_answer.set()


async def test_a_responder_that_raises_against_its_promise(bus: Bus, subject: str) -> None:
    async def broken(_: bytes) -> bytes:
        raise RuntimeError("secret detail")

    await bus.serve(f"svc.{subject}", "group", broken)

    with pytest.raises(Internal) as raised:
        await bus.request(f"svc.{subject}", b"", timeout_s=5)
    assert "secret" not in str(raised.value)


async def test_requests_run_beside_each_other(bus: Bus, subject: str) -> None:
    all_here = asyncio.Barrier(10)

    async def meet(payload: bytes) -> bytes:
        await all_here.wait()
        return payload

    await bus.serve(f"svc.{subject}", "group", meet)

    answers = await asyncio.gather(*(bus.request(f"svc.{subject}", b"%d" % n, timeout_s=5) for n in range(10)))

    assert answers == [b"%d" % n for n in range(10)]


async def test_a_server_that_stops_finishes_its_answer_first(bus: Bus, subject: str) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slow(payload: bytes) -> bytes:
        began.set()
        await may_end.wait()
        return payload

    served = await bus.serve(f"svc.{subject}", "group", slow)
    asking = asyncio.create_task(bus.request(f"svc.{subject}", b"answer", timeout_s=5))
    await began.wait()
    stopping = asyncio.create_task(served.stop())
    asyncio.get_running_loop().call_later(0.05, may_end.set)
    await stopping

    assert await asking == b"answer"
    with pytest.raises(Unavailable):
        await bus.request(f"svc.{subject}", b"", timeout_s=5)


# --- size, context, life ----------------------------------------------------------------------------


async def test_the_largest_payload_passes_everywhere(bus: Bus, subject: str, recorder: Any, nothing: Nothing) -> None:
    largest = b"x" * bus.max_payload_bytes
    group, everyone = recorder(), recorder()
    await bus.subscribe_group(subject, "group", group)
    await bus.subscribe_everyone(subject, everyone, resync=nothing)
    await bus.serve(f"svc.{subject}", "group", echo)

    await bus.publish(subject, largest, message_id=f"{subject}-1")

    assert await group.wait_for(1) == [largest]
    assert await everyone.wait_for(1) == [largest]
    assert await bus.request(f"svc.{subject}", largest, timeout_s=5) == largest
    assert bus.max_payload_bytes == 1_000_000


async def test_one_byte_more_is_refused_everywhere(bus: Bus, subject: str) -> None:
    too_large = b"x" * (bus.max_payload_bytes + 1)

    async def verbose(_: bytes) -> bytes:
        return too_large

    await bus.serve(f"svc.{subject}", "group", verbose)

    with pytest.raises(PayloadTooLarge) as raised:
        await bus.publish(subject, too_large, message_id=f"{subject}-1")
    assert (raised.value.code, raised.value.retryable) == ("bus.payload_too_large", False)
    with pytest.raises(PayloadTooLarge):
        await bus.broadcast(subject, too_large)
    with pytest.raises(PayloadTooLarge):
        await bus.request(f"svc.{subject}", too_large, timeout_s=5)
    with pytest.raises(PayloadTooLarge):
        await bus.request(f"svc.{subject}", b"short question", timeout_s=5)


async def test_nothing_of_the_senders_context_reaches_a_handler(
    bus: Bus, subject: str, recorder: Any, nothing: Nothing
) -> None:
    secret: ContextVar[str] = ContextVar("secret", default="")
    seen: list[str] = []
    heard = recorder()

    async def handler(payload: bytes) -> None:
        seen.append(secret.get())
        await heard(payload)

    async def responder(payload: bytes) -> bytes:
        await handler(payload)
        return b""

    await bus.subscribe_group(subject, "group", handler)
    await bus.subscribe_everyone(subject, handler, resync=nothing)
    await bus.serve(f"svc.{subject}", "group", responder)
    secret.set("of the sender")

    await bus.publish(subject, b"", message_id=f"{subject}-1")
    await bus.request(f"svc.{subject}", b"", timeout_s=5)

    await heard.wait_for(3)
    assert seen == ["", "", ""]


async def test_a_stopped_bus_says_so(make_bus: Callable[..., Bus], subject: str) -> None:
    bus = make_bus()
    await bus.start()
    await bus.ping()
    await bus.stop()
    await bus.stop()

    with pytest.raises(BusUnavailable):
        await bus.ping()
    with pytest.raises(BusUnavailable) as raised:
        await bus.publish(subject, b"", message_id=f"{subject}-1")
    assert (raised.value.code, raised.value.status, raised.value.retryable) == ("bus.unavailable", 503, True)
    await bus.broadcast(subject, b"")


async def test_a_stopped_bus_can_start_again(make_bus: Callable[..., Bus], subject: str, recorder: Any) -> None:
    bus, handler = make_bus(), recorder()
    await bus.start()
    await bus.stop()
    await bus.start()
    await bus.subscribe_group(subject, "group", handler)

    await bus.publish(subject, b"again", message_id=f"{subject}-1")

    assert await handler.wait_for(1) == [b"again"]
    await bus.stop()
