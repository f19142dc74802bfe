"""Reports on services that are well, unwell, silent and absent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import attrs
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.health import CheckResult, Readiness, introspection_of
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.services import Offer, Services
from streamgate.testing.clock import FakeClock
from streamgate_monitor.service import HealthReports

READY = Readiness(ready=True, checks={"database": CheckResult(ok=True, detail="sqlite", latency_ms=0.2)}, version="1")
UNREADY = Readiness(ready=False, checks={"blobs": CheckResult(ok=False, detail="the disk is full", latency_ms=0.2)})


@attrs.define
class Kernel:
    """The kernel beside a service: its answer, or none for ever."""

    answer: Readiness | None
    asked: int = 0
    goes_on: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def ping(self) -> None:
        return None

    async def readiness(self) -> Readiness:
        self.asked += 1
        if self.answer is None:
            await self.goes_on.wait()
            return READY
        return self.answer


class Broken(Kernel):
    async def readiness(self) -> Readiness:
        raise RuntimeError("a secret detail")


def services_with(kernels: dict[str, Kernel]) -> Services:
    services = Services(MemoryBus(), source="monitor@test", wire_local=True)
    for name, kernel in kernels.items():
        services.offer(Offer(introspection_of(name), kernel))
    return services


def reports(services: Services, names: Sequence[str], *, timeout_s: float = 0.1, reuse_s: float = 0.0) -> HealthReports:
    return HealthReports(services, names, timeout_s=timeout_s, reuse_s=reuse_s, clock=SYSTEM_CLOCK)


async def test_all_is_well_when_every_service_is_ready() -> None:
    report = await reports(services_with({"auth": Kernel(READY), "cache": Kernel(READY)}), ["auth", "cache"]).report()
    assert report.ok
    assert list(report.services) == ["auth", "cache"]
    assert report.services["auth"].checks == READY.checks
    assert report.services["auth"].version == "1"
    assert report.services["auth"].latency_ms >= 0


async def test_an_unready_service_says_what_is_wrong() -> None:
    report = await reports(services_with({"upload": Kernel(UNREADY)}), ["upload"]).report()
    assert not report.ok
    assert report.services["upload"].detail == "blobs: the disk is full"


async def test_dead_and_silent_services_are_named_within_the_bound() -> None:
    silent = {f"silent{n}": Kernel(None) for n in range(5)}
    services = services_with({"auth": Kernel(READY), **silent})
    began_s = time.monotonic()
    report = await reports(services, ["auth", "absent", *silent]).report()
    took_s = time.monotonic() - began_s
    assert took_s < 0.1 * 5, "they are asked at once, not one after another"
    assert [name for name, health in report.services.items() if not health.ok] == ["absent", *silent]
    assert report.services["silent0"].detail == "no answer within 0.1 s"
    for kernel in silent.values():
        kernel.goes_on.set()


async def test_a_fault_tells_no_internals() -> None:
    report = await reports(services_with({"auth": Broken(READY)}), ["auth"]).report()
    assert not report.ok
    assert "secret" not in report.services["auth"].detail


async def test_many_who_ask_at_once_get_one_report() -> None:
    kernel = Kernel(READY)
    health = reports(services_with({"auth": kernel}), ["auth"], reuse_s=60.0)
    found = await asyncio.gather(*(health.report() for _ in range(20)))
    assert kernel.asked == 1
    assert len({id(report) for report in found}) == 1


@pytest.mark.parametrize(("passed_s", "asked"), [(0.9, 1), (1.0, 2)])
async def test_a_report_is_reused_for_a_while(passed_s: float, asked: int) -> None:
    clock = FakeClock()
    kernel = Kernel(READY)
    services = services_with({"auth": kernel})
    health = HealthReports(services, ["auth"], timeout_s=1.0, reuse_s=1.0, clock=clock)
    await health.report()
    clock.jump(passed_s)
    await health.report()
    assert kernel.asked == asked
