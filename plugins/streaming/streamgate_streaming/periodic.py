"""Something done every so often while the process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from loguru import logger

from streamgate.sdk.clock import Clock


class Periodic:
    """A unit. A turn that fails is logged, and the next one comes all the same; `last` runs once more at the stop."""

    def __init__(
        self,
        name: str,
        every_s: float,
        act: Callable[[], Awaitable[None]],
        clock: Clock,
        *,
        needs: tuple[str, ...],
        acts_at_stop: bool = False,
    ) -> None:
        self.name = name
        self.needs = needs
        self._every_s = every_s
        self._act = act
        self._clock = clock
        self._acts_at_stop = acts_at_stop
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task})
        if self._acts_at_stop:
            await self._turn()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(self._every_s)
            await self._turn()

    async def _turn(self) -> None:
        try:
            await self._act()
        except Exception:
            logger.bind(unit=self.name).exception("turn failed")
