"""A time limit for work that may not wait at all: what comes of it is what `asyncio.timeout` would make of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable

import pytest

from streamgate.web.deadline import OutOfTime, within


def in_time() -> float:
    return 30.0


def asked_too_early() -> float:
    raise AssertionError("work that does not wait needs no time")


async def test_work_that_does_not_wait_asks_for_no_time() -> None:
    async def work() -> int:
        return 7

    assert await within(work(), asked_too_early) == 7


async def test_a_fault_before_the_first_wait_is_the_callers() -> None:
    async def work() -> int:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await within(work(), asked_too_early)


async def test_what_it_waits_for_comes_back_to_it() -> None:
    first: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    second: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> list[int | str]:
        found: list[int | str] = [await first]
        try:
            await second
        except LookupError as fault:
            found.append(str(fault))
        await asyncio.sleep(0)
        return found

    running = asyncio.create_task(within(work(), in_time))
    await asyncio.sleep(0)
    first.set_result(1)
    await asyncio.sleep(0)
    second.set_exception(LookupError("two"))
    assert await running == [1, "two"]


@pytest.mark.parametrize("left_s", [0.001, 0.0, -1.0])
async def test_work_that_waits_too_long_is_cancelled(left_s: float) -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    with pytest.raises(OutOfTime):
        await within(work(), lambda: left_s)
    assert seen == ["cleaned up"]
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_a_time_limit_of_its_own_is_its_own() -> None:
    async def work() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await within(work(), in_time)


async def test_whoever_cancels_it_from_outside_is_heard() -> None:
    waiting, seen = asyncio.Event(), list[str]()

    async def work() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    running = asyncio.create_task(within(work(), lambda: None))
    await waiting.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert running.cancelled()
    assert seen == ["cancelled"]


async def test_what_is_no_coroutine_is_waited_for_too() -> None:
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(3)
    never: Awaitable[int] = asyncio.get_running_loop().create_future()
    assert await within(done, in_time) == 3
    with pytest.raises(OutOfTime):
        await within(never, lambda: 0.0)
