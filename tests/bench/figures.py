"""A figure and its peer, and how they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile; `share` 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@attrs.frozen(kw_only=True)
class Figure:
    """`ours` and `peer` are samples in `unit`; `limit` is what the project asks for (0: no limit stated)."""

    name: str
    unit: str
    ours: tuple[float, ...]
    peer: tuple[float, ...] = ()
    peer_name: str = ""
    limit: float = 0.0
    higher_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ours) / statistics.median(self.peer) if self.peer else None

    @property
    def holds(self) -> bool | None:
        if not self.limit:
            return None
        middle = statistics.median(self.ours)
        return middle >= self.limit if self.higher_is_better else middle <= self.limit

    def row(self) -> str:
        def middle_and_tail(values: Sequence[float]) -> str:
            return f"{statistics.median(values):>10.3f} {percentile(values, 0.99):>10.3f}" if values else " " * 21

        ratio = f"{self.ratio:>6.2f}" if self.ratio is not None else " " * 6
        verdict = {None: "", True: "ok", False: "MISSED"}[self.holds]
        limit = f"{'≥' if self.higher_is_better else '≤'} {self.limit:g}" if self.limit else ""
        return (
            f"{self.name:<44} {self.unit:<6} {middle_and_tail(self.ours)} {middle_and_tail(self.peer)} {ratio}"
            f"  {limit:<8} {verdict:<6} {self.peer_name}"
        )


HEAD = f"{'figure':<44} {'unit':<6} {'p50':>10} {'p99':>10} {'peer p50':>10} {'peer p99':>10} {'ratio':>6}  limit"
