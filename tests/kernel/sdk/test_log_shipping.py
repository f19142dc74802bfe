"""The log of a process on its way to whoever keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from streamgate.bus.base import MAX_PAYLOAD_BYTES
from streamgate.bus.memory import MemoryBus
from streamgate.contracts.logs import LOGS, LogBatch
from streamgate.events import Events, EventsUnit, Received, on_everyone
from streamgate.sdk.log_shipping import EVERY_S, LINES_A_BATCH, LogShipping
from streamgate.telemetry.tap import LogRecord, LogTap
from streamgate.testing.clock import FakeClock, settle
from streamgate.testing.context import bus_unit, running
from streamgate.testing.wait import eventually


@attrs.define
class Keeper:
    """Stands in for monitor."""

    batches: list[LogBatch] = attrs.field(factory=list)

    async def hear(self, received: Received[LogBatch]) -> None:
        self.batches.append(received.body)

    async def nothing(self) -> None:
        return None


@asynccontextmanager
async def shipping(tap: LogTap, keeper: Keeper, clock: FakeClock) -> AsyncIterator[LogShipping]:
    bus = MemoryBus()
    hears = [on_everyone(LOGS, keeper.hear, resync=keeper.nothing)]
    unit = LogShipping(Events(bus, source="toy@here-1"), tap, service="toy", clock=clock)
    async with running(bus_unit(bus), EventsUnit(bus, hears, needs=("bus",)), unit):
        yield unit


def record(number: int, text: str = "") -> LogRecord:
    return LogRecord(at_ms=number, level="INFO", event="said", service="upload" if number else "", fields={"t": text})


async def heard(keeper: Keeper, lines: int) -> None:
    async def all_there() -> bool | None:
        return sum(len(batch.lines) for batch in keeper.batches) >= lines or None

    await eventually(all_there, what=f"{lines} lines")


async def test_a_second_of_log_is_one_batch() -> None:
    tap, keeper, clock = LogTap("INFO", 100), Keeper(), FakeClock()
    async with shipping(tap, keeper, clock):
        tap.offer(record(0))
        tap.offer(record(1))
        await settle()  # until it sleeps
        await clock.advance(EVERY_S)
        await heard(keeper, 2)
    (batch,) = keeper.batches
    assert (batch.instance, batch.dropped) == ("toy@here-1", 0)
    assert [(line.at_ms, line.service) for line in batch.lines] == [(0, "toy"), (1, "upload")]


async def test_what_waits_is_told_at_the_stop_with_what_was_dropped() -> None:
    tap, keeper = LogTap("INFO", 10), Keeper()
    async with shipping(tap, keeper, FakeClock()):
        for number in range(20):
            tap.offer(record(number))
    assert [(len(batch.lines), batch.dropped) for batch in keeper.batches] == [(8, 12)]


async def test_what_a_fault_kept_from_being_told_is_told_of() -> None:
    tap, keeper = LogTap("INFO", 100), Keeper()
    async with shipping(tap, keeper, FakeClock()) as unit:
        tap.offer(record(1, "\ud800"))  # no UTF-8
        tap.offer(record(2))
        with pytest.raises(TypeError):
            await unit.tell()
        tap.offer(record(3))
        await unit.tell()
        await heard(keeper, 1)
    assert [([line.at_ms for line in batch.lines], batch.dropped) for batch in keeper.batches] == [([3], 2)]


async def test_no_batch_is_more_than_a_message_can_carry() -> None:
    tap, keeper = LogTap("INFO", 5_000), Keeper()
    async with shipping(tap, keeper, FakeClock()) as unit:
        for number in range(LINES_A_BATCH + 1):
            tap.offer(record(number))
        for number in range(100):
            tap.offer(record(number, "ü" * 4_000))
        tap.offer(LogRecord(at_ms=7, level="INFO", event="huge", fields={str(n): "x" * 4_000 for n in range(300)}))
        tap.offer(record(8))
        await unit.tell()
        await heard(keeper, LINES_A_BATCH + 102)  # all but the one that no message carries
    lines = [line for batch in keeper.batches for line in batch.lines]
    assert len(lines) == LINES_A_BATCH + 102
    assert sum(batch.dropped for batch in keeper.batches) == 1
    assert len(keeper.batches) > 3
    assert MAX_PAYLOAD_BYTES < 300 * 4_000
