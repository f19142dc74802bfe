"""The access log: one line a request, rendered and written in batches by a thread.

A record of loguru for each request, with its queue and its renderer, cost a fifth of the small requests that
one process can answer and tripled their p99 (the thread takes turns with the event loop). A batch of plain
lines costs next to nothing. They look like those of `telemetry.py` and go to the same place.

A line has the path without its query (queries may carry tokens) and the user's opaque id. When lines come
faster than they are written, the newest are dropped and counted.

`on_finished` hears of each request as it ends, in the event loop: it may count or queue, not wait.
"""

from __future__ import annotations

import asyncio
import functools
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import attrs
import orjson
from loguru import logger

from streamgate.context import ANONYMOUS, Actor
from streamgate.settings import LogSettings
from streamgate.telemetry import redact
from streamgate.telemetry.measures import Counts
from streamgate.telemetry.tap import LogRecord, offer_to_taps
from streamgate.web.routes import Route

FLUSH_AFTER_S = 0.05  # short, so that no batch keeps the event loop waiting for the interpreter's lock
MAX_WAITING = 20_000

LINES_DROPPED = Counts("streamgate_access_log_dropped_total", "Lines of requests that found no room in the log.")


@attrs.frozen(slots=True)
class Access:
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


# Hiding costs more than the rest of a line: only where a path has the look of it (ids have at most 40 characters).
_SUSPECT = re.compile(r"/s/|eyJ|:/|[^/]{41}")
_SHOWN = tuple(field.name for field in attrs.fields(Access) if field.name not in ("at_s", "route", "actor"))

_ONLY_WHERE_THERE = ("trace_id", "code")

Writer = Callable[[Sequence[Access]], None]
Observer = Callable[[Access], None]


@runtime_checkable
class RequestObserver(Protocol):
    """A unit of `streamgate.process_units` that wants to hear of each request that has ended."""

    def on_request(self, request: Access) -> None:
        """Called in the event loop, while others wait: it counts or queues."""


class AccessLog:
    """A unit: `add` is quick, a task hands batches to a thread. Without `start()` lines wait for `flush()`.

    Args:
        write: takes a batch; never two at once.
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
        batch, self._waiting = self._waiting, []
        dropped, self._dropped = self._dropped, 0
        if dropped:
            LINES_DROPPED.of().add(dropped)
            logger.bind(dropped=dropped).warning("access log lines dropped")
        if batch:
            self._write(batch)

    async def _write_on(self) -> None:
        while True:
            await self._has_lines.wait()
            await asyncio.sleep(FLUSH_AFTER_S)
            self._has_lines.clear()
            try:
                await asyncio.to_thread(self.flush)
            except Exception:
                logger.exception("access log could not be written")


def line_writer(settings: LogSettings, service: str = "") -> Writer:
    """Writes lines to standard error, in the log's format and from its level on; `service`: as in the log."""
    render = functools.partial(_json_line, service=service) if settings.format == "json" else _console_line
    least = logger.level(settings.level).no

    def write(batch: Sequence[Access]) -> None:
        sys.stderr.write("".join(render(line) for line in batch if logger.level(line.level).no >= least))
        sys.stderr.flush()
        offer_to_taps(_as_record(line) for line in batch)

    return write


def _as_record(line: Access) -> LogRecord:
    fields = {name: str(value) for name, value in _fields(line).items() if name not in ("request_id", "trace_id")}
    return LogRecord(
        at_ms=int(line.at_s * 1000),
        level=line.level,
        event="request",
        request_id=line.request_id,
        trace_id=line.trace_id,
        fields=fields,
    )


def _json_line(line: Access, service: str) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(line.at_s))
    head = {"time": f"{moment}.{_ms(line):03d}Z", "level": line.level, "event": "request"}
    head |= {"service": service} if service else {}
    return orjson.dumps({**head, **_fields(line)}).decode() + "\n"


def _console_line(line: Access) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(line.at_s))
    fields = " ".join([f"{name}={value}" for name, value in _fields(line).items()])
    return f"{clock}.{_ms(line):03d} {line.level:<7} request  {fields}\n"


def _fields(line: Access) -> dict[str, object]:
    shown = {name: getattr(line, name) for name in _SHOWN}
    shown["path"] = shown_path(line.path)
    return {name: value for name, value in shown.items() if value != "" or name not in _ONLY_WHERE_THERE}


def shown_path(path: str) -> str:
    """The path without what opens something, and without characters that forge a line or move the cursor."""
    path = redact(path) if _SUSPECT.search(path) else path
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def _ms(line: Access) -> int:
    return int(line.at_s * 1000) % 1000
