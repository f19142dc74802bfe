"""Measures of the kernel's own hot paths: counting one costs a third of a microsecond.

A histogram of prometheus_client costs ten times that, and its import a tenth of a second in every process and every
child; a service call has five microseconds. So the kernel counts by these, in the event loop's thread, and
`exposition.py` shows them beside what the default registry of prometheus_client has. Plugins use prometheus_client.

    HANDLED = Timings("streamgate_things_duration_seconds", "How long a thing took.", ("kind", "outcome"))
    HANDLED.of("big", "done").observe(0.25)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import TypeVar

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
MAX_SERIES = 2_000
OTHER = "other"
"""Every label of the series that takes what is above `MAX_SERIES`."""

S = TypeVar("S")


class Timing:
    """One series of a histogram."""

    __slots__ = ("_bounds", "counts", "total_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last one: longer than every bound
        self.total_s = 0.0

    def observe(self, duration_s: float) -> None:
        self.counts[bisect_left(self._bounds, duration_s)] += 1
        self.total_s += duration_s


class Count:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, more: int = 1) -> None:
        self.value += more


class _Series:
    """What all measures have: a name, a meaning, label names, and series by label values, bounded."""

    def __init__(self, name: str, help: str, labels: tuple[str, ...]) -> None:
        if name in MEASURES:
            raise ValueError(f"two measures are named {name}")
        self.name = name
        self.help = help
        self.labels = labels
        MEASURES[name] = self

    def _kept(self, series: dict[tuple[str, ...], S], values: tuple[str, ...], make: Callable[[], S]) -> S:
        if len(series) >= MAX_SERIES:
            values = (OTHER,) * len(self.labels)
        return series.setdefault(values, make())


MEASURES: dict[str, _Series] = {}


class Timings(_Series):
    """A histogram of durations. `name` ends in `_seconds`."""

    def __init__(
        self, name: str, help: str, labels: tuple[str, ...] = (), bounds_s: tuple[float, ...] = BOUNDS_S
    ) -> None:
        super().__init__(name, help, labels)
        self.bounds_s = bounds_s
        self.series: dict[tuple[str, ...], Timing] = {}

    def of(self, *values: str) -> Timing:
        """Cheap enough for each time; what is hotter keeps it."""
        return self.series.get(values) or self._kept(self.series, values, lambda: Timing(self.bounds_s))


class Counts(_Series):
    """A counter. `name` ends in `_total`."""

    def __init__(self, name: str, help: str, labels: tuple[str, ...] = ()) -> None:
        super().__init__(name, help, labels)
        self.series: dict[tuple[str, ...], Count] = {}

    def of(self, *values: str) -> Count:
        return self.series.get(values) or self._kept(self.series, values, Count)


class Levels(_Series):
    """A gauge: values that are set, or read when somebody looks (`read`)."""

    def __init__(self, name: str, help: str, labels: tuple[str, ...] = ()) -> None:
        super().__init__(name, help, labels)
        self.values: dict[tuple[str, ...], float] = {}
        self.read: Callable[[], Mapping[tuple[str, ...], float]] = dict

    def set(self, value: float, *values: str) -> None:
        if values in self.values or len(self.values) < MAX_SERIES:
            self.values[values] = value

    def add(self, more: float, *values: str) -> None:
        self.set(self.values.get(values, 0.0) + more, *values)

    def now(self) -> dict[tuple[str, ...], float]:
        return {**self.values, **self.read()}
