"""Monitor's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.audit import AUDITED
from streamgate.contracts.events import JOBS_REQUESTED
from streamgate.contracts.logs import LOGS
from streamgate.contracts.metrics import METRICS
from streamgate.contracts.prefixes import SERVICES
from streamgate.contracts.webhooks import WEBHOOKS
from streamgate.events import EventSubscription
from streamgate.health import Check, introspection_of
from streamgate.hooks import hookimpl
from streamgate.identity.declared import Asks
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.web.routes import Route
from streamgate_monitor.config import MonitorConfig


class MonitorPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate.sdk.db import Database
        from streamgate.sdk.lease import Leader
        from streamgate_monitor.alert_doubts import Doubts
        from streamgate_monitor.alerting import Alerting
        from streamgate_monitor.hearing import Hearing
        from streamgate_monitor.leading import Leading
        from streamgate_monitor.log_keeping import LogKeeping
        from streamgate_monitor.numbers import Numbers
        from streamgate_monitor.service import HealthReports
        from streamgate_monitor.tables import TABLES, leaders

        config: MonitorConfig = ctx.config
        # Where every service lives in this process, only those it runs can be there; split, all nine should be.
        names = [name for name in SERVICES if not ctx.bus.is_local or name in ctx.selected]
        self._clock = SYSTEM_CLOCK
        self._outgoing = ctx.settings.outgoing
        self._reports = HealthReports(
            ctx.services, names, timeout_s=config.service_timeout_s, reuse_s=config.reuse_s, clock=SYSTEM_CLOCK
        )
        self._db = Database.for_plugin(ctx, TABLES, migrations="streamgate_monitor.migrations")
        self._numbers, lines = Numbers(), LogKeeping()
        self._doubts = Doubts(self._numbers, ctx.services.get(WEBHOOKS))
        self._hearing = Hearing(self._db, lines, self._numbers, SYSTEM_CLOCK)
        leading = Leading(
            db=self._db,
            config=config,
            reports=self._reports,
            numbers=self._numbers,
            lines=lines,
            alerting=Alerting(self._db, self._numbers, SYSTEM_CLOCK),
            clock=SYSTEM_CLOCK,
        )
        needs = ("monitor.db", "services", "events")
        self._leader = Leader("monitor.leader", self._db, leaders, leading.lead, needs=needs)

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        from streamgate_monitor.routes import monitor_routes
        from streamgate_monitor.routes_alerts import AlertRoutes
        from streamgate_monitor.routes_audit import audit_routes
        from streamgate_monitor.routes_logs import log_routes
        from streamgate_monitor.routes_metrics import metric_routes

        return [
            *monitor_routes(self._reports, self._db, self._clock),
            *metric_routes(self._db, self._numbers, self._clock),
            *AlertRoutes(self._db, self._clock, self._outgoing, self._doubts).routes(),
            *log_routes(self._db),
            *audit_routes(self._db),
        ]

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return self._hearing.subscriptions()

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [*self._db.units(), self._leader]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [self._db.check()]


PLUGIN = PluginInfo(
    name="monitor",
    summary="Health, numbers, logs, alerts and the audit trail of all services.",
    build=MonitorPlugin,
    may_need=(*(introspection_of(name) for name in SERVICES), Asks(WEBHOOKS, ("find_secret",))),
    tells=(JOBS_REQUESTED,),
    hears=(AUDITED, LOGS, METRICS),
    config=MonitorConfig,
    port=SERVICES["monitor"].port,
    prefixes=SERVICES["monitor"].prefixes,
    uses_database=True,
)
