"""A time limit that costs nothing where nothing is waited for.

`asyncio.timeout` sets a timer and takes it back, which is a tenth of a small request; most handlers answer from memory
and never let go of the event loop, so that no timer could ever end them.
"""

from __future__ import annotations

import asyncio
import functools
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class OutOfTime(Exception):
    """The work was cancelled because its time was over."""


async def within(work: Awaitable[T], remaining_s: Callable[[], float | None]) -> T:
    """The work's result. `remaining_s`: seconds that are left, None for no limit; asked when the work first waits.

    Raises:
        OutOfTime; and what the work raises, a TimeoutError of its own among it.
    """
    if isinstance(work, Coroutine):
        try:
            waits_for = work.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        work = _go_on(work, waits_for)
    limit = asyncio.timeout(remaining_s())
    try:
        async with limit:
            return await work
    except TimeoutError as fault:
        if limit.expired():
            raise OutOfTime from fault
        raise


@types.coroutine
def _go_on(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """The rest of a coroutine that has begun: what it waits for is handed on, and what comes of it handed back."""
    while True:
        try:
            come = yield waits_for
        except GeneratorExit:
            work.close()
            raise
        except BaseException as fault:
            step: Callable[[], Any] = functools.partial(work.throw, fault)
        else:
            step = functools.partial(work.send, come)
        try:
            waits_for = step()
        except StopIteration as done:
            result: T = done.value
            return result
