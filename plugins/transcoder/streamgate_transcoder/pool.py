"""Children, one task each; some are kept warm ahead of need."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

import attrs
from loguru import logger
from prometheus_client import Gauge

from streamgate.contracts.media import MediaChildFailed

from .child_process import ChildProcess, OnFrame, ReadableSource
from .media.task import ChildTask

REPLACED_AFTER_S = 1.0

_CHILDREN = Gauge("streamgate_transcoder_children", "Child processes, by what they do.", ["state"])


@attrs.define
class ChildPool:
    """A unit. `size`: tasks at once; `warm`: children that wait with everything imported when nothing else is asked."""

    size: int
    warm: int = 1
    name: str = "transcoder.children"
    needs: tuple[str, ...] = ()
    _room: asyncio.Semaphore = attrs.field(init=False)
    _spares: deque[ChildProcess] = attrs.field(init=False, factory=deque)
    _busy: set[ChildProcess] = attrs.field(init=False, factory=set)
    _wanted_spares: int = attrs.field(init=False)
    _filling: asyncio.Lock = attrs.field(init=False, factory=asyncio.Lock)
    _replacing: set[asyncio.Task[None]] = attrs.field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        self._room = asyncio.Semaphore(self.size)
        self._wanted_spares = self.warm

    @property
    def busy_pids(self) -> tuple[int, ...]:
        return tuple(child.pid for child in self._busy)

    @property
    def busy(self) -> int:
        return len(self._busy)

    @property
    def waiting(self) -> int:
        """Children that wait for a task."""
        return len(self._spares)

    async def start(self) -> None:
        await self._fill()

    async def keep(self, spares: int) -> None:
        """So many children are to wait from now on: spawns what is missing, ends what is too much."""
        self._wanted_spares = spares
        while len(self._spares) > self._wanted_spares:
            child = self._spares.pop()
            child.kill()
            await child.reap()
        await self._fill()

    async def _fill(self) -> None:
        async with self._filling:
            while len(self._spares) < self._wanted_spares:
                self._spares.append(await ChildProcess.spawn())
            self._count()

    async def _replace_after(self, is_over: asyncio.Event) -> None:
        """Another child in place of one that works: at the end of its task, or where that is long, meanwhile. It
        imports for a fifth of a second of a core, which a short task that somebody waits for needs itself."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLACED_AFTER_S):
                await is_over.wait()
        try:
            await self._fill()
        except OSError as fault:  # no memory, no process: the task at hand has its child
            logger.bind(error=repr(fault)).warning("no further child can be started")

    def _count(self) -> None:
        _CHILDREN.labels("busy").set(len(self._busy))
        _CHILDREN.labels("waiting").set(len(self._spares))

    async def stop(self) -> None:
        """Ends all children, busy ones too: their jobs' leases run out or are given back by the runner."""
        self._wanted_spares = 0
        for child in self._busy:
            child.kill()
        await asyncio.gather(*self._replacing)
        for child in self._spares:
            child.kill()
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
            is_over = asyncio.Event()
            replacing = asyncio.create_task(self._replace_after(is_over))
            self._replacing.add(replacing)
            replacing.add_done_callback(self._replacing.discard)
            try:
                async with asyncio.timeout(wall_s) as watch:
                    return await child.serve(task, source, on_frame)
            except TimeoutError as error:
                if not watch.expired():
                    raise
                raise MediaChildFailed(f"the process for {task.task} took longer than {wall_s:g} s") from error
            finally:
                is_over.set()
                child.kill()
                self._busy.discard(child)
                self._count()
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
