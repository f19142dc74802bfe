"""A plugin that tells of what moved, and who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import attrs
from sqlalchemy import func, select

from streamgate.bus.memory import MemoryBus
from streamgate.events import EventsUnit, EventType, Received, on_group
from streamgate.sdk.db import Database, emit
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.wait import eventually


@attrs.frozen(kw_only=True)
class Moved:
    subject_id: str
    revision: int


MOVED = EventType("thing.moved", Moved)


Handler = Callable[[Received[Moved]], Awaitable[None]]


class Heard:
    """Collects what a group was told."""

    def __init__(self) -> None:
        self.events: list[Received[Moved]] = []
        self._changed = asyncio.Event()

    async def __call__(self, event: Received[Moved]) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, count: int) -> list[tuple[str, int]]:
        while len(self.events) < count:
            self._changed.clear()
            await self._changed.wait()
        return [(event.body.subject_id, event.body.revision) for event in self.events]


@asynccontextmanager
async def process(
    sample: ModuleType, folder: Path, url: str, handler: Handler | None, bus: MemoryBus | None = None
) -> AsyncIterator[Database]:
    """The plugin in a process of its own (its own engine, its own bus), with a subscriber."""
    bus = bus or MemoryBus()
    ctx = plugin_context("sample", data_dir=folder, database_url=url, bus=bus)
    db = Database.for_plugin(ctx, sample.tables.TABLES, migrations="sample_plugin.migrations")
    declared = [on_group(MOVED, handler, group="listener")] if handler is not None else []
    async with running(bus_unit(bus), *db.units(), EventsUnit(bus, declared, needs=("bus", "sample.db"))):
        yield db


async def move(db: Database, subject: str, revision: int) -> str:
    return await db.write(lambda session: emit(session, MOVED, Moved(subject_id=subject, revision=revision)))


async def rows_left(db: Database, sample: ModuleType) -> int:
    outbox = sample.tables.TABLES.tables["sample_outbox"]
    return await db.read(lambda session: session.scalar(select(func.count()).select_from(outbox))) or 0


async def until_empty(db: Database, sample: ModuleType) -> None:
    async def probe() -> bool | None:
        return True if await rows_left(db, sample) == 0 else None

    await eventually(probe, every_s=0.01, what="an empty outbox")
