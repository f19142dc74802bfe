"""Readiness: what a process depends on, probed for real, with a bound on each probe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol

import attrs
from loguru import logger

from streamgate.errors import StreamgateError
from streamgate.services import ServiceRef, method

PROBE_TIMEOUT_S = 2.0


@attrs.frozen
class Check:
    """A dependency. `probe` returns a short detail for people (or None) and raises when it is not well.
    A check that is not `critical` is shown but does not make the process unready."""

    name: str
    probe: Callable[[], Awaitable[str | None]]
    critical: bool = attrs.field(default=True, kw_only=True)


@attrs.frozen(kw_only=True)
class Finding:
    """One thing `streamgate doctor` looked at: how it is, and where it is not well, how to mend it."""

    level: Literal["good", "warning", "fault"]
    subject: str
    said: str
    remedy: str = ""


@attrs.frozen(kw_only=True)
class CheckResult:
    ok: bool
    detail: str
    latency_ms: float
    critical: bool = True


@attrs.frozen(kw_only=True)
class Readiness:
    ready: bool
    checks: dict[str, CheckResult]
    service: str = ""
    version: str = ""
    mode: str = ""
    uptime_s: float = 0.0


@attrs.frozen(kw_only=True)
class Liveness:
    status: str
    service: str
    version: str
    mode: str
    uptime_s: float


class Introspection(Protocol):
    """What every service process answers about itself, over the bus: `svc.<service>-kernel.v1.readiness`."""

    @method(timeout_s=PROBE_TIMEOUT_S)
    async def ping(self) -> str:
        """`answers`, without probing anything: is the service there?"""

    @method(timeout_s=PROBE_TIMEOUT_S + 1, idempotent=True)
    async def readiness(self) -> Readiness: ...


def introspection_of(service: str) -> ServiceRef[Introspection]:
    """Reference to the kernel beside a service, wherever it runs."""
    return ServiceRef(f"{service}-kernel", Introspection)


def introspections_of(service: str, offers: Sequence[ServiceRef[Any]]) -> tuple[ServiceRef[Introspection], ...]:
    """By the names under which it is asked for: its own, and those of what it offers (auth offers `accounts` too)."""
    return tuple(introspection_of(name) for name in dict.fromkeys((service, *(ref.name for ref in offers))))


async def probe_all(checks: Sequence[Check]) -> dict[str, CheckResult]:
    """All checks at once; each has PROBE_TIMEOUT_S."""

    async def probe(check: Check) -> CheckResult:
        began = time.perf_counter()
        ok, detail = True, ""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                detail = await check.probe() or ""
        except TimeoutError:
            ok, detail = False, f"no answer within {PROBE_TIMEOUT_S:g} s"
        except Exception as fault:
            # `/ready` is public: only what was written for callers is said, the rest is logged.
            ok, detail = False, fault.detail if isinstance(fault, StreamgateError) else type(fault).__name__
            logger.bind(check=check.name, error=repr(fault)).warning("dependency is not well")
        latency_ms = round((time.perf_counter() - began) * 1000, 3)
        return CheckResult(ok=ok, detail=detail, latency_ms=latency_ms, critical=check.critical)

    results = await asyncio.gather(*(probe(check) for check in checks))
    return {check.name: result for check, result in zip(checks, results, strict=True)}
