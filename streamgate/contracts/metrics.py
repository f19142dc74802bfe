"""The numbers of every process on their way to whoever keeps them. Monitor does; losing a snapshot is harmless."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.events import Topic


@attrs.frozen(kw_only=True)
class Sample:
    """One series now: a `counter` (it only grows, from 0 at the start of its process) or a `gauge`. Of a histogram the
    sum (`…_seconds_sum`) and the count (`…_seconds_count`) are told, as counters."""

    name: str
    kind: Literal["counter", "gauge"]
    value: float
    labels: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class MetricsSnapshot:
    """Samples of one process; a large one comes in several. `instance` is the process (`auth@host-4711`), `service`
    what it runs (`all`, or the names joined by `+`)."""

    instance: str
    service: str
    at_ms: int
    samples: tuple[Sample, ...]


METRICS = Topic("metrics.snapshot", MetricsSnapshot)
"""Each process tells one every `telemetry.ship_metrics_s`."""
