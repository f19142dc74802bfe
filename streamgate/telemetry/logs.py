"""Logs: one line a fact, on standard error, for people or for machines.

A call only puts its record on a queue; a thread renders, hides what must not be read, and writes. So a
request never waits for a terminal or a full pipe. Everything that logs by the standard library comes the
same way.
"""

from __future__ import annotations

import inspect
import logging
import queue
import re
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, TextIO

import orjson
from loguru import logger

from streamgate.settings import LogSettings

if TYPE_CHECKING:
    from loguru import Message, Record

MAX_WAITING = 20_000
"""Lines kept while the writer is behind; below WARNING, more are dropped and counted."""

HIDDEN = "…"

_SECRET_FIELD = re.compile(
    r"(^|_)(authorization|cookie|passwd|password|secret|signature|token|(api|content|master|private|signing)_key)$",
    re.IGNORECASE,
)
_SECRETS = (
    (re.compile(r"(/stream/s/)[^/\s\"'?#&]+"), rf"\1{HIDDEN}"),  # a playback token opens bytes
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(\.[\w-]*)?"), f"eyJ{HIDDEN}"),  # a JWT
    (re.compile(r"(?i)\b(bearer|authorization:\s*\w+)\s+[^\s\"']{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)([?&](?:[\w-]*(?:token|signature|secret|password|api_?key|apikey))=)[^&\s\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@\"']+@"), rf"\1{HIDDEN}@"),  # user:password@
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COLOURS = {"DEBUG": "\x1b[2m", "INFO": "\x1b[32m", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m"}
_RESERVED = frozenset({"time", "level", "event", "at", "exception", "exception_type", "stack"})
# They narrate each request or retry; ours say the same with more sense.
_CHATTY = ("aiobotocore", "asyncio", "botocore", "httpcore", "httpx", "hypercorn", "nats", "sqlalchemy", "alembic")


def setup_telemetry(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Sends all logs of this process to `stream` (standard error). A second call replaces the first."""
    out = sys.stderr if stream is None else stream
    render = render_json if settings.format == "json" else console_renderer(colours=out.isatty())
    logger.remove()
    # `format` as a function keeps loguru from rendering; `diagnose` would print the values of variables.
    logger.add(
        LogWriter(out, render), level=settings.level, format=lambda _: "{message}", backtrace=False, diagnose=False
    )
    logging.basicConfig(handlers=[_FromStandardLibrary()], level=settings.level, force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(text: str) -> str:
    """The text without tokens, passwords and playback paths that somebody could use."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class LogWriter:
    """A sink for loguru: `write` is quick and never waits, a daemon thread does the rest.

    `stop` (called by loguru when the sink is removed and at exit) writes what waits. Nothing here forks: children
    are spawned, and write their own lines.
    """

    def __init__(self, out: TextIO, render: Callable[[Record], str], *, max_waiting: int = MAX_WAITING) -> None:
        self._out = out
        self._render = render
        self._max_waiting = max_waiting
        self._waiting: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_on, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, message: Message) -> None:
        record = message.record
        if self._waiting.qsize() < self._max_waiting or record["level"].no >= logging.WARNING:
            self._waiting.put(record)
        else:
            self._dropped += 1

    def stop(self) -> None:
        self._waiting.put(None)
        self._thread.join(timeout=5.0)

    def _write_on(self) -> None:
        while (record := self._waiting.get()) is not None:
            self._write_line(record)
            if self._waiting.empty():
                self._tell_dropped()
                self._flush()
        self._tell_dropped()
        self._flush()

    def _write_line(self, record: Record) -> None:
        try:
            line = redact(self._render(record))
        except Exception as fault:  # a field that cannot be shown must not end the log
            line = f"log line could not be rendered ({type(fault).__name__}): {record['name']}:{record['line']}"
        self._put(line)

    def _tell_dropped(self) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            self._put(orjson.dumps({"level": "WARNING", "event": "log lines dropped", "dropped": dropped}).decode())

    def _put(self, line: str) -> None:
        try:
            self._out.write(line + "\n")
        except (OSError, ValueError):
            return  # nobody reads any more; there is no better place to say so

    def _flush(self) -> None:
        try:
            self._out.flush()
        except (OSError, ValueError):
            return


# --- rendering ------------------------------------------------------------------------------------


def render_json(record: Record) -> str:
    """One JSON object: time (UTC), level, event, at (module:line), the bound fields, an exception if there is one."""
    line: dict[str, Any] = {
        "time": _utc(record),
        "level": record["level"].name,
        "event": record["message"],
        "at": f"{record['name']}:{record['line']}",
    }
    for name, value in _fields(record).items():
        line[f"{name}_" if name in _RESERVED else name] = value
    if record["exception"] is not None and record["exception"].value is not None:
        fault = record["exception"].value
        line |= {"exception_type": type(fault).__name__, "exception": str(fault), "stack": _stack(record)}
    return orjson.dumps(line, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def console_renderer(*, colours: bool) -> Callable[[Record], str]:
    def render(record: Record) -> str:
        level = record["level"].name
        fields = "".join(f" {name}={_readable(value)}" for name, value in _fields(record).items())
        if colours:
            level_shown = f"{_COLOURS.get(level, '')}{level:<7}\x1b[0m"
            fields = f"\x1b[2m{fields}\x1b[0m"
        else:
            level_shown = f"{level:<7}"
        clock = record["time"].strftime("%H:%M:%S.%f")[:-3]
        line = f"{clock} {level_shown} {_one_line(record['message'])} {fields}".rstrip()
        return f"{line}\n{_stack(record)}".rstrip() if record["exception"] is not None else line

    return render


def _fields(record: Record) -> Mapping[str, Any]:
    return {name: HIDDEN if _SECRET_FIELD.search(name) else value for name, value in record["extra"].items()}


def _utc(record: Record) -> str:
    moment = record["time"].astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _stack(record: Record) -> str:
    fault = record["exception"]
    return "" if fault is None else "".join(traceback.format_exception(fault.type, fault.value, fault.traceback))


def _one_line(text: str) -> str:
    """Control characters written out, so that no value can forge a line or move the cursor."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _readable(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return _one_line(text) if text and " " not in text else f'"{_one_line(text)}"'


class _FromStandardLibrary(logging.Handler):
    """Hands records of `logging` to loguru, with the caller's place and the exception kept."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        frame, depth = inspect.currentframe(), 0
        while frame is not None and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        logger.opt(depth=depth, exception=record.exc_info).log(level, "{}", record.getMessage())
