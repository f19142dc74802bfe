"""A request that has ended, and its line in the log: for people, for machines, for taps.

Rendered in batches in the event loop (`web/access.py`), so what a line costs is taken from every request.
"""

from __future__ import annotations

import functools
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson

from streamgate.context import ANONYMOUS, Actor
from streamgate.settings import LogSettings
from streamgate.telemetry.logs import redact
from streamgate.telemetry.tap import LEVELS, LogRecord, offer_lines_to_taps

if TYPE_CHECKING:
    from streamgate.web.routes import Route

SLOW_MS = 1_000.0
_READS = frozenset({"GET", "HEAD", "OPTIONS"})

# Hiding costs more than the rest of a line: only where a path has the look of it (ids have at most 40 characters).
_SUSPECT = re.compile(r"/s/|eyJ|:/|[^/]{41}")
_ONLY_WHERE_THERE = ("service", "trace_id", "code")


class Access(NamedTuple):  # made for each request: a frozen attrs class of this size takes nine times as long
    """One request that was answered. `at_s`: Unix time of the answer. `status` 499: the client left before it.
    Sizes are of the body. `code`: of the problem that was the answer. `route`: None where none was reached."""

    at_s: float
    method: str
    path: str
    status: int
    duration_ms: float
    sent_bytes: int
    request_id: str
    user_id: str
    client: str
    trace_id: str = ""
    code: str = ""
    route: Route | None = None
    actor: Actor = ANONYMOUS

    @property
    def level(self) -> str:
        return "WARNING" if self.status >= 500 else "INFO"

    @property
    def is_ordinary(self) -> bool:
        """Good, fast, and a read or told of elsewhere: where there are many, one tells what the others do."""
        if self.status >= 400 or self.duration_ms >= SLOW_MS:
            return False
        return self.method in _READS or (self.route is not None and self.route.audited != "all")


Writer = Callable[[Sequence[Access]], Callable[[], None] | None]
"""Renders lines, and gives what writes them, which may have to wait; None: nothing is to be written."""


class LineWriter:
    """Writes lines to standard error, in the log's format and from its level on; `service`: as in the log."""

    def __init__(self, settings: LogSettings, service: str = "") -> None:
        self._service = service
        self.take(settings)

    def take(self, settings: LogSettings) -> None:
        """The lines that come are written by these settings."""
        is_json = settings.format == "json"
        self._render = functools.partial(_json_line, service=self._service) if is_json else _console_line
        self._least = LEVELS[settings.level]

    def __call__(self, batch: Sequence[Access]) -> Callable[[], None]:
        least = self._least
        shown = batch if least <= LEVELS["INFO"] else [line for line in batch if LEVELS[line.level] >= least]
        text = "".join(map(self._render, shown))
        offer_lines_to_taps(batch, _as_record)
        return functools.partial(_put, text)


def _put(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _as_record(line: Access) -> LogRecord:
    return LogRecord(
        at_ms=int(line.at_s * 1000),
        level=line.level,
        event="request",
        request_id=line.request_id,
        trace_id=line.trace_id,
        fields={
            "method": line.method,
            "path": shown_path(line.path),
            "status": str(line.status),
            "duration_ms": str(line.duration_ms),
            "sent_bytes": str(line.sent_bytes),
            "user_id": line.user_id,
            "client": line.client,
            **({"code": line.code} if line.code else {}),
        },
    )


def _json_line(line: Access, service: str) -> str:
    told = {
        "time": f"{_utc_second(int(line.at_s))}.{_ms(line):03d}Z",
        "level": line.level,
        "event": "request",
        "service": service,
        "method": line.method,
        "path": shown_path(line.path),
        "status": line.status,
        "duration_ms": line.duration_ms,
        "sent_bytes": line.sent_bytes,
        "request_id": line.request_id,
        "user_id": line.user_id,
        "client": line.client,
        "trace_id": line.trace_id,
        "code": line.code,
    }
    for name in _ONLY_WHERE_THERE:
        if not told[name]:
            del told[name]
    return orjson.dumps(told).decode() + "\n"


def _console_line(line: Access) -> str:
    at_s, method, path, status, duration_ms, sent_bytes, request_id, user_id, client, trace_id, code, _, _ = line
    second = int(at_s)
    more = f" trace_id={trace_id}" if trace_id else ""
    more += f" code={code}" if code else ""
    return (
        f"{_local_second(second)}.{int((at_s - second) * 1000):03d} {line.level:<7} request  method={method} "
        f"path={shown_path(path)} status={status} duration_ms={duration_ms} "
        f"sent_bytes={sent_bytes} request_id={request_id} user_id={user_id} client={client}{more}\n"
    )


@functools.lru_cache(maxsize=8)
def _utc_second(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s))


@functools.lru_cache(maxsize=8)
def _local_second(at_s: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_s))


def shown_path(path: str) -> str:
    """The path without what opens something, and without characters that forge a line or move the cursor."""
    path = redact(path) if _SUSPECT.search(path) else path
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def _ms(line: Access) -> int:
    return int(line.at_s * 1000) % 1000
