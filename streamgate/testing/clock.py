"""A clock that tests move by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools

START_S = 1_800_000_000.0
"""2027-01-15T08:00:00Z: a round moment, so that failures read well."""


class FakeClock:
    """Stands still until `advance`. Sleepers wake when their time has come, in order.

    `advance` lets woken sleepers run as far as they get without waiting for anything outside.
    """

    def __init__(self, at_s: float = START_S) -> None:
        self._at_s = at_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._turn = itertools.count()

    def now_ms(self) -> int:
        return round(self._at_s * 1000)

    def now_s(self) -> float:
        return self._at_s

    def monotonic_s(self) -> float:
        return self._at_s

    @property
    def sleepers(self) -> int:
        """How many wait now."""
        return sum(not sleeper.done() for _, _, sleeper in self._sleepers)

    async def sleep(self, duration_s: float) -> None:
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._at_s + duration_s, next(self._turn), sleeper))
        await sleeper

    def jump(self, duration_s: float) -> None:
        """Moves time without waking anybody: a process that was stopped and goes on."""
        self._at_s += duration_s

    async def advance(self, duration_s: float) -> None:
        ends_at_s = self._at_s + duration_s
        while self._sleepers and self._sleepers[0][0] <= ends_at_s:
            wakes_at_s, _, sleeper = heapq.heappop(self._sleepers)
            self._at_s = max(self._at_s, wakes_at_s)
            if not sleeper.done():
                sleeper.set_result(None)
            await settle()
        self._at_s = max(self._at_s, ends_at_s)
        await settle()


async def settle(turns: int = 10) -> None:
    """Lets tasks that are ready run, a few turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
