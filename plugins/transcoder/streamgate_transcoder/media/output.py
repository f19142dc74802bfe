"""Where a child's work goes, and the check that it is what the plan promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from streamgate.contracts.media import MediaOutputInvalid

from .fragments import read_segment


@attrs.frozen(kw_only=True)
class SegmentOut:
    """One finished segment of one rendition; ticks of the rendition's time scale (audio: samples)."""

    rendition_id: str
    n: int
    decode_time_ticks: int
    duration_ticks: int
    data: bytes


class Sink(Protocol):
    """Takes what is made, in order: a rendition's init before its segments, segments rising."""

    def init(self, rendition_id: str, data: bytes) -> None: ...

    def segment(self, segment: SegmentOut) -> None: ...

    def progress(self, share: float, frames: int = 0) -> None:
        """`frames`: given to the encoders so far."""


def checked(rendition_id: str, n: int, data: bytes, start: int, end: int, shown: Sequence[int]) -> SegmentOut:
    """A segment, after reading its bytes back: it begins at `start` with a key frame, ends at `end`, shows `shown`.

    Args:
        shown: pts of all frames that were given to the encoder, rising.

    Raises:
        MediaOutputInvalid: anything else came out (`media.output_invalid`).
    """
    facts = read_segment(data)
    faults = []
    if facts.decode_time_ticks != start:
        faults.append(f"begins at {facts.decode_time_ticks} instead of {start}")
    if facts.decode_time_ticks + facts.duration_ticks != end:
        faults.append(f"ends at {facts.decode_time_ticks + facts.duration_ticks} instead of {end}")
    if not facts.begins_with_sync:
        faults.append("does not begin with a key frame")
    if sorted(facts.pts_ticks) != list(shown):
        faults.append(f"shows {len(facts.pts_ticks)} frames, {len(shown)} were given, or at other times")
    if faults:
        raise MediaOutputInvalid(f"segment {n} of {rendition_id}: {'; '.join(faults)}")
    return SegmentOut(
        rendition_id=rendition_id, n=n, decode_time_ticks=start, duration_ticks=facts.duration_ticks, data=data
    )
