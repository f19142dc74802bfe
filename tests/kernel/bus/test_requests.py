"""What `streamgate.bus.base` promises of questions and answers, for each bus alike."""

from __future__ import annotations

import asyncio
import time

import pytest

from streamgate.bus.base import Bus
from streamgate.errors import DeadlineExceeded, Internal, Unavailable


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
