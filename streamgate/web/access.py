"""The access log: one line a request, rendered in batches and written by a thread.

A record of loguru for each request, with its queue and its renderer, cost a fifth of the small requests that
one process can answer and tripled their p99. A thread that renders takes turns with the event loop, and each turn is
up to 5 ms long; rendered here, in parts that are shorter than most handlers, lines cost a sixth less of all a request
takes. Only the writing, which may wait, is a thread's. They look like those of `telemetry.py` and go to the same place.

A line has the path without its query (queries may carry tokens) and the user's opaque id. When lines come
faster than they are written, the newest are dropped and counted.

`on_finished` hears of each request as it ends, in the event loop: it may count or queue, not wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from loguru import logger

from streamgate.telemetry.measures import Counts
from streamgate.telemetry.requests import Access, Writer

FLUSH_AFTER_S = 0.05
LINES_A_TURN = 250  # half a millisecond of the event loop
MAX_WAITING = 20_000

LINES_DROPPED = Counts("streamgate_access_log_dropped_total", "Lines of requests that found no room in the log.")


Observer = Callable[[Access], None]


@runtime_checkable
class RequestObserver(Protocol):
    """A unit of `streamgate.process_units` that wants to hear of each request that has ended."""

    def on_request(self, request: Access) -> None:
        """Called in the event loop, while others wait: it counts or queues."""


class AccessLog:
    """A unit: `add` is quick, a task hands batches to a thread. Without `start()` lines wait for `flush()`.

    Args:
        write: renders a batch, in the event loop, and gives what writes it, for a thread; never two at once.
        on_finished: called with each request that has ended.
    """

    name = "web.access-log"
    needs: tuple[str, ...] = ()

    def __init__(self, write: Writer, on_finished: Sequence[Observer] = ()) -> None:
        self._write = write
        self._on_finished = tuple(on_finished)
        self._waiting: list[Access] = []
        self._dropped = 0
        self._writer: asyncio.Task[None] | None = None
        self._has_lines = asyncio.Event()

    def add(self, line: Access) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(line)
            self._has_lines.set()
        else:
            self._dropped += 1
        for observe in self._on_finished:
            try:
                observe(line)
            except Exception:  # the request has been answered; nothing of it may fail here
                logger.exception("observer of requests failed")

    async def start(self) -> None:
        self._writer = asyncio.create_task(self._write_on(), name=self.name)

    async def stop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
            self._writer = None
        self.flush()

    def flush(self) -> None:
        """Writes what waits, now and here."""
        while (put := self._render_some()) is not None:
            put()

    def _render_some(self) -> Callable[[], None] | None:
        """What writes the oldest lines; None where none waits."""
        dropped, self._dropped = self._dropped, 0
        if dropped:
            LINES_DROPPED.of().add(dropped)
            logger.bind(dropped=dropped).warning("access log lines dropped")
        if not self._waiting:
            return None
        batch, self._waiting = self._waiting[:LINES_A_TURN], self._waiting[LINES_A_TURN:]
        return self._write(batch) or _nothing

    async def _write_on(self) -> None:
        while True:
            await self._has_lines.wait()
            await asyncio.sleep(FLUSH_AFTER_S)
            self._has_lines.clear()
            try:
                while (put := self._render_some()) is not None:
                    await asyncio.to_thread(put)
            except Exception:
                logger.exception("access log could not be written")


def _nothing() -> None: ...
