"""As many children as there are cores, one task each, one kept warm ahead of need."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import attrs
from loguru import logger

from streamgate.contracts.media import MediaChildFailed

from .child_process import ChildProcess, OnFrame, ReadableSource
from .media.task import ChildTask


@attrs.define
class ChildPool:
    """A unit. `size`: tasks at once; `warm`: children that wait with everything imported."""

    size: int
    warm: int = 1
    name: str = "transcoder.children"
    needs: tuple[str, ...] = ()
    _room: asyncio.Semaphore = attrs.field(init=False)
    _spares: deque[ChildProcess] = attrs.field(init=False, factory=deque)
    _busy: set[ChildProcess] = attrs.field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        self._room = asyncio.Semaphore(self.size)

    @property
    def busy_pids(self) -> tuple[int, ...]:
        return tuple(child.pid for child in self._busy)

    async def start(self) -> None:
        while len(self._spares) < self.warm:
            self._spares.append(await ChildProcess.spawn())

    async def stop(self) -> None:
        """Ends all children, busy ones too: their jobs' leases run out or are given back by the runner."""
        for child in (*self._spares, *self._busy):
            child.kill()
        for child in self._spares:
            await child.reap()
        self._spares.clear()

    async def run(self, task: ChildTask, source: ReadableSource, on_frame: OnFrame, wall_s: float) -> dict[str, Any]:
        """Runs one task in a child of its own. Cancelling kills the child.

        Raises:
            MediaError: what the child found.
            MediaChildFailed: it died, or took longer than `wall_s` (`media.child_failed`, worth a retry).
        """
        async with self._room:
            child = await self._take()
            self._busy.add(child)
            try:
                await self.start()  # another one waits in its place, importing while this one works
                async with asyncio.timeout(wall_s) as watch:
                    return await child.serve(task, source, on_frame)
            except TimeoutError as error:
                if not watch.expired():
                    raise
                raise MediaChildFailed(f"the process for {task.task} took longer than {wall_s:g} s") from error
            finally:
                child.kill()
                self._busy.discard(child)
                await asyncio.shield(child.reap())

    async def _take(self) -> ChildProcess:
        """A waiting child, else a new one."""
        while self._spares:
            child = self._spares.popleft()
            if child.is_alive:
                return child
            logger.bind(pid=child.pid).warning("a waiting child had died")
            await child.reap()
        return await ChildProcess.spawn()
