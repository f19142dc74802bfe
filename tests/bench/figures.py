"""A figure beside its peer, what is asked of it, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal

import attrs

PER_S = {"µs": 1e6, "ms": 1e3, "s": 1.0}
"""How many of a unit of time are in a second."""
NAME_CHARS = 50


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile; `share` 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@attrs.frozen(kw_only=True)
class Mark:
    """One thing asked of a figure. An aim is told when it is missed, and fails nothing: it depends on the machine."""

    said: str
    got: float
    holds: bool
    is_aim: bool = False

    @property
    def verdict(self) -> str:
        return "ok" if self.holds else "below" if self.is_aim else "MISSED"


@attrs.frozen(kw_only=True)
class Figure:
    """Samples in `unit`, and the peer's, taken in the same run.

    Args:
        per_s: things a second, where several were under way at once; otherwise it follows from the mean.
        limit: what is asked of the median, or of the 99th percentile (`limit_of`); 0: nothing.
        ratio_limit: what is asked of our median over the peer's; 0: nothing.
        aim: as `limit`, for what the mission states without a machine.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    peer: tuple[float, ...] = ()
    peer_name: str = ""
    per_s: float = 0.0
    higher_is_better: bool = False
    limit: float = 0.0
    limit_of: Literal["p50", "p99"] = "p50"
    ratio_limit: float = 0.0
    aim: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's, by medians."""
        middle = statistics.median(self.peer) if self.peer else 0.0
        return statistics.median(self.ours) / middle if middle else None

    @property
    def throughput_per_s(self) -> float:
        """0 where the unit is none of time."""
        mean = statistics.fmean(self.ours)
        return self.per_s or (PER_S[self.unit] / mean if self.unit in PER_S and mean > 0 else 0.0)

    @property
    def marks(self) -> tuple[Mark, ...]:
        got = percentile(self.ours, 0.99) if self.limit_of == "p99" else statistics.median(self.ours)
        found = []
        if self.limit:
            found.append(self._mark(self.limit_of, "", got, self.limit))
        if self.ratio_limit and self.ratio is not None:
            found.append(self._mark("ratio", "×", self.ratio, self.ratio_limit))
        if self.aim:
            found.append(attrs.evolve(self._mark("aim", "", statistics.median(self.ours), self.aim), is_aim=True))
        return tuple(found)

    def _mark(self, what: str, times: str, got: float, wanted: float) -> Mark:
        sign, holds = ("≥", got >= wanted) if self.higher_is_better else ("≤", got <= wanted)
        return Mark(said=f"{what} {sign} {wanted:g}{times}", got=got, holds=holds)

    def row(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        per_s = self.throughput_per_s
        rate = f"{per_s:,.0f}" if per_s >= 10 else f"{per_s:.2f}" if per_s else ""
        asked = ", ".join(f"{mark.said} {mark.verdict}" for mark in self.marks)
        named = f"{self.name:<{NAME_CHARS}} {self.unit:<5}"
        return (
            f"{named} {_two(self.ours)} {rate:>10} {_two(self.peer)} {ratio:>7}  {asked:<30} {self.peer_name}".rstrip()
        )

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            **_plain(self.ours),
            "per_s": self.throughput_per_s or None,
            "peer": {"name": self.peer_name, **_plain(self.peer)} if self.peer else None,
            "ratio": self.ratio,
            "marks": [attrs.asdict(mark) for mark in self.marks],
        }


@attrs.frozen
class LeftOut:
    """A row that cannot be measured here, and why."""

    name: str
    why: str
    marks: tuple[Mark, ...] = ()

    def row(self) -> str:
        return f"{self.name:<{NAME_CHARS}} left out: {self.why}"

    def plain(self) -> dict[str, Any]:
        return {"name": self.name, "left_out": self.why, "marks": []}


Row = Figure | LeftOut

HEAD = (
    f"{'figure':<{NAME_CHARS}} {'unit':<5} {'p50':>10} {'p99':>10} {'per s':>10} {'peer p50':>10} {'peer p99':>10} "
    f"{'ratio':>7}  asked, held?"
)


def _two(values: Sequence[float]) -> str:
    return f"{statistics.median(values):>10.3f} {percentile(values, 0.99):>10.3f}" if values else " " * 21


def _plain(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {}
    return {"p50": statistics.median(values), "p99": percentile(values, 0.99), "samples": len(values)}


def summary(rows: Sequence[Row]) -> list[str]:
    """What was asked, and what of it held: misses first, by name."""
    marks = [(row.name.strip(), mark) for row in rows for mark in row.marks]
    limits = [(name, mark) for name, mark in marks if not mark.is_aim]
    aims = [(name, mark) for name, mark in marks if mark.is_aim]
    lines = []
    for title, found in (("limits", limits), ("aims", aims)):
        missed = [f"  {name}: {mark.got:,.3f}, asked {mark.said}" for name, mark in found if not mark.holds]
        lines += [f"{title}: {len(found) - len(missed)} of {len(found)} held", *missed]
    return lines


def missed(rows: Sequence[Row]) -> int:
    """How many limits were missed, aims aside."""
    return sum(not mark.holds and not mark.is_aim for row in rows for mark in row.marks)
