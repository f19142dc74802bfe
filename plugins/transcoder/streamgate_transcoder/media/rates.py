"""What each chunk may spend, so that all of them together keep to one rate: the buffer of a decoder runs on over their
seams, while each encoder begins with one of its own. Pure.

The promise of a rendition with a peak rate R and a buffer of B bits is x264's for a film that is encoded as one: a
buffer that begins nine tenths full, and is filled with R bits a second, never runs dry. Within a chunk an encoder
keeps it for the rate, buffer and beginning that it is given. With these all chunks together do, whatever each spends:

- All but the first begin with L in the buffer, and all but the last leave that much; L is one for each seam.
- A chunk that leaves L has a buffer of B - L, so that nothing it saves up is spent below L; and a rate by which L comes
  together again in its time.
"""

from __future__ import annotations

from fractions import Fraction

import attrs

from streamgate.contracts.media import MediaPlan, PlannedRendition

_START = Fraction(9, 10)
_SEAM = Fraction(1, 3)
"""L, of B: about what x264 has left anywhere in a film that is as hard as it may be."""
_LEAST_SHARE = Fraction(3, 4)
"""Of R, for a chunk so short that L would be more of it than the rest: then its own seam has less."""


@attrs.frozen(kw_only=True)
class Bounds:
    """For one encoder. `initial_bits`: in its buffer when it begins."""

    maxrate_bps: int
    bufsize_bits: int
    initial_bits: int


def bounds_of(plan: MediaPlan, rendition: PlannedRendition, chunk_n: int) -> Bounds:
    """Of one chunk of a rendition that is encoded."""
    rate, buffer = Fraction(rendition.maxrate_bps), Fraction(rendition.bufsize_bits)

    def duration_s(n: int) -> Fraction:
        chunk = plan.chunks[n]
        return Fraction(plan.video_grid[chunk.seg_to] - plan.video_grid[chunk.seg_from], plan.timescale)

    def seam_after(n: int) -> Fraction:
        return min(_SEAM * buffer, (1 - _LEAST_SHARE) * rate * duration_s(n))

    begins = _START * buffer if chunk_n == 0 else seam_after(chunk_n - 1)
    leaves = Fraction(0) if chunk_n == len(plan.chunks) - 1 else seam_after(chunk_n)
    own = buffer - leaves
    initial = min(begins, own)
    lacks = max(Fraction(0), leaves - (begins - initial))
    return Bounds(maxrate_bps=int(rate - lacks / duration_s(chunk_n)), bufsize_bits=int(own), initial_bits=int(initial))
