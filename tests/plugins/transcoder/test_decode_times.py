"""Decode times, for any closed segment that an encoder can make."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate_transcoder.media.decode_times import NotAClosedSegment, spread_decode_times


def decoding_order(shown: list[int], depths: list[int]) -> list[int]:
    """Frames as an encoder with B-pyramids sends them: each group's last first, then its middle, and so on."""

    def inner(group: list[int]) -> list[int]:
        middle = len(group) // 2
        return [group[middle], *inner(group[:middle]), *inner(group[middle + 1 :])] if group else []

    sent, rest, turn = [shown[0]], shown[1:], 0
    while rest:
        size = depths[turn % len(depths)] + 1
        group, rest = rest[:size], rest[size:]
        sent += [group[-1], *inner(group[:-1])]
        turn += 1
    return sent


@st.composite
def segments(draw: st.DrawFn, *, smallest_gap: int = 16) -> tuple[list[int], int]:
    """Frames in decoding order with any gaps of at least 16 ticks, and the end of the segment."""
    start = draw(st.integers(0, 10**12))
    gaps = draw(st.lists(st.integers(smallest_gap, 5000), min_size=1, max_size=120))
    depths = draw(st.lists(st.integers(0, 7), min_size=1, max_size=6))
    times = list(accumulate(gaps, initial=start))
    return decoding_order(times[:-1], depths), times[-1]


@given(segments())
def test_they_rise_from_the_first_frame_and_never_pass_a_frames_own_time(segment: tuple[list[int], int]) -> None:
    pts, end = segment
    times = spread_decode_times(pts, end)
    assert times[0] == pts[0]
    assert all(before < after for before, after in pairwise((*times, end)))
    assert all(time <= shown for time, shown in zip(times, pts, strict=True))


@given(segments())
def test_no_frame_ends_later_than_the_segment_and_one_ends_with_it(segment: tuple[list[int], int]) -> None:
    pts, end = segment
    times = (*spread_decode_times(pts, end), end)
    ends = [shown + after - time for shown, (time, after) in zip(pts, pairwise(times), strict=True)]
    assert end == max(ends)


@given(st.integers(2, 6), st.integers(30, 240), st.integers(200, 4000))
def test_the_frame_shown_last_ends_with_the_segment_at_a_steady_rate(depth: int, frames: int, gap: int) -> None:
    """What makes Chromium's buffered range reach the next segment exactly."""
    pts = decoding_order([number * gap for number in range(frames)], [depth])
    end = frames * gap
    times = (*spread_decode_times(pts, end), end)
    last = pts.index(max(pts))
    assert end == pts[last] + times[last + 1] - times[last]


@given(st.integers(60, 240), st.integers(200, 4000))
def test_durations_are_the_frame_time_wherever_frames_keep_coming(frames: int, gap: int) -> None:
    pts = decoding_order([number * gap for number in range(frames)], [3])
    times = spread_decode_times(pts, frames * gap)
    middle = [after - before for before, after in pairwise(times[8 : frames - 12])]
    assert {gap} == set(middle)


def test_without_reordering_they_are_the_times_themselves() -> None:
    assert spread_decode_times([0, 40, 90], 130) == (0, 40, 90)


def test_a_single_frame_lasts_the_whole_segment() -> None:
    assert spread_decode_times([500], 900) == (500,)


@pytest.mark.parametrize(
    ("pts", "end"),
    [
        ([], 10),
        ([10, 0], 20),  # shown before the key frame: an open group
        ([0, 40, 40], 80),  # twice at the same time
        ([0, 40], 40),  # shown after the end
        ([0, 3, 1, 2], 4),  # no room between ticks
    ],
)
def test_what_is_no_closed_segment_is_refused(pts: list[int], end: int) -> None:
    with pytest.raises(NotAClosedSegment):
        spread_decode_times(pts, end)
