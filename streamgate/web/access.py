"""The access log: one line a request, rendered and written in batches by a thread.

A record of loguru for each request, with its queue and its renderer, cost a fifth of the small requests that
one process can answer and tripled their p99 (the thread takes turns with the event loop). A batch of plain
lines costs next to nothing. They look like those of `telemetry.py` and go to the same place.

A line has the path without its query (queries may carry tokens) and the user's opaque id. When lines come
faster than they are written, the newest are dropped and counted.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable, Sequence

import attrs
import orjson
from loguru import logger

from streamgate.settings import LogSettings
from streamgate.telemetry import redact

FLUSH_AFTER_S = 0.05  # short, so that no batch keeps the event loop waiting for the interpreter's lock
MAX_WAITING = 20_000


@attrs.frozen(slots=True)
class Access:
    """One request that was answered. `at_s`: Unix time of the answer. `status` 499: the client left before it.
    Sizes are of the body."""

    at_s: float
    method: str
    path: str
    status: int
    duration_ms: float
    sent_bytes: int
    request_id: str
    user_id: str
    client: str

    @property
    def level(self) -> str:
        return "WARNING" if self.status >= 500 else "INFO"


# Hiding costs more than the rest of a line: only where a path has the look of it (ids have at most 40 characters).
_SUSPECT = re.compile(r"/s/|eyJ|:/|[^/]{41}")
_SHOWN = tuple(field.name for field in attrs.fields(Access) if field.name != "at_s")

Writer = Callable[[Sequence[Access]], None]


class AccessLog:
    """A unit: `add` is quick, a task hands batches to a thread. Without `start()` lines wait for `flush()`.

    Args:
        write: takes a batch; never two at once.
    """

    name = "web.access-log"
    needs: tuple[str, ...] = ()

    def __init__(self, write: Writer) -> None:
        self._write = write
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
            await self._has_lines.wait()
            await asyncio.sleep(FLUSH_AFTER_S)
            self._has_lines.clear()
            try:
                await asyncio.to_thread(self.flush)
            except Exception:
                logger.exception("access log could not be written")


def line_writer(settings: LogSettings) -> Writer:
    """Writes lines to standard error, in the log's format and from its level on."""
    render = _json_line if settings.format == "json" else _console_line
    least = logger.level(settings.level).no

    def write(batch: Sequence[Access]) -> None:
        sys.stderr.write("".join(render(line) for line in batch if logger.level(line.level).no >= least))
        sys.stderr.flush()

    return write


def _json_line(line: Access) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(line.at_s))
    head = {"time": f"{moment}.{_ms(line):03d}Z", "level": line.level, "event": "request"}
    return orjson.dumps({**head, **_fields(line)}).decode() + "\n"


def _console_line(line: Access) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(line.at_s))
    fields = " ".join([f"{name}={value}" for name, value in _fields(line).items()])
    return f"{clock}.{_ms(line):03d} {line.level:<7} request  {fields}\n"


def _fields(line: Access) -> dict[str, object]:
    return {name: _path(line) if name == "path" else getattr(line, name) for name in _SHOWN}


def _path(line: Access) -> str:
    """The path without what opens something, and without characters that forge a line or move the cursor."""
    path = redact(line.path) if _SUSPECT.search(line.path) else line.path
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def _ms(line: Access) -> int:
    return int(line.at_s * 1000) % 1000
