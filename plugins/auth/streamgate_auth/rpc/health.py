"""How well an endpoint does, by the calls that were really made: latency, failures, breaker, head.

    cost = usual latency + usual share of failures x the time that a failure may take        seconds; less is better

The breaker opens after three failures in a row, at once where the node is of another chain or wants fewer requests.
While it is open the endpoint is asked last. When its pause is over, one real question goes to it beside the node that
answers (half open): a node that tells its head and fails every call must not pass by a ping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.rpc.wire import FaultKind

WEIGHT = 0.2  # of the newest call in the moving averages
HINT_WEIGHT = 0.1  # of a question that proves little; without it an endpoint that was slow once is never tried again
FORGIVES_S = 30.0  # half of what was held against it
SAMPLES = 64
MIN_SAMPLES = 8  # below them, what is usual is not known
UNKNOWN_LATENCY_S = 0.1
OPENS_AFTER = 3
PAUSE_S, MAX_PAUSE_S = 5.0, 120.0
OPENS_AT_ONCE: frozenset[FaultKind] = frozenset({"wrong_chain", "rate_limited"})
HEAD_AGES_S = 120.0  # a head heard longer ago says nothing of the others' lag

BreakerState = Literal["closed", "open", "half_open"]
BREAKER_VALUES: Mapping[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}


@attrs.define(eq=False, kw_only=True)
class Health:
    """Args:
    timeout_s: what a failure may cost.
    """

    clock: Clock
    timeout_s: float
    calls: int = 0
    failures: int = 0
    last_fault: FaultKind | None = None
    head: int | None = None
    _head_at_s: float = 0.0
    _latency_s: float | None = None
    _failing: float = 0.0
    _failing_at_s: float = 0.0
    _in_a_row: int = 0
    _pause_s: float = PAUSE_S
    _open_until_s: float | None = None
    _is_probing: bool = False
    _latencies_s: deque[float] = attrs.field(factory=lambda: deque(maxlen=SAMPLES))

    def worked(self, latency_s: float) -> None:
        self.calls += 1
        self._note_latency(latency_s)
        self._failing = self.failing * (1 - WEIGHT)
        self._failing_at_s = self.clock.monotonic_s()
        self._in_a_row, self._pause_s, self._open_until_s, self._is_probing = 0, PAUSE_S, None, False

    def failed(self, kind: FaultKind) -> None:
        self.calls += 1
        self.failures += 1
        self.last_fault = kind
        if kind == "behind":  # well, and a moment late: the lag says it, where it stays so
            self._is_probing = False
            return
        self._failing = self.failing + WEIGHT * (1 - self.failing)
        self._failing_at_s = self.clock.monotonic_s()
        self._in_a_row += 1
        self._is_probing = False
        if self._open_until_s is not None:  # a probe, or a last resort
            self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
        elif self._in_a_row < OPENS_AFTER and kind not in OPENS_AT_ONCE:
            return
        self._open_until_s = self.clock.monotonic_s() + self._pause_s

    def overtaken(self, after_s: float) -> None:
        """Another was faster; this one would have taken longer than that."""
        self._is_probing = False
        self._note_latency(after_s)

    def estimate(self, latency_s: float) -> None:
        """By a question that proves little."""
        before = latency_s if self._latency_s is None else self._latency_s
        self._latency_s = before + HINT_WEIGHT * (latency_s - before)

    def note_head(self, number: int) -> None:
        self.head, self._head_at_s = number, self.clock.monotonic_s()

    @property
    def fresh_head(self) -> int | None:
        is_fresh = self.clock.monotonic_s() - self._head_at_s <= HEAD_AGES_S
        return self.head if is_fresh else None

    @property
    def breaker(self) -> BreakerState:
        if self._open_until_s is None:
            return "closed"
        return "open" if self.clock.monotonic_s() < self._open_until_s else "half_open"

    def begin_probe(self) -> bool:
        """Whether the caller is the one that tries it now. Ends by `worked`, `failed` or `overtaken`."""
        if self.breaker != "half_open" or self._is_probing:
            return False
        self._is_probing = True
        return True

    @property
    def failing(self) -> float:
        """Share of calls that fail of late, from 0 to 1."""
        return float(self._failing * 0.5 ** ((self.clock.monotonic_s() - self._failing_at_s) / FORGIVES_S))

    @property
    def cost_s(self) -> float:
        latency_s = UNKNOWN_LATENCY_S if self._latency_s is None else self._latency_s
        return latency_s + self.failing * self.timeout_s

    @property
    def score(self) -> float:
        """From 0 (useless) to 1, for people; the order of asking follows `cost_s`."""
        return 1 / (1 + self.cost_s)

    def usual_s(self, share: float) -> float | None:
        """The latency that so many of the last calls stayed below; None while few were made."""
        if len(self._latencies_s) < MIN_SAMPLES:
            return None
        ordered = sorted(self._latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def _note_latency(self, latency_s: float) -> None:
        self._latencies_s.append(latency_s)
        before = latency_s if self._latency_s is None else self._latency_s
        self._latency_s = before + WEIGHT * (latency_s - before)
