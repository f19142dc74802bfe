"""Services in other processes: answered for over NATS, absent ones named within the bound."""

from __future__ import annotations

import time

from streamgate.bus import open_bus
from streamgate.health import Readiness, introspection_of
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.services import Offer, Services
from streamgate.testing.context import bus_unit, running
from streamgate.testing.servers import NatsServer
from streamgate_monitor.service import HealthReports


class Kernel:
    async def ping(self) -> None:
        return None

    async def readiness(self) -> Readiness:
        return Readiness(ready=True, checks={}, service="health-a", version="1", uptime_s=5.0)


async def test_remote_services_are_asked_and_absent_ones_named(nats_server: NatsServer) -> None:
    ours, theirs = (open_bus(nats_server.url, name=name) for name in ("monitor", "health-a"))
    remote = Services(theirs, source="health-a@test")
    remote.offer(Offer(introspection_of("health-a"), Kernel()))
    names = ["health-a", "health-b", "health-c"]
    async with running(bus_unit(ours)), running(bus_unit(theirs)):
        await remote.start()
        reports = HealthReports(
            Services(ours, source="monitor@test"), names, timeout_s=3.0, reuse_s=0.0, clock=SYSTEM_CLOCK
        )
        began_s = time.monotonic()
        report = await reports.report()
        took_s = time.monotonic() - began_s
        await remote.stop()
    assert {name: health.ok for name, health in report.services.items()} == {
        "health-a": True,
        "health-b": False,
        "health-c": False,
    }
    assert report.services["health-a"].uptime_s == 5.0
    assert took_s < 3.0
