"""One report on all services: each is asked at once for its readiness, wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs
from loguru import logger

from streamgate.context import CallContext, new_request_id, use_call
from streamgate.errors import StreamgateError
from streamgate.health import CheckResult, Readiness, introspection_of
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.services import Services


@attrs.frozen(kw_only=True)
class ServiceHealth:
    """`latency_ms` is the time its answer took to come; `detail` says what is not well."""

    ok: bool
    detail: str
    latency_ms: float
    version: str = ""
    mode: str = ""
    uptime_s: float = 0.0
    checks: dict[str, CheckResult] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Report:
    ok: bool
    checked_at: str
    services: dict[str, ServiceHealth]


class HealthReports:
    """Makes reports, one at a time: those who ask meanwhile, or within `reuse_s`, get the same one.

    Args:
        names: the services there should be.
        timeout_s: bound on a whole report, since all are asked at once.
    """

    def __init__(
        self, services: Services, names: Sequence[str], *, timeout_s: float, reuse_s: float, clock: Clock
    ) -> None:
        self._services = services
        self._names = tuple(names)
        self._timeout_s = timeout_s
        self._reuse_s = reuse_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._last: tuple[float, Report] | None = None

    async def report(self) -> Report:
        async with self._lock:
            if self._last is not None and self._clock.monotonic_s() - self._last[0] < self._reuse_s:
                return self._last[1]
            report = await self._make()
            self._last = (self._clock.monotonic_s(), report)
            return report

    async def _make(self) -> Report:
        checked_at = rfc3339(self._clock.now_ms())
        found = await asyncio.gather(*(self._ask(name) for name in self._names))
        return Report(
            ok=all(health.ok for health in found),
            checked_at=checked_at,
            services=dict(zip(self._names, found, strict=True)),
        )

    async def _ask(self, name: str) -> ServiceHealth:
        began_s = self._clock.monotonic_s()
        try:
            # A call of its own: who happened to ask for the report must not shorten or colour it.
            with use_call(CallContext(request_id=new_request_id())):
                async with asyncio.timeout(self._timeout_s):
                    readiness = await self._services.get(introspection_of(name)).readiness()
        except TimeoutError:
            return self._unwell(began_s, f"no answer within {self._timeout_s:g} s")
        except StreamgateError as fault:
            return self._unwell(began_s, fault.detail)
        except Exception as fault:
            logger.bind(service=name, error=repr(fault)).warning("service cannot be asked for its health")
            return self._unwell(began_s, "its answer cannot be read")
        return ServiceHealth(
            ok=readiness.ready,
            detail=_what_is_wrong(readiness),
            latency_ms=self._since_ms(began_s),
            version=readiness.version,
            mode=readiness.mode,
            uptime_s=readiness.uptime_s,
            checks=readiness.checks,
        )

    def _unwell(self, began_s: float, detail: str) -> ServiceHealth:
        return ServiceHealth(ok=False, detail=detail, latency_ms=self._since_ms(began_s))

    def _since_ms(self, began_s: float) -> float:
        return round((self._clock.monotonic_s() - began_s) * 1000, 3)


def _what_is_wrong(readiness: Readiness) -> str:
    return "; ".join(f"{name}: {check.detail}" for name, check in readiness.checks.items() if not check.ok)
