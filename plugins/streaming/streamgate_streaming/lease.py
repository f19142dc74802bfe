"""How long one decision opens the bytes: pure, so that every order of answers can be tried to the tick.

Answers speak in wall time, which a machine may set back. That is turned into this process's monotonic time once, when
the answer arrives; nothing here is compared with a wall clock again.
"""

from __future__ import annotations

import math
from typing import Literal

import attrs

from streamgate.context import Actor
from streamgate.contracts.auth import Decision
from streamgate.sdk.clock import Clock

from .extent import is_preview

_PAUSE = 20
"""After an answer, nobody asks again before a twentieth of the lease (3 s of 60): an answer that does not extend it
must not be asked for at every segment."""
_SOON_S = 1.0
"""Where time has just changed the answer, by our clock and not yet by auth's, it is asked about again so soon."""


@attrs.frozen
class Moment:
    """One moment by both clocks."""

    wall_s: float  # Unix time
    mono_s: float

    @classmethod
    def now(cls, clock: Clock) -> Moment:
        return cls(clock.now_s(), clock.monotonic_s())

    def mono_of(self, wall_s: float) -> float:
        """An earlier moment's wall time by the monotonic clock; one that is still to come (another machine's clock)
        counts as now."""
        return self.mono_s - max(0.0, self.wall_s - wall_s)


@attrs.frozen
class Lease:
    """Bytes may be served before `until_s`; from `ask_from_s` on traffic asks for the next decision. Both, and `now_s`
    everywhere, are of this process's monotonic clock."""

    until_s: float = -math.inf
    ask_from_s: float = -math.inf

    def holds(self, now_s: float) -> bool:
        return now_s < self.until_s

    def is_due(self, now_s: float) -> bool:
        return now_s >= self.ask_from_s


NO_LEASE = Lease()

Outcome = Literal["extended", "refused", "unknown"]


def decision_for(actor: Actor, decision: Decision) -> Decision:
    """The answer as it counts for this viewer: without sign-in only public content opens, whatever a rule says of
    somebody who holds nothing (`not` would hold)."""
    if decision.outcome == "holds" and not decision.is_public and not actor.is_signed_in:
        return attrs.evolve(decision, outcome="does_not_hold")
    return decision


def after_decision(
    lease: Lease, decision: Decision, *, at: Moment, lease_s: float, may_preview: bool = False
) -> tuple[Lease, Outcome]:
    """The lease after an answer that arrived at `at`, and what it was.

    A preview extends the lease of who has only been given one (`may_preview`). For whoever had the whole it is a
    refusal like any other: what was open to them ends, and they may open the preview as everybody may.

    It counts from the chain read, never from the answer's arrival, and a read from the future (another machine's
    clock) counts as now. Unknown leaves it to run out, or to the end of the grace where the operator gives one. None of
    it goes past the moment at which time alone may change the answer; what is left of that, and of a grace, is
    measured by the clock that is further on, auth's or ours.
    """
    ask_from_s = at.mono_s + lease_s / _PAUSE
    if decision.outcome == "does_not_hold" and not (may_preview and is_preview(decision)):
        return NO_LEASE, "refused"
    if decision.outcome == "unknown":
        grace_s = _left_s(decision.grace_until_s, decision, at)
        until_s = max(lease.until_s, at.mono_s + grace_s) if grace_s > 0 else lease.until_s
        return _up_to_edge(Lease(until_s, ask_from_s), decision, at), "unknown"
    until_s = max(lease.until_s, at.mono_of(decision.read_at_s) + lease_s)
    return _up_to_edge(Lease(until_s, max(ask_from_s, until_s - lease_s / 2)), decision, at), "extended"


def _up_to_edge(lease: Lease, decision: Decision, at: Moment) -> Lease:
    """Not past the moment at which time alone may change the answer; there it is decided again."""
    if decision.valid_until_s is None:
        return lease
    left_s = _left_s(decision.valid_until_s, decision, at)
    if left_s <= 0:
        return Lease(min(lease.until_s, at.mono_s), min(lease.ask_from_s, at.mono_s + _SOON_S))
    edge_s = at.mono_s + left_s
    return lease if lease.until_s < edge_s else Lease(edge_s, edge_s)


def _left_s(until_wall_s: float, decision: Decision, at: Moment) -> float:
    """How long it is until then by the clock that is further on, auth's or ours."""
    return until_wall_s - max(decision.read_at_s, at.wall_s)


def due_now(lease: Lease) -> Lease:
    """The next request has it decided again."""
    return Lease(lease.until_s)


def after_silence(lease: Lease, *, now_s: float, lease_s: float) -> Lease:
    """The lease after a question that nobody answered: it runs out; the next question waits a little."""
    return Lease(lease.until_s, now_s + lease_s / _PAUSE)
