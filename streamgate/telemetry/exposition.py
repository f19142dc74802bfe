"""`GET /metrics`: what the kernel measures and what plugins put into prometheus_client's default registry, together.

prometheus_client is imported at the first scrape, or by a plugin that counts with it.
"""

from __future__ import annotations

import asyncio
import functools
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from streamgate import __version__
from streamgate.bus.base import Bus
from streamgate.telemetry.measures import MEASURES, Counts, Levels, Timings
from streamgate.telemetry.tracing import is_loopback
from streamgate.web.client import client_address
from streamgate.web.routes import ADMIN, PUBLIC, Call, Route
from streamgate.web.typed import check_policy

if TYPE_CHECKING:
    from prometheus_client import Metric

LOOK_TIMEOUT_S = 1.0
LAG_EVERY_S = 0.25
LAG_WINDOW_S = 15.0

BUILD = Levels("streamgate_build_info", "Always 1; what runs.", ("version", "python", "mode", "service"))
UPTIME = Levels("streamgate_uptime_seconds", "How long the process has been there.")
LAG = Levels("streamgate_event_loop_lag_seconds", "The longest the event loop was late in the last 15 s.")
BUS = Levels("streamgate_bus_connected", "1 while the message bus answers.")
DEAD_LETTERS = Levels("streamgate_events_dead_letters", "Events that a group has given up on.", ("group",))


class Exposition:
    """The measures of one process, shown.

    Args:
        began_s: when the process began, by `time.monotonic()`.
    """

    def __init__(self, bus: Bus, *, mode: str, service: str, began_s: float) -> None:
        self._bus = bus
        self.mode = mode
        self.service = service
        BUILD.values = {(__version__, platform.python_version(), mode, service): 1.0}
        UPTIME.read = lambda: {(): time.monotonic() - began_s}

    def route(self, *, is_open: bool = False, is_open_to_loopback: bool = False) -> Route:
        """For admins; on the internal listener for whoever reaches it; in the dev profile for this machine too."""

        async def metrics(call: Call[None, None]) -> Response:
            if is_open_to_loopback and not is_loopback(client_address(call.request.scope)):
                check_policy(ADMIN, call.actor)
            return await self._answer(call.request.headers.get("accept", ""))

        return Route(
            "GET",
            "/metrics",
            metrics,
            policy=PUBLIC if is_open or is_open_to_loopback else ADMIN,
            reads_bearer=not is_open,
            summary="Measures of this process, for Prometheus",
            produces=("text/plain", "application/openmetrics-text"),
        )

    async def _answer(self, accept: str) -> Response:
        await look_at_bus(self._bus)
        body, media_type = await asyncio.to_thread(_render, accept)
        return Response(body, headers={"content-type": media_type, "cache-control": "no-store"})


async def look_at_bus(bus: Bus) -> None:
    """Measures what only the bus knows. Whoever tells the measures asks for it before."""
    answer, found = await asyncio.gather(_in_time(bus.ping), _in_time(bus.dead_letters))
    BUS.set(float(answer is not _NO_ANSWER))
    if isinstance(found, Mapping):
        DEAD_LETTERS.values = {(group,): float(count) for group, count in found.items()}


_NO_ANSWER = object()


async def _in_time(ask: Callable[[], Any]) -> Any:
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            return await ask()
    except Exception:  # whatever ails the bus: a scrape must tell of it, not fail
        return _NO_ANSWER


class LoopLag:
    """A unit that looks how late the event loop is."""

    name = "telemetry.loop"
    needs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._late_s: deque[float] = deque([0.0], maxlen=int(LAG_WINDOW_S / LAG_EVERY_S))
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        LAG.read = lambda: {(): max(self._late_s)}
        self._looking = asyncio.create_task(self._look(), name=self.name)

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._late_s.append(max(0.0, loop.time() - due_s))


# --- rendering, on a thread ----------------------------------------------------------------------------


def _render(accept: str) -> tuple[bytes, str]:
    from prometheus_client import REGISTRY
    from prometheus_client.exposition import choose_encoder

    register_measures()
    encode, media_type = choose_encoder(accept)
    return encode(REGISTRY), media_type


class _KernelMeasures:
    """The kernel's measures as prometheus_client wants to collect them."""

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for measure in list(MEASURES.values()):
            if isinstance(measure, Timings):
                histogram = HistogramMetricFamily(measure.name, measure.help, labels=measure.labels)
                for values, timing in list(measure.series.items()):
                    histogram.add_metric(values, _buckets(measure.bounds_s, list(timing.counts)), timing.total_s)
                yield histogram
            elif isinstance(measure, Counts):
                counter = CounterMetricFamily(measure.name.removesuffix("_total"), measure.help, labels=measure.labels)
                for values, count in list(measure.series.items()):
                    counter.add_metric(values, count.value)
                yield counter
            elif isinstance(measure, Levels):
                gauge = GaugeMetricFamily(measure.name, measure.help, labels=measure.labels)
                for values, level in measure.now().items():
                    gauge.add_metric(values, level)
                yield gauge


def _buckets(bounds_s: tuple[float, ...], counts: list[int]) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus has them."""
    total, buckets = 0, []
    for bound, count in zip((*map(str, bounds_s), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets


def register_measures() -> None:
    """Puts the kernel's measures into the default registry, once; whoever reads that calls it, in any thread."""
    with _REGISTERING:  # a cache alone lets the first two in, and the second one's names would be there already
        _register()


_REGISTERING = threading.Lock()


@functools.cache
def _register() -> None:
    from prometheus_client import REGISTRY, disable_created_metrics

    # When each series began: as many lines again, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    REGISTRY.register(_KernelMeasures())
