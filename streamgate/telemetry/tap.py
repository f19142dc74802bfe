"""The log for machines of this process: `open_tap` keeps its newest records until somebody takes them.

Records are filled in by the threads that write the log, off the path of every request, and hold what a line holds:
secrets are hidden, texts are cut. A tap that is full drops and counts; records from WARNING on may use its reserve.

    tap = open_tap(least="INFO")
    records, dropped = tap.take(500)
    tap.close()
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import attrs

from streamgate.telemetry.measures import Counts

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
CAPACITY = 5_000
RESERVE_SHARE = 0.2
TEXT_CHARS = 4_000

LEFT_OUT = "ordinary requests left out"

ORDINARY_LEFT_OUT = Counts(
    "streamgate_telemetry_requests_left_out_total", "Ordinary requests that were not sent to the monitor with the log."
)
RECORDS_DROPPED = Counts("streamgate_telemetry_log_records_dropped_total", "Records that found a full tap.")


@attrs.frozen(kw_only=True)
class LogRecord:
    """One fact of the log. `at_ms`: milliseconds since 1970. `service`: the plugin that says it, "" for the process as
    a whole. `fields` are texts, as a line shows them."""

    at_ms: int
    level: str
    event: str
    service: str = ""
    request_id: str = ""
    trace_id: str = ""
    fields: Mapping[str, str] = attrs.field(factory=dict)


class Line(Protocol):
    """A line that is no record yet. `is_ordinary`: it says what very many others say too. `at_s`: Unix time."""

    @property
    def at_s(self) -> float: ...

    @property
    def level(self) -> str: ...

    @property
    def is_ordinary(self) -> bool: ...


L = TypeVar("L", bound=Line)


class LogTap:
    """Made by `open_tap`; filled from any thread, emptied by its owner.

    Args:
        ordinary_per_s: how many ordinary lines of a second are kept, the first of it; how many were left out is a
            record of its own. None: all.
    """

    def __init__(self, least: str, capacity: int, ordinary_per_s: int | None = None) -> None:
        self._least = LEVELS[least]
        self._ordinary_per_s = ordinary_per_s
        self._second = 0
        self._ordinary = 0  # of that second
        self._left_out = 0
        self._capacity = capacity
        self._room_for_info = int(capacity * (1 - RESERVE_SHARE))
        self._records: deque[LogRecord] = deque()
        self._dropped = 0
        self._lock = threading.Lock()

    def offer(self, record: LogRecord) -> None:
        level = LEVELS.get(record.level, 0)
        if level < self._least:
            return
        with self._lock:
            if len(self._records) < (self._capacity if level >= LEVELS["WARNING"] else self._room_for_info):
                self._records.append(record)
            else:
                self._dropped += 1
                RECORDS_DROPPED.of().add()

    def choose(self, lines: Iterable[L]) -> list[L]:
        """Those that are to be offered."""
        with self._lock:
            return [line for line in lines if LEVELS[line.level] >= self._least and self._has_room_for(line)]

    def _has_room_for(self, line: Line) -> bool:
        if self._ordinary_per_s is None or not line.is_ordinary:
            return True
        second = int(line.at_s)
        if second != self._second:
            self._second, self._ordinary = second, 0
        self._ordinary += 1
        if self._ordinary <= self._ordinary_per_s:
            return True
        self._left_out += 1
        return False

    def take(self, most: int) -> tuple[list[LogRecord], int]:
        """The oldest records, and how many have been dropped since the last time."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            left_out, self._left_out = self._left_out, 0
            taken = [self._records.popleft() for _ in range(min(most, len(self._records)))]
        if left_out:
            ORDINARY_LEFT_OUT.of().add(left_out)
            fields = {"count": str(left_out)}
            taken.append(LogRecord(at_ms=self._second * 1000, level="INFO", event=LEFT_OUT, fields=fields))
        return taken, dropped

    def close(self) -> None:
        _taps.discard(self)


_taps: set[LogTap] = set()


def open_tap(least: str = "INFO", *, capacity: int = CAPACITY, ordinary_per_s: int | None = None) -> LogTap:
    """From now on records of that level on are kept, at most `capacity`."""
    tap = LogTap(least, capacity, ordinary_per_s)
    _taps.add(tap)
    return tap


def offer_to_taps(records: Iterable[LogRecord]) -> None:
    """Nothing is rendered while nobody taps."""
    if taps := tuple(_taps):
        for record in records:
            for tap in taps:
                tap.offer(record)


def offer_lines_to_taps(lines: Sequence[L], as_record: Callable[[L], LogRecord]) -> None:
    """Only what a tap will keep becomes a record."""
    for tap in tuple(_taps):
        for line in tap.choose(lines):
            tap.offer(as_record(line))
