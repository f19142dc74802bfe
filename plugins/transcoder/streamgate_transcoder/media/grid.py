"""The segment grid: one list of cut times per media version, shared by every rendition."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from streamgate.contracts import media

AAC_FRAME_SAMPLES = media.AAC_FRAME_SAMPLES


def video_grid(
    times: Sequence[int], end: int, cut_times: Sequence[int], timescale: int, *, segment_s: float, max_gap_s: float
) -> tuple[int, ...]:
    """Cut times from 0 to `end`, in ticks: the source's own closed key frames where they serve, else uniform. No
    segment is longer than `max_gap_s`, and a second that a short last piece may add.

    Args:
        times: all frames in display order, from 0.
        end: when the last frame leaves the screen.
        cut_times: closed key frames among `times`, rising.
    """
    return source_grid(end, cut_times, timescale, segment_s, max_gap_s) or uniform_grid(
        times, end, timescale, segment_s, max_gap_s
    )


def source_grid(
    end: int, cut_times: Sequence[int], timescale: int, segment_s: float, max_gap_s: float
) -> tuple[int, ...] | None:
    """The source's closed key frames thinned to about one every `segment_s`; None where a gap is too long."""
    if not cut_times or cut_times[0] != 0:
        return None
    step, longest = round(segment_s * timescale), int(max_gap_s * timescale)
    candidates = [*(time for time in cut_times if time < end), end]
    grid = [0]
    while grid[-1] < end:
        # Nothing under a second, unless the next key frame is too far away.
        first = bisect_left(candidates, grid[-1] + timescale)
        if first == len(candidates) or candidates[first] - grid[-1] > longest:
            first = bisect_right(candidates, grid[-1])
        wanted = grid[-1] + step
        at = bisect_left(candidates, wanted, lo=first)
        around = candidates[max(first, at - 1) : at + 1]
        grid.append(min(around, key=lambda time: abs(time - wanted)))
    closed = _close(grid[:-1], end, timescale)
    return closed if longest_gap(closed) <= longest else None


def uniform_grid(times: Sequence[int], end: int, timescale: int, segment_s: float, max_gap_s: float) -> tuple[int, ...]:
    """Every `segment_s`, each cut moved to the first frame that is shown no earlier. Where that would make a segment of
    more than `max_gap_s`, the cut stays where it is: the picture that is on screen is shown once more there."""
    grid = [0]
    step, longest = Fraction(segment_s) * timescale, int(max_gap_s * timescale)
    wanted = step
    while wanted < end:
        at = bisect_left(times, wanted)
        next_shown = times[at] if at < len(times) else end
        cut = next_shown if next_shown - grid[-1] <= longest else round(wanted)
        if grid[-1] < cut < end:
            grid.append(cut)
        wanted += step
    return _close(grid, end, timescale)


def audio_grid_beside(grid: Sequence[int], timescale: int, rate_hz: int) -> tuple[int, ...]:
    """The video grid in samples, each time moved to the nearest whole AAC frame (10.7 ms away at most at 48 kHz)."""
    edges = [round(Fraction(time * rate_hz, timescale * AAC_FRAME_SAMPLES)) for time in grid]
    for at in range(1, len(edges)):
        edges[at] = max(edges[at], edges[at - 1] + 1)
    return tuple(edge * AAC_FRAME_SAMPLES for edge in edges)


def audio_grid_alone(duration_s: Fraction, rate_hz: int, segment_s: float) -> tuple[int, ...]:
    """A uniform grid for a source without video, in samples; the end covers the whole sound."""
    frames = max(1, -(-duration_s * rate_hz // AAC_FRAME_SAMPLES))
    step = max(1, round(segment_s * rate_hz / AAC_FRAME_SAMPLES))
    edges = list(range(0, int(frames), step))
    if len(edges) > 1 and (frames - edges[-1]) * AAC_FRAME_SAMPLES < rate_hz:
        edges.pop()
    return tuple(edge * AAC_FRAME_SAMPLES for edge in (*edges, int(frames)))


def longest_gap(grid: Sequence[int]) -> int:
    return max(b - a for a, b in pairwise(grid))


def chunk_spans(segments: int) -> tuple[tuple[int, int], ...]:
    """Work units as (first, one past the last) segment: 2 to 8 of even size, about 16 s each.

    Short sources are cut finer so that two cores have something to do; long ones coarser so that a lease is
    worth its bookkeeping.
    """
    size = 4 if segments <= 150 else 8
    count = 1 if segments < 4 else 2 * -(-segments // (2 * size))
    edges = [segments * at // count for at in range(count + 1)]
    return tuple(pairwise(edges))


def _close(grid: list[int], end: int, timescale: int) -> tuple[int, ...]:
    """Adds the end; a last piece under a second joins the one before."""
    while len(grid) > 1 and end - grid[-1] < timescale:
        grid = grid[:-1]
    return (*grid, end)
