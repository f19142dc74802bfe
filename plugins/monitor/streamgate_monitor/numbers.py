"""The numbers of all processes as they come: the latest, and how they moved in the last quarter of an hour.

Counters start anew with their process; what counts is by how much each grew. Nothing here waits or writes: the state of
one monitor, rebuilt by listening.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

import attrs

from streamgate.contracts.metrics import MetricsSnapshot, Sample

WINDOW_MS = 15 * 60_000
SILENT_MS = 60_000
"""A process that told nothing for so long is gone, and its gauges with it."""
MAX_SERIES = 20_000
MAX_LABELS = 500
"""Characters of a series' labels, as they are kept; with longer ones it is left out."""
MINUTE_MS = 60_000


@attrs.frozen(kw_only=True)
class MinuteValue:
    """What a series did in one minute, over all processes of a service."""

    minute_ms: int
    service: str
    name: str
    labels: str
    kind: Literal["counter", "gauge"]
    value: float


@attrs.frozen(slots=False)
class SeriesKey:
    service: str
    name: str
    labels: str  # JSON, names in order

    @cached_property
    def parsed(self) -> Mapping[str, str]:
        found: dict[str, str] = json.loads(self.labels)
        return found

    @property
    def order(self) -> tuple[str, str, str]:
        return self.service, self.name, self.labels

    def label(self, name: str) -> str | None:
        """A label, or the process' own service."""
        return self.service if name == "service" else self.parsed.get(name)


@attrs.define
class _Series:
    """One series of one process. `moves`: when, and by how much a counter had grown, or what a gauge was."""

    kind: Literal["counter", "gauge"]
    last: float
    at_ms: int
    moves: deque[tuple[int, float]] = attrs.field(factory=deque)


@attrs.frozen(kw_only=True)
class Latest:
    """A series now, over all processes of its service: a gauge is summed, a counter's total is since they began."""

    service: str
    name: str
    labels: Mapping[str, str]
    kind: Literal["counter", "gauge"]
    value: float
    per_s: float | None  # a counter's growth per second in the last minute


class Numbers:
    """Takes snapshots in the order they come."""

    def __init__(self) -> None:
        # By metric name (rules ask for one), then by what tells series of one name apart, then by process.
        self._series: dict[str, dict[SeriesKey, dict[str, _Series]]] = {}
        self._heard_ms: dict[str, int] = {}
        self._first_ms: dict[str, int] = {}  # of each process, when it told of itself for the first time
        self._forgot_ms = 0
        self._count = 0
        self.dropped = 0
        """Series that found no room."""

    def take(self, snapshot: MetricsSnapshot, heard_ms: int | None = None) -> None:
        """
        Args:
            heard_ms: when it came, by our clock, since those of processes differ; by default when it was made.
        """
        heard_ms = snapshot.at_ms if heard_ms is None else heard_ms
        self._heard_ms[snapshot.instance] = heard_ms
        is_first = self._first_ms.setdefault(snapshot.instance, snapshot.at_ms) == snapshot.at_ms  # of several parcels
        for sample in snapshot.samples:
            labels = canonical(sample.labels)
            if len(labels) <= MAX_LABELS:
                key = SeriesKey(snapshot.service, sample.name, labels)
                self._move(key, snapshot.instance, sample, heard_ms, is_first=is_first)
        if not 0 <= heard_ms - self._forgot_ms < MINUTE_MS:
            self._forgot_ms = heard_ms
            self.forget_silent(heard_ms)

    def _move(self, key: SeriesKey, instance: str, sample: Sample, at_ms: int, *, is_first: bool) -> None:
        processes = self._series.setdefault(key.name, {}).setdefault(key, {})
        series = processes.get(instance)
        if series is None:
            if self._count >= MAX_SERIES:
                self.dropped += 1
                return
            self._count += 1
            # A process' first words only say where a counter begins: what it grew by before nobody has seen. One that
            # comes later was not there before, unless there was no room for it.
            is_new = sample.kind == "gauge" or not (is_first or self.dropped)
            processes[instance] = series = _Series(sample.kind, sample.value, at_ms)
            series.moves.append((at_ms, sample.value if is_new else 0.0))
            return
        if sample.kind == "counter":
            grown = sample.value - series.last if sample.value >= series.last else sample.value
            series.moves.append((at_ms, grown))
        else:
            series.moves.append((at_ms, sample.value))
        series.last, series.at_ms = sample.value, at_ms
        while series.moves and series.moves[0][0] < at_ms - WINDOW_MS:
            series.moves.popleft()

    def forget_silent(self, now_ms: int) -> None:
        """Drops processes that have told nothing for long."""
        gone = {instance for instance, heard in self._heard_ms.items() if heard < now_ms - WINDOW_MS}
        for instance in gone:
            del self._heard_ms[instance], self._first_ms[instance]
        for name, of_name in list(self._series.items()):
            for key, processes in list(of_name.items()):
                for instance in gone & processes.keys():
                    del processes[instance]
                    self._count -= 1
                if not processes:
                    del of_name[key]
            if not of_name:
                del self._series[name]

    # --- asking -----------------------------------------------------------------------------------

    def processes(self, now_ms: int) -> dict[str, int]:
        """Those that are there, with when they last told something."""
        return {instance: at for instance, at in self._heard_ms.items() if at >= now_ms - SILENT_MS}

    def latest(self, now_ms: int, name: str = "") -> Iterator[Latest]:
        for key, processes in sorted(self._all(name), key=lambda item: item[0].order):
            live = [series for series in processes.values() if series.at_ms >= now_ms - SILENT_MS]
            if not live:
                continue
            kind = live[0].kind
            yield Latest(
                service=key.service,
                name=key.name,
                labels=key.parsed,
                kind=kind,
                value=sum(series.last for series in live),
                per_s=_grown(live, now_ms - MINUTE_MS, now_ms) / 60 if kind == "counter" else None,
            )

    def names(self) -> Sequence[str]:
        """Of all that was told of in the last quarter of an hour."""
        return list(self._series)

    def label_names(self, name: str) -> set[str] | None:
        """What tells the series of this name apart; None where nobody has told of it."""
        series = self._series.get(name)
        return None if series is None else {"service"}.union(*(key.parsed for key in series))

    def values(self, name: str, labels: Mapping[str, str], now_ms: int) -> list[float]:
        """The latest values of the series that have these labels (and maybe others), one a process."""
        return [series.last for series in self._matching(name, labels) if series.at_ms >= now_ms - SILENT_MS]

    def growth(self, name: str, labels: Mapping[str, str], since_ms: int, now_ms: int) -> float | None:
        """By how much the counters that have these labels grew; None where nobody has told of them."""
        found = list(self._matching(name, labels))
        return _grown(found, since_ms, now_ms) if found else None

    def last_told_ms(self, name: str, labels: Mapping[str, str]) -> int | None:
        return max((series.at_ms for series in self._matching(name, labels)), default=None)

    def _matching(self, name: str, labels: Mapping[str, str]) -> Iterator[_Series]:
        for key, processes in self._all(name):
            if all(key.label(label) == value for label, value in labels.items()):
                yield from processes.values()

    def _all(self, name: str) -> Iterator[tuple[SeriesKey, dict[str, _Series]]]:
        """The series of this name; of every name where none is given."""
        for of_name in [self._series.get(name, {})] if name else self._series.values():
            yield from of_name.items()

    def minute(self, minute_ms: int) -> list[MinuteValue]:
        """What moved in the minute that begins then; what stood still is left out."""
        ends_ms = minute_ms + MINUTE_MS
        found = []
        for key, processes in self._all(""):
            kind = next(iter(processes.values())).kind
            if kind == "counter":
                value = _grown(list(processes.values()), minute_ms, ends_ms)
                if value == 0:
                    continue
            else:
                now, before = _level(processes, ends_ms), _level(processes, minute_ms)
                if now is None or now == before:
                    continue
                value = now
            found.append(
                MinuteValue(
                    minute_ms=minute_ms, service=key.service, name=key.name, labels=key.labels, kind=kind, value=value
                )
            )
        return found


def canonical(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(sorted(labels.items())), separators=(",", ":"), ensure_ascii=False)


def _grown(series: Sequence[_Series], since_ms: int, until_ms: int) -> float:
    return sum(grown for each in series for at_ms, grown in each.moves if since_ms < at_ms <= until_ms)


def _level(processes: Mapping[str, _Series], at_ms: int) -> float | None:
    """A gauge as it was then, summed over the processes that had told of it not long before."""
    found = []
    for series in processes.values():
        before = [value for told_ms, value in series.moves if at_ms - SILENT_MS <= told_ms <= at_ms]
        found += before[-1:]
    return sum(found) if found else None
