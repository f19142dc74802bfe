"""Leases the jobs of a plugin's kinds and runs them here."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter

from loguru import logger

from streamgate.bus.base import Subscription
from streamgate.contracts.hooks import JobKind, collect_job_kinds
from streamgate.contracts.jobs import (
    JOBS,
    JOBS_AVAILABLE,
    JOBS_CANCELLED,
    JobsAvailable,
    JobsCancelled,
    Kind,
    Lease,
    LeaseQuery,
    RegisterKinds,
)
from streamgate.envelope import Envelope
from streamgate.errors import StreamgateError
from streamgate.plugins import PluginContext
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock
from streamgate.sdk.jobs.run import LeasedRun
from streamgate.telemetry.measures import Levels
from streamgate.telemetry.tracing import Attributes, note_span
from streamgate.web.schema import Schemas
from streamgate.wire import from_plain

RUNNING = Levels("streamgate_jobs_running", "Jobs that run in this process.", ("kind",))

POLL_S = 2.0
DRAIN_S = 8.0
REGISTER_AGAIN_S = 5.0


class Runner:
    """A unit, `<plugin>.jobs`. It registers the kinds that the plugin offers by `collect_job_kinds`, asks worker for
    jobs of those with a free place (at once when something was queued, else every 2 s), and runs them.

    When it stops, running jobs have `drain_s` to end; then they are cancelled and given back, and no attempt is lost.

    Args:
        needs: units the handlers use.
    """

    def __init__(
        self,
        ctx: PluginContext,
        *,
        needs: tuple[str, ...] = (),
        clock: Clock = SYSTEM_CLOCK,
        poll_s: float = POLL_S,
        drain_s: float = DRAIN_S,
    ) -> None:
        self.name = f"{ctx.name}.jobs"
        # Worker's tables, where worker is in this process: what runs while we drain must be told to it.
        self.needs = ("bus", f"{JOBS.name}.db", *needs)
        self._ctx = ctx
        self._jobs = ctx.services.get(JOBS)
        self._clock = clock
        self._poll_s = poll_s
        self._drain_s = drain_s
        self._runner = f"{ctx.name}@{socket.gethostname()}-{os.getpid()}"
        self._kinds: dict[str, JobKind] = {}
        self._runs: dict[asyncio.Task[None], LeasedRun] = {}
        self._registering: asyncio.Task[None] | None = None
        self._leasing: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._wake = asyncio.Event()
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        """Raises ValueError: two plugins of this process offer a kind of one name."""
        self._kinds = self._own_kinds()
        if not self._kinds:
            return
        bus = self._ctx.bus
        self._subscriptions = [
            await bus.subscribe_everyone(JOBS_AVAILABLE.subject, self._on_available, resync=self._look),
            await bus.subscribe_everyone(JOBS_CANCELLED.subject, self._on_cancelled, resync=self._look),
        ]
        self._is_stopping = False
        self._registering = asyncio.create_task(self._register(), name=f"{self.name} registers")
        self._leasing = asyncio.create_task(self._lease_all(), name=self.name)

    async def stop(self) -> None:
        for subscription in self._subscriptions:
            await subscription.stop()
        self._subscriptions = []
        self._is_stopping = True
        self._wake.set()
        if self._registering is not None:
            self._registering.cancel()
        if self._leasing is not None:
            await asyncio.wait({self._leasing})  # not cancelled: a lease on its way here would be lost for 30 s
        if self._runs:
            await asyncio.wait(self._runs, timeout=self._drain_s)
        for run in self._runs.values():
            run.stop("released")
        if self._runs:
            await asyncio.wait(self._runs)

    @property
    def busy(self) -> dict[str, int]:
        """Running jobs by kind."""
        return dict(Counter(run.kind_name for run in self._runs.values()))

    def _own_kinds(self) -> dict[str, JobKind]:
        offered: dict[str, str] = {}
        own: dict[str, JobKind] = {}
        for tagged in self._ctx.hooks.collect(collect_job_kinds):
            name = tagged.value.name
            if name in offered:
                raise ValueError(f"job kind {name!r} is offered by {offered[name]} and by {tagged.plugin}")
            offered[name] = tagged.plugin
            if tagged.plugin == self._ctx.name:
                own[name] = tagged.value
        return own

    async def _on_available(self, payload: bytes) -> None:
        if not self._kinds.keys().isdisjoint(from_plain(JobsAvailable, Envelope.from_bytes(payload).body).kinds):
            self._wake.set()

    async def _on_cancelled(self, payload: bytes) -> None:
        """Sooner than the heartbeat would tell; a message that is lost is made up for by it."""
        cancelled = set(from_plain(JobsCancelled, Envelope.from_bytes(payload).body).job_ids)
        for run in self._runs.values():
            if run.job_id in cancelled:
                run.stop("cancelled")

    async def _look(self) -> None:
        self._wake.set()

    # --- registering ----------------------------------------------------------------------------------

    async def _register(self) -> None:
        wanted = RegisterKinds(kinds=tuple(map(_describe, self._kinds.values())), plugin=self._ctx.name)
        while True:
            try:
                await self._jobs.register_kinds(wanted)
            except StreamgateError as fault:
                logger.bind(unit=self.name, code=fault.code).info("worker is not there yet; registering kinds again")
                await self._clock.sleep(REGISTER_AGAIN_S)
            else:
                return

    # --- leasing --------------------------------------------------------------------------------------

    async def _lease_all(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                asked_ns = time.time_ns()
                while not self._is_stopping and (lease := await self._lease()) is not None:
                    self._begin(lease, asked_ns)
                    asked_ns = time.time_ns()
            except StreamgateError as fault:
                logger.bind(unit=self.name, code=fault.code).debug("no lease: worker is not to be reached")
            except Exception as fault:
                logger.bind(unit=self.name).opt(exception=fault).error("leasing failed")
            await self._rest()

    async def _lease(self) -> Lease | None:
        busy = self.busy
        free = tuple(kind.name for kind in self._kinds.values() if busy.get(kind.name, 0) < _places(kind))
        if not free:
            return None
        return (await self._jobs.lease(LeaseQuery(kinds=free, runner=self._runner))).lease

    async def _rest(self) -> None:
        if self._is_stopping:
            return
        waits = {asyncio.create_task(self._wake.wait()), asyncio.create_task(self._clock.sleep(self._poll_s))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _begin(self, lease: Lease, asked_ns: int) -> None:
        about: Attributes = {"streamgate.job.id": lease.job_id, "streamgate.job.attempt": lease.attempt}
        leased = note_span(f"lease {lease.kind}", "consumer", lease.traceparent, start_ns=asked_ns, attributes=about)
        run = LeasedRun(self._jobs, self._kinds[lease.kind], lease, self._clock, traceparent=leased)
        task = asyncio.create_task(run.run())
        self._runs[task] = run
        RUNNING.add(1, lease.kind)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        RUNNING.add(-1, self._runs.pop(task).kind_name)
        self._wake.set()  # a place is free
        if not task.cancelled() and (fault := task.exception()) is not None:
            logger.bind(unit=self.name).opt(exception=fault).error("running a job failed")


def _places(kind: JobKind) -> int:
    return kind.concurrency if kind.places is None else min(kind.concurrency, kind.places())


def _describe(kind: JobKind) -> Kind:
    schemas = Schemas()
    schema = {**schemas.of(kind.payload), "components": {"schemas": schemas.components}}
    return Kind(name=kind.name, summary=kind.summary, payload_schema=schema, user_may_submit=kind.user_may_submit)
