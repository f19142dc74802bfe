"""The time scale of a media version, and the way from a source's clock to it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import attrs

_FINEST = 10_000_000
_TICKS_A_FRAME = 16


def choose_timescale(time_base: Fraction, shortest_gap: int) -> int:
    """Ticks a second for a source whose times are multiples of `time_base`.

    It is the source's own, so that times stay exact, refined where the shortest frame (`shortest_gap`, in
    units of the time base) has under 16 ticks, because reordered frames need decode times in between. Clocks
    beyond 10 MHz become microseconds: sample durations have 32 bits.
    """
    if time_base.denominator > _FINEST:
        return 1_000_000
    unit_ticks = max(1, shortest_gap) * time_base.numerator
    factor = max(1, -(-_TICKS_A_FRAME // unit_ticks))
    return time_base.denominator * max(1, min(factor, _FINEST // time_base.denominator))


@attrs.frozen
class Clock:
    """From a source's time stamps to ticks of the plan: exact where the scale is a multiple of the source's."""

    time_base: Fraction
    timescale: int

    def ticks(self, stamp: int) -> int:
        return round(stamp * self.time_base * self.timescale)

    def all_ticks(self, stamps: Sequence[int]) -> list[int]:
        """`ticks` of many: where a stamp is a whole number of ticks, without fractions."""
        factor = self.time_base * self.timescale
        if factor.denominator == 1:
            ticks_each = factor.numerator
            return [stamp * ticks_each for stamp in stamps]
        return [self.ticks(stamp) for stamp in stamps]

    def stamp(self, ticks: int) -> int:
        """The last source time stamp that is no later than `ticks`."""
        return ticks * self.time_base.denominator // (self.timescale * self.time_base.numerator)
