"""Children; some are kept warm ahead of need, and those that worked on a source wait a moment for more of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import attrs
from loguru import logger
from prometheus_client import Gauge

from streamgate.contracts.media import MediaChildFailed

from .child_process import ChildProcess, OnFrame, ReadableSource
from .media.task import ChildTask

REPLACED_AFTER_S = 1.0
LINGERS_S = 2.0
"""So long a child waits for the next task of its source: a lease comes at once where there is one."""

_CHILDREN = Gauge("streamgate_transcoder_children", "Child processes, by what they do.", ["state"])


@attrs.define
class ChildPool:
    """A unit. `size`: tasks at once; `warm`: children that wait with everything imported when nothing else is asked.
    `is_refilled`: a waiting child that is taken gets a successor; not where the end is in sight."""

    size: int
    warm: int = 1
    is_refilled: bool = True
    name: str = "transcoder.children"
    needs: tuple[str, ...] = ()
    _room: asyncio.Semaphore = attrs.field(init=False)
    _spares: deque[ChildProcess] = attrs.field(init=False, factory=deque)
    _busy: set[ChildProcess] = attrs.field(init=False, factory=set)
    _lingering: dict[ChildProcess, tuple[str, asyncio.Task[None]]] = attrs.field(init=False, factory=dict)
    _wanted_spares: int = attrs.field(init=False)
    _is_stopped: bool = attrs.field(init=False, default=False)
    _filling: asyncio.Lock = attrs.field(init=False, factory=asyncio.Lock)
    _chores: set[asyncio.Task[None]] = attrs.field(init=False, factory=set)

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
    def holding(self) -> int:
        """Children that hold the memory of a task: those at work, and those that wait for more of their source."""
        return len(self._busy) + len(self._lingering)

    @property
    def waiting(self) -> int:
        """Children that wait for their first task."""
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
            if self.is_refilled:
                await self._fill()
        except OSError as fault:  # no memory, no process: the task at hand has its child
            logger.bind(error=repr(fault)).warning("no further child can be started")

    def _count(self) -> None:
        _CHILDREN.labels("busy").set(len(self._busy))
        _CHILDREN.labels("waiting").set(len(self._spares) + len(self._lingering))

    async def stop(self) -> None:
        """Ends all children, busy ones too: their jobs' leases run out or are given back by the runner."""
        self._wanted_spares, self._is_stopped = 0, True
        for child in self._busy:
            child.kill()
        for _, ending in self._lingering.values():
            ending.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        for child in (*self._lingering, *self._spares):
            child.kill()
            await child.reap()
        self._lingering.clear()
        self._spares.clear()

    async def run(
        self, task: ChildTask, source: ReadableSource, on_frame: OnFrame, wall_s: float, of_source: str = ""
    ) -> dict[str, Any]:
        """Runs one task in a child, one that has worked on no other source. Cancelling kills the child.

        Args:
            of_source: names the source among all. A child that has just worked on it goes on with this task, and is
                kept a moment for the next one; where it is empty a child serves this task alone.

        Raises:
            MediaError: what the child found.
            MediaChildFailed: it died, took longer than `wall_s`, or the system has no process or thread left
                (`media.child_failed`, worth a retry).
        """
        async with self._room:
            child = await self._take(task, of_source)
            self._busy.add(child)
            self._count()
            is_over, is_well = asyncio.Event(), False
            self._do_beside(self._replace_after(is_over))
            try:
                async with asyncio.timeout(wall_s) as watch:
                    result = await child.serve(task, source, on_frame)
                is_well = True
                return result
            except TimeoutError as error:
                if not watch.expired():
                    raise
                raise MediaChildFailed(f"the process for {task.task} took longer than {wall_s:g} s") from error
            finally:
                is_over.set()
                self._busy.discard(child)
                if is_well and of_source and not self._is_stopped and child.may_go_on_with(task):
                    self._lingering[child] = (of_source, self._do_beside(self._end_after_a_moment(child)))
                    self._count()
                else:
                    child.kill()
                    self._count()
                    await asyncio.shield(child.reap())

    def _do_beside(self, chore: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        return task

    async def _end_after_a_moment(self, child: ChildProcess) -> None:
        """Cancelled where it is taken before."""
        await asyncio.sleep(LINGERS_S)
        del self._lingering[child]
        self._count()
        child.kill()
        await child.reap()

    async def _take(self, task: ChildTask, of_source: str) -> ChildProcess:
        """One that worked on the same source just now, or a waiting one, else a new one; either has the memory of the
        one that has waited longest for its source."""
        for child, (source, ending) in list(self._lingering.items()):
            if of_source and source == of_source and child.may_go_on_with(task):
                del self._lingering[child]
                ending.cancel()
                return child
        if self._lingering:
            longest = next(iter(self._lingering))
            _, ending = self._lingering.pop(longest)
            ending.cancel()
            longest.kill()
            self._do_beside(longest.reap())
        while self._spares:
            child = self._spares.popleft()
            if child.is_alive:
                return child
            logger.bind(pid=child.pid).warning("a waiting child had died")
            await child.reap()
        try:
            return await ChildProcess.spawn()
        except OSError as fault:
            raise MediaChildFailed(f"no process can be started for {task.task}: {fault.strerror}") from fault
