"""Worker's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.bus.base import DEAD_LETTER_RIGHTS
from streamgate.contracts.events import JOB_CHECKPOINT, JOB_FINISHED, JOBS_REQUESTED
from streamgate.contracts.hooks import JobKind
from streamgate.contracts.jobs import JOBS, JOBS_AVAILABLE, JOBS_CANCELLED, JOBS_PAUSED
from streamgate.contracts.live import LIVE
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.prefixes import SERVICES
from streamgate.contracts.streaming import STREAMING
from streamgate.contracts.webhooks import WEBHOOKS
from streamgate.events import EventSubscription
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.identity.declared import Asks
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route
from streamgate_worker.config import WorkerConfig


class WorkerPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.blobs import open_blobs
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate.sdk.jobs import Runner
        from streamgate.sdk.lease import Leader
        from streamgate.sdk.outgoing import guarded_client
        from streamgate.sdk.secrets import master_key
        from streamgate_worker.dead import DeadLetters
        from streamgate_worker.hearing import Hearing
        from streamgate_worker.intake import Intake
        from streamgate_worker.kinds import collecting, retranscoding
        from streamgate_worker.queue import Queue
        from streamgate_worker.routes import WorkerRoutes
        from streamgate_worker.routes_dead import DeadRoutes
        from streamgate_worker.routes_events import EventRoutes
        from streamgate_worker.routes_schedules import ScheduleRoutes
        from streamgate_worker.routes_webhooks import WebhookRoutes
        from streamgate_worker.scheduler import Scheduler
        from streamgate_worker.service import WorkerService
        from streamgate_worker.sweeper import Sweeper
        from streamgate_worker.tables import TABLES, leaders
        from streamgate_worker.webhooks import delivering
        from streamgate_worker.webhooks.secrets import WebhookSecrets

        config: WorkerConfig = ctx.config
        clock = SYSTEM_CLOCK
        self.db = Database.for_plugin(ctx, TABLES, migrations="streamgate_worker.migrations")
        self._blobs = open_blobs(ctx)
        self.service = WorkerService(self.db, ctx.events, clock, Queue(config))
        self._letters = DeadLetters(self.service, self.db, clock)
        self._events = EventRoutes(ctx.bus, self.db)
        self._hearing = Hearing(self.service)

        self._secrets = secrets = WebhookSecrets(self.db, clock, lambda: master_key(ctx))
        deliveries = delivering.Deliveries(secrets, clock, lambda: guarded_client(ctx.settings.outgoing))
        retranscodes = retranscoding.Retranscoding(ctx.services.get(METADATA), ctx.services.get(STREAMING))
        self._kinds = [deliveries.kind, retranscodes.kind, collecting.Collecting(self.db, self._blobs, clock).kind]
        guards = {delivering.KIND: deliveries.check, retranscoding.KIND: retranscodes.check}
        intake = Intake(self.service, self.db, clock, guards, max_waiting=config.max_waiting_per_owner)
        self._routes = [
            *WorkerRoutes(self.service, intake).routes(),
            *ScheduleRoutes(intake, self.db, clock).routes(),
            *DeadRoutes(self.service, self._letters).routes(),
            *WebhookRoutes(secrets).routes(),
            *self._events.routes(),
        ]

        scheduler = Scheduler(self.service, self.db, clock)
        needs = ("worker.db", "bus")
        self._units: list[Unit] = [
            Sweeper(
                self.service,
                self.db,
                clock,
                every_s=config.sweep_every_s,
                keep_ended_s=config.keep_ended_days * 86_400,
            ),
            Leader("worker.scheduler", self.db, leaders, scheduler.lead, needs=needs, lease_s=config.leader_s),
            deliveries.unit,
            Runner(ctx, needs=("worker.blobs", "worker.webhooks")),
        ]

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(JOBS, self.service), Offer(WEBHOOKS, self._secrets)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return self._hearing.subscriptions()

    @hookimpl
    def collect_job_kinds(self) -> Sequence[JobKind]:
        return self._kinds

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [*self.db.units(), *self._blobs.units("worker"), *self._units]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [
            self.db.check(),
            self._blobs.check(),
            Check("dead jobs", self._letters.probe, critical=False),
            Check("dead events", self._events.probe, critical=False),
        ]


PLUGIN = PluginInfo(
    name="worker",
    summary="The durable queue: jobs, leases, schedules, dead letters, webhooks.",
    build=WorkerPlugin,
    offers=(JOBS, WEBHOOKS),
    may_need=(Asks(METADATA, ("get",)), Asks(STREAMING, ("transcode",))),
    tells=(JOB_CHECKPOINT, JOB_FINISHED, JOBS_AVAILABLE, JOBS_CANCELLED, JOBS_PAUSED, LIVE, *DEAD_LETTER_RIGHTS),
    hears=(JOBS_REQUESTED, JOBS_AVAILABLE, JOBS_CANCELLED),
    acts_as_service=True,
    config=WorkerConfig,
    port=SERVICES["worker"].port,
    prefixes=SERVICES["worker"].prefixes,
    uses_database=True,
    uses_blobs=True,
)
