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
from collections.abc import Iterable, Mapping

import attrs

from streamgate.telemetry.measures import Counts

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
CAPACITY = 5_000
RESERVE_SHARE = 0.2
TEXT_CHARS = 4_000

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


class LogTap:
    """Made by `open_tap`; filled from any thread, emptied by its owner."""

    def __init__(self, least: str, capacity: int) -> None:
        self._least = LEVELS[least]
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

    def take(self, most: int) -> tuple[list[LogRecord], int]:
        """The oldest records, and how many have been dropped since the last time."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            return [self._records.popleft() for _ in range(min(most, len(self._records)))], dropped

    def close(self) -> None:
        _taps.discard(self)


_taps: set[LogTap] = set()


def open_tap(least: str = "INFO", *, capacity: int = CAPACITY) -> LogTap:
    """From now on records of that level on are kept, at most `capacity`."""
    tap = LogTap(least, capacity)
    _taps.add(tap)
    return tap


def offer_to_taps(records: Iterable[LogRecord]) -> None:
    """Nothing is rendered while nobody taps."""
    if taps := tuple(_taps):
        for record in records:
            for tap in taps:
                tap.offer(record)
