"""Log lines between their coming and their being kept. Bounded: a flood loses the oldest, and says so."""

from __future__ import annotations

from collections import deque

from loguru import logger

from streamgate.contracts.logs import LogBatch, LogLine

MAX_WAITING = 20_000
LINES_A_WRITE = 100
"""Everybody else's writes wait for one of these where the database is SQLite: about 5 ms."""


class LogKeeping:
    """Every replica hears every line; the leader takes them. Who becomes leader goes on where the last one ended."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, LogLine]] = deque(maxlen=MAX_WAITING)
        self._dropped = 0

    def hear(self, batch: LogBatch) -> None:
        self._dropped += max(0, len(self._waiting) + len(batch.lines) - MAX_WAITING) + batch.dropped
        self._waiting.extend((batch.instance, line) for line in batch.lines)

    def begin(self, newest_at_ms: int) -> None:
        """Leaves out what an earlier leader has kept."""
        self._waiting = deque((each for each in self._waiting if each[1].at_ms > newest_at_ms), maxlen=MAX_WAITING)
        self._dropped = 0

    def put_back(self, taken: list[tuple[str, list[LogLine]]]) -> None:
        """What could not be kept now. Where there is no room any more, the oldest are lost."""
        lines = [(instance, line) for instance, lines in taken for line in lines]
        room = MAX_WAITING - len(self._waiting)
        self._dropped += max(0, len(lines) - room)
        self._waiting.extendleft(reversed(lines[max(0, len(lines) - room) :]))

    def take(self) -> list[tuple[str, list[LogLine]]]:
        """Lines by process, in order, at most `LINES_A_WRITE`."""
        dropped, self._dropped = self._dropped, 0
        if dropped:
            logger.bind(dropped=dropped).warning("log lines were not kept")
        found: dict[str, list[LogLine]] = {}
        for _ in range(min(LINES_A_WRITE, len(self._waiting))):
            instance, line = self._waiting.popleft()
            found.setdefault(instance, []).append(line)
        return list(found.items())
