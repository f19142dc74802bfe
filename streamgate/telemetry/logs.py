"""Logs: one line a fact, on standard error, for people or for machines.

A call only puts its record on a queue; a thread renders, hides what must not be read, and writes. So a
request never waits for a terminal or a full pipe. Everything that logs by the standard library comes the
same way. Each line has the request id and the trace id of the call it was written in; `tap.py` hands the same
records to machines.
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

from streamgate.context import call_in_progress
from streamgate.settings import LogSettings
from streamgate.telemetry.measures import Counts
from streamgate.telemetry.tap import LEVELS, TEXT_CHARS, LogRecord, offer_to_taps
from streamgate.telemetry.tracing import trace_id_of

if TYPE_CHECKING:
    from loguru import Message, Record

MAX_WAITING = 20_000
"""Lines kept while the writer is behind; more are dropped and counted. From WARNING on twice as many are kept."""

LINES_DROPPED = Counts("streamgate_log_dropped_total", "Log lines that found no room while the writer was behind.")

HIDDEN = "…"

_SECRET_FIELD = re.compile(
    r"(^|_)(authorization|cookie|passwd|password|secret|signature|token|(api|content|master|private|signing)_key)$",
    re.IGNORECASE,
)
_SECRETS = (
    (re.compile(r"(/stream/s/)[^/\s\"'?#&]+"), rf"\1{HIDDEN}"),  # a playback token opens bytes
    (re.compile(r"(/stream/segment\?[^\s\"']*?\bsession=)[^&\s\"']+"), rf"\1{HIDDEN}"),  # the same, in a query
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


def setup_telemetry(
    settings: LogSettings, *, stream: TextIO | None = None, service: str = "", tapped: str = ""
) -> None:
    """Sends all logs of this process to `stream` (standard error). A second call replaces the first.

    Args:
        service: what this process is called in lines for machines.
        tapped: the least level that taps are given, where that is below what is shown.
    """
    out = sys.stderr if stream is None else stream
    render = json_renderer(service) if settings.format == "json" else console_renderer(colours=out.isatty())
    least = min((settings.level, tapped or settings.level), key=LEVELS.__getitem__)
    writer = LogWriter(out, render, shown_from=LEVELS[settings.level])
    logger.remove()
    logger.configure(patcher=_add_call)
    # `format` as a function keeps loguru from rendering; `diagnose` would print the values of variables.
    logger.add(writer, level=least, format=lambda _: "{message}", backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_FromStandardLibrary()], level=least, force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _add_call(record: Record) -> None:
    call = call_in_progress()
    if call is not None:
        extra = record["extra"]
        extra.setdefault("request_id", call.request_id)
        if call.traceparent:
            extra.setdefault("trace_id", trace_id_of(call.traceparent))


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

    def __init__(
        self, out: TextIO, render: Callable[[Record], str], *, max_waiting: int = MAX_WAITING, shown_from: int = 0
    ) -> None:
        self._out = out
        self._render = render
        self._shown_from = shown_from
        self._max_waiting = max_waiting
        self._waiting: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_on, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, message: Message) -> None:
        record = message.record
        room = self._max_waiting * (2 if record["level"].no >= logging.WARNING else 1)
        if self._waiting.qsize() < room:
            self._waiting.put(record)
        else:
            self._dropped += 1

    def stop(self) -> None:
        self._waiting.put(None)
        self._thread.join(timeout=5.0)

    def _write_on(self) -> None:
        while (record := self._waiting.get()) is not None:
            if record["level"].no >= self._shown_from:
                self._write_line(record)
            offer_to_taps(map(_as_record, (record,)))
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
            LINES_DROPPED.of().add(dropped)
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


def json_renderer(service: str) -> Callable[[Record], str]:
    """One JSON object: time (UTC), level, event, at (module:line), service, the bound fields, an exception if there
    is one."""

    def render(record: Record) -> str:
        line: dict[str, Any] = {
            "time": _utc(record),
            "level": record["level"].name,
            "event": record["message"],
            "at": f"{record['name']}:{record['line']}",
        } | ({"service": service} if service else {})
        for name, value in _fields(record).items():
            line[f"{name}_" if name in _RESERVED else name] = value
        line |= _exception(record)
        return orjson.dumps(line, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()

    return render


def _exception(record: Record) -> dict[str, str]:
    if record["exception"] is None or record["exception"].value is None:
        return {}
    fault = record["exception"].value
    return {"exception_type": type(fault).__name__, "exception": str(fault), "stack": _stack(record)}


def _as_record(record: Record) -> LogRecord:
    """For taps: as a line for machines, every text without what must not be read."""
    fields = {"at": f"{record['name']}:{record['line']}", **_fields(record), **_exception(record)}
    texts = {str(name): _safe_text(value) for name, value in fields.items()}
    plugin = (record["name"] or "").partition(".")[0].partition("streamgate_")[2]
    return LogRecord(
        at_ms=int(record["time"].timestamp() * 1000),
        level=record["level"].name,
        event=_safe_text(record["message"]),
        service=plugin,
        request_id=texts.pop("request_id", ""),
        trace_id=texts.pop("trace_id", ""),
        fields=texts,
    )


def _safe_text(value: object) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
        return redact(text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}…")
    except Exception as fault:  # a field that cannot be shown must not end the log
        return f"could not be shown ({type(fault).__name__})"


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
