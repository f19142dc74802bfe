"""The access log: one line a request, written in batches by a thread, so that no request waits for it.

A line has the path without its query (queries may carry playback tokens) and the user's opaque id, never an
address or a header. When lines come faster than they are written, the newest are dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import attrs
from loguru import logger

FLUSH_EVERY_S = 0.25
MAX_WAITING = 20_000


@attrs.frozen(slots=True)
class Access:
    """One request that was answered. `status` 499: the client left before the answer. Sizes are of the body."""

    method: str
    path: str
    status: int
    duration_ms: float
    sent_bytes: int
    request_id: str
    user_id: str
    client: str


def write_lines(batch: Sequence[Access]) -> None:
    """The usual writer: each as a record of the log with its fields, server faults as warnings."""
    for line in batch:
        fields = attrs.asdict(line)
        logger.bind(**fields).log("WARNING" if line.status >= 500 else "INFO", "request")


class AccessLog:
    """A unit. Without `start()` (tests, tools) lines wait until `flush()`.

    Args:
        write: takes a batch, in a thread of its own; never two at once.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, write: Callable[[Sequence[Access]], None] = write_lines) -> None:
        self.name = "web.access-log"
        self._write = write
        self._waiting: list[Access] = []
        self._dropped = 0
        self._writer: asyncio.Task[None] | None = None

    def add(self, line: Access) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(line)
        else:
            self._dropped += 1

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
        batch, self._waiting = self._waiting, []
        dropped, self._dropped = self._dropped, 0
        if dropped:
            logger.bind(dropped=dropped).warning("access log lines dropped")
        if batch:
            self._write(batch)

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            if self._waiting or self._dropped:
                try:
                    await asyncio.to_thread(self.flush)
                except Exception:
                    logger.exception("access log could not be written")
