"""Worker's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.contracts.events import JOB_CHECKPOINT, JOB_FINISHED, JOBS_REQUESTED
from streamgate.contracts.jobs import JOBS, JOBS_AVAILABLE, JOBS_CANCELLED
from streamgate.contracts.live import LIVE
from streamgate.contracts.prefixes import SERVICES
from streamgate.events import EventSubscription
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route
from streamgate_worker.config import WorkerConfig


class WorkerPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate.sdk.lease import Leader
        from streamgate_worker.dead import DeadLetters
        from streamgate_worker.hearing import Hearing
        from streamgate_worker.intake import Intake
        from streamgate_worker.queue import Queue
        from streamgate_worker.routes import WorkerRoutes
        from streamgate_worker.routes_dead import DeadRoutes
        from streamgate_worker.routes_schedules import ScheduleRoutes
        from streamgate_worker.scheduler import Scheduler
        from streamgate_worker.service import WorkerService
        from streamgate_worker.sweeper import Sweeper
        from streamgate_worker.tables import TABLES, leaders

        config: WorkerConfig = ctx.config
        clock = SYSTEM_CLOCK
        self.db = Database.for_plugin(ctx, TABLES, migrations="streamgate_worker.migrations")
        self.service = WorkerService(self.db, ctx.events, clock, Queue(config))
        intake = Intake(self.service, self.db, clock, {}, max_waiting=config.max_waiting_per_owner)
        self._letters = DeadLetters(self.service, self.db, clock)
        self._hearing = Hearing(self.service)
        self._routes = [
            *WorkerRoutes(self.service, intake).routes(),
            *ScheduleRoutes(intake, self.db, clock).routes(),
            *DeadRoutes(self.service, self._letters).routes(),
        ]
        self._sweeper = Sweeper(self.service, clock, every_s=config.sweep_every_s)
        self._leader = Leader(
            "worker.scheduler",
            self.db,
            leaders,
            Scheduler(self.service, self.db, clock).lead,
            needs=("worker.db", "bus"),
            lease_s=config.leader_s,
        )

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(JOBS, self.service)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return self._hearing.subscriptions()

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [*self.db.units(), self._sweeper, self._leader]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self.db.check()]


PLUGIN = PluginInfo(
    name="worker",
    summary="The durable queue: jobs, leases, cancelling.",
    build=WorkerPlugin,
    offers=(JOBS,),
    tells=(JOB_CHECKPOINT, JOB_FINISHED, JOBS_AVAILABLE, JOBS_CANCELLED, LIVE),
    hears=(JOBS_REQUESTED, JOBS_AVAILABLE, JOBS_CANCELLED),
    acts_as_service=True,
    config=WorkerConfig,
    port=SERVICES["worker"].port,
    prefixes=SERVICES["worker"].prefixes,
    uses_database=True,
)
