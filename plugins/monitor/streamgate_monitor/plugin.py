"""Monitor's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.prefixes import SERVICES
from streamgate.health import introspection_of
from streamgate.hooks import hookimpl
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.web.routes import Route
from streamgate_monitor.config import MonitorConfig


class MonitorPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate_monitor.service import HealthReports

        config: MonitorConfig = ctx.config
        # Where every service lives in this process, only those it runs can be there; split, all nine should be.
        names = [name for name in SERVICES if not ctx.bus.is_local or name in ctx.selected]
        self._reports = HealthReports(
            ctx.services, names, timeout_s=config.service_timeout_s, reuse_s=config.reuse_s, clock=SYSTEM_CLOCK
        )

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        from streamgate_monitor.routes import monitor_routes

        return monitor_routes(self._reports)


PLUGIN = PluginInfo(
    name="monitor",
    summary="One health report for all services.",
    build=MonitorPlugin,
    may_need=tuple(introspection_of(name) for name in SERVICES),
    config=MonitorConfig,
    port=SERVICES["monitor"].port,
    prefixes=SERVICES["monitor"].prefixes,
)
