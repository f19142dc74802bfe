"""Worker and its runners in processes of their own, over NATS; one of them is really stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from streamgate.bus.nats import NatsBus
from streamgate.contracts.events import JOB_FINISHED, JobFinished
from streamgate.contracts.jobs import JOBS, Cancel, Enqueue, NewJob, UnknownKind
from streamgate.events import EventsUnit, Received, on_group
from streamgate.lifecycle import SimpleUnit
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.sdk.db import Database
from streamgate.services import Offer, Services
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.servers import NatsServer
from streamgate.testing.wait import eventually
from streamgate_worker.config import WorkerConfig
from streamgate_worker.hearing import Hearing
from streamgate_worker.queue import Queue
from streamgate_worker.service import WorkerService
from streamgate_worker.sweeper import Sweeper
from streamgate_worker.tables import TABLES

RUNNER = """
import asyncio, sys
from pathlib import Path
import attrs
from loguru import logger
from streamgate.bus.nats import NatsBus
from streamgate.contracts.hooks import JobKind
from streamgate.hooks import Hooks, hookimpl
from streamgate.plugins import discover_specs
from streamgate.sdk.jobs import Runner
from streamgate.services import Services
from streamgate.testing.context import bus_unit, plugin_context, running

url, name, waits = sys.argv[1:]
logger.remove()
logger.add(lambda line: print("log", line, end="", flush=True), format="{message}", level="INFO")

@attrs.frozen(kw_only=True)
class Payload:
    n: int

@attrs.frozen(kw_only=True)
class Result:
    by: str

async def handler(payload, run):
    print("started", flush=True)
    if waits == "waits":
        await asyncio.sleep(0.3)
    if waits == "for ever":
        try:
            await asyncio.Event().wait()
        finally:
            print("stopped", flush=True)
    return Result(by=name)

class Plugin:
    @hookimpl
    def collect_job_kinds(self):
        return [JobKind(name="test.split", summary="", payload=Payload, result=Result, handler=handler)]

async def main():
    bus = NatsBus(url, name=name)
    hooks = Hooks()
    hooks.add_specs(discover_specs())
    hooks.register("media", Plugin(), required=True)
    services = Services(bus, source=name)
    services.settle()
    ctx = plugin_context("media", data_dir=Path("."), bus=bus, services=services, hooks=hooks)
    async with running(bus_unit(bus), Runner(ctx)):
        await asyncio.Event().wait()

asyncio.run(main())
"""


class Child:
    """A runner process; `next` returns its next line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def next(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def until(self, wanted: str) -> None:
        while wanted not in (line := await self.next()):
            assert line, f"the runner ended before it said {wanted!r}"

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def runner(url: str, name: str, waits: str, folder: Path) -> AsyncIterator[Child]:
    child = Child(
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUNNER, url, name, waits, cwd=folder, stdout=asyncio.subprocess.PIPE
        )
    )
    try:
        yield child
    finally:
        await child.kill()


@asynccontextmanager
async def worker(
    url: str, migrated_sqlite: Path, folder: Path, *, lease_s: float
) -> AsyncIterator[tuple[WorkerService, asyncio.Queue[Received[JobFinished]]]]:
    """Worker in this process, over NATS, and what it tells of jobs that ended."""
    shutil.copy(migrated_sqlite, folder / "streamgate.db")
    bus = NatsBus(url, name="worker")
    services = Services(bus, source="worker")
    ctx = plugin_context("worker", data_dir=folder, bus=bus, services=services)
    db = Database.for_plugin(ctx, TABLES, migrations="streamgate_worker.migrations")
    service = WorkerService(db, ctx.events, SYSTEM_CLOCK, Queue(WorkerConfig(lease_s=lease_s)))
    services.offer(Offer(JOBS, service))
    services.settle()
    finished: asyncio.Queue[Received[JobFinished]] = asyncio.Queue()
    heard = [*Hearing(service).subscriptions(), on_group(JOB_FINISHED, finished.put, group="listener")]
    units = [
        bus_unit(bus),
        *db.units(),
        SimpleUnit("services", services.start, services.stop, needs=("worker.db", "bus")),
        EventsUnit(bus, heard, needs=("services",)),
        Sweeper(service, db, SYSTEM_CLOCK, every_s=0.1),
    ]
    async with running(*units):
        yield service, finished


async def test_stopped_runner_loses_its_job_and_is_refused(
    nats_server: NatsServer, migrated_sqlite: Path, tmp_path: Path
) -> None:
    url = nats_server.url
    async with (
        worker(url, migrated_sqlite, tmp_path, lease_s=1.0) as (service, finished),
        runner(url, "frozen", "waits", tmp_path) as frozen,
    ):
        await add_when_registered(service)
        await frozen.until("started")
        os.kill(frozen.process.pid, signal.SIGSTOP)
        async with runner(url, "awake", "goes on", tmp_path) as awake:
            await awake.until("started")
            event = (await finished.get()).body
            assert (event.status, event.result) == ("done", {"by": "awake"})
            os.kill(frozen.process.pid, signal.SIGCONT)
            await frozen.until("lease was lost")
        assert finished.empty()


async def test_cancelling_stops_the_work_in_another_process_within_a_second(
    own_nats_server: NatsServer, migrated_sqlite: Path, tmp_path: Path
) -> None:
    url = own_nats_server.url
    async with (
        worker(url, migrated_sqlite, tmp_path, lease_s=30.0) as (service, finished),
        runner(url, "busy", "for ever", tmp_path) as busy,
    ):
        job_id = await add_when_registered(service)
        await busy.until("started")
        async with asyncio.timeout(1):
            assert (await service.cancel(Cancel(job_id=job_id))).status == "cancelled"
            await busy.until("stopped")
        assert (await finished.get()).body.status == "cancelled"


async def add_when_registered(service: WorkerService) -> str:
    job = NewJob(kind="test.split", payload={"n": 1}, idempotency_key="k", subject_id="c_1")

    async def probe() -> str | None:
        try:
            return (await service.enqueue(Enqueue(jobs=(job,)))).job_ids[0]
        except UnknownKind:
            return None

    return await eventually(probe, what="the runner to register its kind", timeout_s=30)
