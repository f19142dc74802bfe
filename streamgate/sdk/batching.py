"""Work that costs as much for many things as for one: what is asked for while it is under way is done together next.

self._kept = Batched(self._keep, most=500)
await self._kept.do(entry)          # returns when `_keep` has been given it, with others perhaps
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from streamgate.errors import Unavailable

T = TypeVar("T")


class Batched(Generic[T]):
    """What comes while nothing is under way begins at once.

    Args:
        work: does what it is given; is never run twice at a time. Where it fails for several, it is asked for each
            alone, so that one bad thing spoils no other: it must be harmless to do something again. What is
            `Unavailable` is so for all of them.
        most: things at a time.
        pause_s: between two turns of the work, so that there are fewer and larger ones; the first waits for nothing.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[None]], *, most: int, pause_s: float = 0.0) -> None:
        self._work = work
        self._most = most
        self._pause_s = pause_s
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def do(self, item: T) -> None:
        """Raises what the work raises for this one. Whoever is cancelled meanwhile may find it done all the same."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work_on(), context=Context())  # whose call it is would be chance
        await future

    async def _work_on(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                if not await self._done(batch, is_last_try=len(batch) == 1):
                    for each in batch:
                        await self._done([each], is_last_try=True)
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
        finally:
            self._working = None

    async def _done(self, batch: list[tuple[T, asyncio.Future[None]]], *, is_last_try: bool) -> bool:
        """Whether that is all that can be done of it."""
        fault: BaseException | None = None
        try:
            await self._work([item for item, _ in batch])
        except Exception as raised:
            if not is_last_try and not isinstance(raised, Unavailable):
                return False
            fault = raised
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        for _, future in batch:
            if not future.done() and fault is not None:
                future.set_exception(fault)
            elif not future.done():
                future.set_result(None)
        return True
