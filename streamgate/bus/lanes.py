"""What both buses do with a message once it is here: bounded workers, and one ordered lane for `everyone`."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from loguru import logger

from streamgate.bus.base import DRAIN_TIMEOUT_S, Handler, Resync, RetryPolicy

T = TypeVar("T")

LANE_CAPACITY = 10_000
BACKLOG = 1_000
REMEMBERED_IDS = 10_000


class WorkerPool:
    """At most `size` jobs at once, each in a task with a fresh context; more of them wait their turn."""

    def __init__(self, size: int) -> None:
        self._slots = asyncio.Semaphore(size)
        self._limit = size + BACKLOG
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_full(self) -> bool:
        """So much waits already that more would only be late."""
        return len(self._tasks) >= self._limit

    def spawn(self, job: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        async def run() -> T:
            async with self._slots:
                return await job()

        task = spawn_apart(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Returns when no job is left; those that are not done in time, or when this is cancelled, are cancelled."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            logger.bind(jobs=len(self._tasks)).warning("handlers did not finish in time; cancelled")
        finally:
            late = list(self._tasks)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)


def spawn_apart(job: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task that inherits none of the caller's context variables."""
    return asyncio.get_running_loop().create_task(job, context=Context())


class RecentIds:
    """Remembers the last ids it has seen."""

    def __init__(self, capacity: int = REMEMBERED_IDS) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[str, None] = OrderedDict()

    def is_new(self, message_id: str) -> bool:
        """True the first time. An empty id is always new."""
        if not message_id:
            return True
        if message_id in self._seen:
            return False
        self._seen[message_id] = None
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return True


class EveryoneLane:
    """One `everyone` subscriber: messages one by one in order, resync between them, never beside them."""

    def __init__(self, subject: str, handler: Handler, resync: Resync, retry: RetryPolicy) -> None:
        self.subject = subject
        self._handler = handler
        self._resync = resync
        self._retry = retry
        self._waiting: deque[bytes] = deque()
        self._recent = RecentIds()
        self._wake = asyncio.Event()
        self._has_gap = False  # the subscriber says when it hears: that is the first gap
        self._resync_failures = 0
        self._resync_timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._tried_once = asyncio.get_running_loop().create_future()
        self._worker = spawn_apart(self._work())

    async def tried_resync(self) -> None:
        """Returns when the first resync has been tried."""
        await asyncio.shield(self._tried_once)

    def offer(self, payload: bytes, message_id: str = "") -> None:
        """Takes a message; drops a copy, and the oldest when there are too many (then it resyncs)."""
        if self._is_closing or not self._recent.is_new(message_id):
            return
        self._waiting.append(payload)
        if len(self._waiting) > LANE_CAPACITY:
            self._waiting.popleft()
            self.note_gap()
        self._wake.set()

    def note_gap(self) -> None:
        """Something may have been missed: resync soon."""
        self._has_gap = True
        self._wake.set()

    async def drain(self) -> None:
        """Finishes the message being handled; what waits behind it is dropped."""
        self._is_closing = True
        self._waiting.clear()
        if self._resync_timer is not None:
            self._resync_timer.cancel()
        self._wake.set()
        try:
            done, _ = await asyncio.wait({self._worker}, timeout=DRAIN_TIMEOUT_S)
            if not done:
                logger.bind(subject=self.subject).warning("handler did not finish in time; cancelled")
        finally:
            self._worker.cancel()
            await asyncio.wait({self._worker})

    async def _work(self) -> None:
        while not self._is_closing:
            if self._has_gap and self._resync_timer is None:
                await self._close_gap()
            elif self._waiting:
                await self._handle(self._waiting.popleft())
                await asyncio.sleep(0)  # a handler that never waits must not hold the loop for a full lane
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _handle(self, payload: bytes) -> None:
        try:
            await self._handler(payload)
        except Exception:
            logger.bind(subject=self.subject).exception("everyone handler failed; message dropped")

    async def _close_gap(self) -> None:
        self._has_gap = False
        try:
            await self._resync()
            self._resync_failures = 0
        except Exception:
            self._resync_failures += 1
            pause_s = self._retry.pause_after_s(self._resync_failures)
            logger.bind(subject=self.subject, again_in_s=pause_s).exception("resync failed")
            self._has_gap = True
            self._resync_timer = asyncio.get_running_loop().call_later(pause_s, self._resync_again)
        finally:
            if not self._tried_once.done():
                self._tried_once.set_result(None)

    def _resync_again(self) -> None:
        self._resync_timer = None
        self._wake.set()
