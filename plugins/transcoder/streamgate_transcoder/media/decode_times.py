"""Decode times of our own choosing, so that segments need no edit list and no negative offset.

A player shows a frame at its pts; the decode time only has to come no later and to rise. Within one closed
segment it is therefore ours to choose, and it is chosen so that the segment stands alone: decode times begin
at the segment's own start (its `tfdt`), and the frame shown last ends exactly where the next segment begins.
One tick less made hls.js fetch a segment twice after a switch; two frames more made it append over itself.
"""

from __future__ import annotations

from collections.abc import Sequence


class NotAClosedSegment(ValueError):
    """The frames do not begin with the one shown first, repeat a time, or leave no room between them."""


def spread_decode_times(pts: Sequence[int], end: int) -> tuple[int, ...]:
    """Decode times of one closed segment, in the order of its samples.

    They start at pts[0], rise strictly, stay below `end` and never pass their pts. No frame's pts + duration
    (next decode time minus its own) passes `end`, and the frame shown last reaches it; only where a handful
    of frames leave no room for that, the one decoded last alone does.

    Args:
        pts: ticks in decoding order; pts[0] is the IDR and the smallest.
        end: start of the next segment, later than every pts.

    Raises:
        NotAClosedSegment: no such times exist.

    Source:
        docs/decisions/0010-own-media-fragments.md; the shape was measured against other ways of writing times.
    """
    shown = sorted(pts)
    if not pts or pts[0] != shown[0] or shown[-1] >= end or len(set(shown)) != len(shown):
        raise NotAClosedSegment("pts must be distinct, begin with the smallest and lie before the end")
    count = len(pts)
    last_shown = pts.index(shown[-1])
    # A constant delay while frames keep coming, as every muxer would have it …
    times = _delayed(pts, shown)[:last_shown]
    # … and from the last-shown frame on as late as can be, to have caught up at the end.
    times += _late(pts, last_shown, end - shown[-1])[last_shown:]
    after = end
    for at in range(count - 1, -1, -1):
        # Before the next one, yet not so early that the frame would seem to last beyond the end.
        times[at] = after = max(min(times[at], after - 1), after - (end - pts[at]))
    times[0] = pts[0]
    for at in range(1, count):
        times[at] = max(times[at], times[at - 1] + 1)
    if any(time > shown_at for time, shown_at in zip(times, pts, strict=True)):
        raise NotAClosedSegment("frames lie too close together to be put in order; use a finer time scale")
    return tuple(times)


def _delayed(pts: Sequence[int], shown: Sequence[int]) -> list[int]:
    """The times of display, shifted by the deepest reordering; the first few share the first frame's duration."""
    rank = {time: position for position, time in enumerate(shown)}
    delay = max(at - rank[time] for at, time in enumerate(pts))
    first_gap = shown[1] - shown[0] if len(shown) > 1 else 0
    opening = [shown[0] + first_gap * at // (delay + 1) for at in range(delay + 1)]
    return opening + list(shown[1 : len(pts) - delay])


def _late(pts: Sequence[int], last_shown: int, tail: int) -> list[int]:
    """Each as late as those after it allow; frames that wait for the same one share the time before it.

    The last-shown frame gets `tail`, its time on screen, until the sample after it.
    """
    limits = list(pts)
    for at in range(len(limits) - 2, -1, -1):
        limits[at] = min(limits[at], limits[at + 1])
    times = list(limits)
    start, previous = 1, limits[0]
    while start < len(limits):
        stop = start
        while stop + 1 < len(limits) and limits[stop + 1] == limits[start]:
            stop += 1
        steps, room = stop - start + 1, limits[start] - previous
        for at in range(start, stop + 1):
            times[at] = previous + room * (at - start + 1) // steps
        if start == last_shown < stop:
            step = max(1, (room - tail) // (stop - start))
            for at in range(stop - 1, start, -1):
                times[at] = times[at + 1] - step
            times[start] = times[start + 1] - tail
        start, previous = stop + 1, times[stop]
    return times
