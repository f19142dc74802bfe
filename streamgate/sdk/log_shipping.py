"""Tells the log of this process to whoever keeps logs: a unit of every process (`streamgate.process_units`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from loguru import logger

from streamgate.bus.base import PayloadTooLarge
from streamgate.context import CallContext, new_request_id, use_call
from streamgate.contracts.logs import LOGS, LogBatch, LogLine
from streamgate.events import Events
from streamgate.plugins import PluginContext
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock
from streamgate.telemetry.tap import LogRecord, LogTap, open_tap

EVERY_S = 1.0
LINES_A_ROUND = 2_000
LINES_A_BATCH = 100
"""Requests wait while a batch is made, and where it is read: some milliseconds."""
CHARS_A_BATCH = 200_000
"""At most four bytes each, and a message has a million."""


def process_units(ctx: PluginContext) -> list[LogShipping]:
    telemetry = ctx.settings.telemetry
    if telemetry.ship_logs == "NOTHING":
        return []
    tap = open_tap(telemetry.ship_logs, ordinary_per_s=telemetry.ship_requests_per_s)
    return [LogShipping(ctx.events, tap, service="+".join(ctx.selected) if ctx.mode == "only" else "all")]


class LogShipping:
    """A unit. What is said after it has stopped is on standard error only.

    Args:
        tap: closed at the stop.
        service: of lines that no plugin says (requests, the kernel).
    """

    name = "telemetry.log-shipping"
    needs = ("bus", "events")

    def __init__(self, events: Events, tap: LogTap, *, service: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._events = events
        self._tap = tap
        self._service = service
        self._clock = clock
        self._untold = 0  # lines that were left out
        self._telling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._telling = asyncio.create_task(self._tell_on(), name=self.name)

    async def stop(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
            self._telling = None
        try:
            await self.tell()
        finally:
            self._tap.close()

    async def _tell_on(self) -> None:
        while True:
            await self._clock.sleep(EVERY_S)
            try:
                await self.tell()
            except Exception:
                logger.exception("log was not told")  # the next second's says how much is missing

    async def tell(self) -> None:
        """What has come since the last time, at most `LINES_A_ROUND` lines."""
        records, dropped = self._tap.take(LINES_A_ROUND)
        self._untold += dropped
        left = len(records)
        try:
            with use_call(CallContext(request_id=new_request_id())):
                for lines in _parcels(map(self._as_line, records)):
                    await self._tell_parcel(lines)
                    left -= len(lines)
                    await asyncio.sleep(0)
        finally:
            self._untold += left

    async def _tell_parcel(self, lines: tuple[LogLine, ...]) -> None:
        batch = LogBatch(instance=self._events.source, lines=lines, dropped=self._untold)
        try:
            await self._events.broadcast(LOGS, batch)
        except PayloadTooLarge:  # a line with very many fields
            self._untold += len(lines)
        else:
            self._untold = 0

    def _as_line(self, record: LogRecord) -> LogLine:
        return LogLine(
            at_ms=record.at_ms,
            level=record.level,
            event=record.event,
            service=record.service or self._service,
            request_id=record.request_id,
            trace_id=record.trace_id,
            fields=dict(record.fields),
        )


def _parcels(lines: Iterable[LogLine]) -> Iterator[tuple[LogLine, ...]]:
    """In order, none with more than a message can carry."""
    parcel: list[LogLine] = []
    chars = 0
    for line in lines:
        size = len(line.event) + sum(len(name) + len(value) for name, value in line.fields.items())
        if parcel and (len(parcel) >= LINES_A_BATCH or chars + size > CHARS_A_BATCH):
            yield tuple(parcel)
            parcel, chars = [], 0
        parcel.append(line)
        chars += size
    if parcel:
        yield tuple(parcel)
