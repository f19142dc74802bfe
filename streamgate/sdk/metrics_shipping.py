"""Tells the numbers of this process to whoever keeps them: a unit of every process (`streamgate.process_units`)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from loguru import logger

from streamgate.bus.base import Bus
from streamgate.context import CallContext, new_request_id, use_call
from streamgate.contracts.metrics import METRICS, MetricsSnapshot, Sample
from streamgate.events import Events
from streamgate.plugins import PluginContext
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock

FIRST_S = 2.0  # a start has better to do
SAMPLES_A_PARCEL = 2_000
"""At about 200 bytes each, half of what a message can carry."""
PREFIXES = ("streamgate_", "process_")


def process_units(ctx: PluginContext) -> list[MetricsShipping]:
    every_s = ctx.settings.telemetry.ship_metrics_s
    if every_s == 0:
        return []
    service = "+".join(ctx.selected) if ctx.mode == "only" else "all"
    return [MetricsShipping(ctx.bus, ctx.events, service=service, every_s=every_s)]


class MetricsShipping:
    """A unit."""

    name = "telemetry.metrics-shipping"
    needs = ("bus", "events")

    def __init__(self, bus: Bus, events: Events, *, service: str, every_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._bus = bus
        self._events = events
        self._service = service
        self._every_s = every_s
        self._clock = clock
        self._telling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._telling = asyncio.create_task(self._tell_on(), name=self.name)

    async def stop(self) -> None:
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()
            await asyncio.wait([telling])

    async def _tell_on(self) -> None:
        await self._clock.sleep(min(FIRST_S, self._every_s))
        while True:
            try:
                await self.tell()
            except Exception:
                logger.exception("numbers were not told")  # and will be, with the next
            await self._clock.sleep(self._every_s)

    async def tell(self) -> None:
        from streamgate.telemetry.exposition import look_at_bus

        await look_at_bus(self._bus)
        samples = await asyncio.to_thread(read_samples)
        at_ms = self._clock.now_ms()
        with use_call(CallContext(request_id=new_request_id())):
            for begin in range(0, len(samples), SAMPLES_A_PARCEL):
                parcel = tuple(samples[begin : begin + SAMPLES_A_PARCEL])
                snapshot = MetricsSnapshot(
                    instance=self._events.source, service=self._service, at_ms=at_ms, samples=parcel
                )
                await self._events.broadcast(METRICS, snapshot)


def read_samples() -> Sequence[Sample]:
    """What the default registry of prometheus_client has now, ours and the process' own, without buckets."""
    from prometheus_client import REGISTRY

    from streamgate.telemetry.exposition import register_measures

    register_measures()
    return list(_samples(REGISTRY.collect()))


def _samples(families: Iterable[object]) -> Iterator[Sample]:
    for family in families:
        name, type_ = getattr(family, "name", ""), getattr(family, "type", "")
        if not name.startswith(PREFIXES):
            continue
        kind: Literal["counter", "gauge"] = "gauge" if type_ in ("gauge", "info", "unknown") else "counter"
        for sample in getattr(family, "samples", ()):
            if not sample.name.endswith(("_bucket", "_created")) and math.isfinite(sample.value):
                yield Sample(name=sample.name, kind=kind, value=float(sample.value), labels=dict(sample.labels))
