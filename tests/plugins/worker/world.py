"""A worker process for tests: its service, a clock that tests move, and everything it says recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.contracts.events import JOB_CHECKPOINT, JOB_FINISHED, JobCheckpoint, JobFinished
from streamgate.contracts.jobs import (
    JOBS,
    JOBS_AVAILABLE,
    JOBS_CANCELLED,
    Enqueue,
    JobsAvailable,
    JobsCancelled,
    Kind,
    Lease,
    LeaseQuery,
    NewJob,
    RegisterKinds,
)
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.events import Events, EventsUnit, Received, on_everyone, on_group
from streamgate.sdk.db import Database
from streamgate.services import Offer, Services
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate_worker.config import WorkerConfig
from streamgate_worker.hearing import Hearing
from streamgate_worker.queue import Queue
from streamgate_worker.service import WorkerService
from streamgate_worker.tables import TABLES

T = TypeVar("T")

PAYLOAD_SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}


@attrs.define
class World:
    """A worker process and what it said."""

    service: WorkerService
    db: Database
    bus: MemoryBus
    services: Services
    events: Events
    clock: FakeClock
    finished: list[JobFinished] = attrs.field(factory=list)
    checkpoints: list[JobCheckpoint] = attrs.field(factory=list)
    woken: list[tuple[str, ...]] = attrs.field(factory=list)
    cancelled: list[tuple[str, ...]] = attrs.field(factory=list)
    live: list[LiveUpdate] = attrs.field(factory=list)
    noted: list[AuditEntry] = attrs.field(factory=list)
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def until(self, said: list[T], count: int) -> list[T]:
        """Waits until so many of them have arrived."""
        while len(said) < count:
            self._changed.clear()
            await self._changed.wait()
        return said

    async def on_available(self, event: Received[JobsAvailable]) -> None:
        self.woken.append(event.body.kinds)
        self._changed.set()

    async def on_cancelled(self, event: Received[JobsCancelled]) -> None:
        self.cancelled.append(event.body.job_ids)
        self._changed.set()

    async def on_finished(self, event: Received[JobFinished]) -> None:
        self.finished.append(event.body)
        self._changed.set()

    async def on_checkpoint(self, event: Received[JobCheckpoint]) -> None:
        self.checkpoints.append(event.body)
        self._changed.set()

    async def on_live(self, event: Received[LiveUpdate]) -> None:
        self.live.append(event.body)
        self._changed.set()

    async def on_audited(self, event: Received[AuditEntry]) -> None:
        self.noted.append(event.body)
        self._changed.set()

    async def until_finished(self, count: int) -> list[JobFinished]:
        return await self.until(self.finished, count)

    async def until_checkpoints(self, count: int) -> list[JobCheckpoint]:
        return await self.until(self.checkpoints, count)

    async def add(self, key: str, **values: Any) -> str:
        job = NewJob(**{"kind": "media.probe", "payload": {"n": 1}, "idempotency_key": key, **values})
        return (await self.service.enqueue(Enqueue(jobs=(job,)))).job_ids[0]

    async def lease(self, *kinds: str, runner: str = "r1") -> Lease | None:
        query = LeaseQuery(kinds=kinds or ("media.probe", "media.chunk"), runner=runner)
        return (await self.service.lease(query)).lease

    async def must_lease(self, *kinds: str, runner: str = "r1") -> Lease:
        lease = await self.lease(*kinds, runner=runner)
        assert lease is not None
        return lease


@asynccontextmanager
async def running_worker(url: str, folder: Path, clock: FakeClock, config: WorkerConfig) -> AsyncIterator[World]:
    bus = MemoryBus()
    services = Services(bus, source="worker@test", wire_local=True)
    ctx = plugin_context("worker", data_dir=folder, database_url=url, bus=bus, services=services)
    db = Database.for_plugin(ctx, TABLES, migrations="streamgate_worker.migrations")
    service = WorkerService(db, ctx.events, clock, Queue(config))
    services.offer(Offer(JOBS, service))
    services.settle()
    world = World(service, db, bus, services, ctx.events, clock)

    async def nothing() -> None:
        return None

    heard = EventsUnit(
        bus,
        [
            *Hearing(service).subscriptions(),
            on_group(JOB_FINISHED, world.on_finished, group="listener"),
            on_group(JOB_CHECKPOINT, world.on_checkpoint, group="listener"),
            on_group(AUDITED, world.on_audited, group="listener"),
            on_everyone(JOBS_AVAILABLE, world.on_available, resync=nothing),
            on_everyone(JOBS_CANCELLED, world.on_cancelled, resync=nothing),
            on_everyone(LIVE, world.on_live, resync=nothing),
        ],
        needs=("bus", "worker.db"),
    )
    async with running(bus_unit(bus), *db.units(), heard):
        kinds = tuple(
            Kind(name=name, summary="", payload_schema=PAYLOAD_SCHEMA, user_may_submit=name == "media.probe")
            for name in ("media.probe", "media.chunk")
        )
        await service.register_kinds(RegisterKinds(kinds=kinds, plugin="test"))
        yield world
