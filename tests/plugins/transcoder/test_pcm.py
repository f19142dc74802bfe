"""Sound on its timeline: every sample where it belongs."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate_transcoder.media.pcm import PcmTimeline


def plane(first: int, count: int) -> bytes:
    """Samples whose value is their own number."""
    return struct.pack(f"={count}f", *range(first, first + count))


def values(blocks: Iterable[list[bytes]], channel: int = 0) -> list[float]:
    return [value for block in blocks for (value,) in struct.iter_unpack("=f", block[channel])]


def run(pieces: list[tuple[int, bytes]], total: int, tolerance: int = 0) -> list[float]:
    timeline = PcmTimeline(1, total, block=8, tolerance=tolerance)
    blocks = [block for position, data in pieces for block in timeline.place(position, [data])]
    return values([*blocks, *timeline.finish()])


def test_a_late_start_is_silence_first() -> None:
    assert run([(5, plane(1, 3))], 16) == [0.0] * 5 + [1, 2, 3] + [0.0] * 8


def test_what_lies_before_the_origin_is_cut() -> None:
    assert run([(-9, plane(1, 4)), (-2, plane(1, 5))], 8) == [3, 4, 5, 0, 0, 0, 0, 0]


def test_a_gap_becomes_silence_and_an_overlap_is_heard_once() -> None:
    assert run([(0, plane(1, 2)), (4, plane(5, 2)), (5, plane(6, 2))], 8) == [1, 2, 0, 0, 5, 6, 7, 0]


def test_rounded_time_stamps_open_no_gaps() -> None:
    pieces = [(number * 4 + number % 2, plane(number * 4, 4)) for number in range(4)]
    assert list(range(16)) == run(pieces, 16, tolerance=1)


@pytest.mark.parametrize("step", [99, 100, 101])
def test_a_clock_of_its_own_is_never_followed_further_than_the_tolerance(step: int) -> None:
    """Samples that come slower or faster than their time stamps: an hour of them would be far beside the picture."""
    pieces = [(number * step, plane(number * step, 100)) for number in range(400)]
    heard = run(pieces, 39_600, tolerance=7)
    assert max(abs(at - value) for at, value in enumerate(heard) if value) <= 7


def test_what_comes_after_the_end_is_cut() -> None:
    assert run([(0, plane(1, 20)), (20, plane(1, 4))], 8) == [1, 2, 3, 4, 5, 6, 7, 8]


@given(st.lists(st.tuples(st.integers(-50, 300), st.integers(0, 60)), max_size=12), st.integers(1, 20))
def test_it_always_gives_exactly_the_total_in_whole_blocks(pieces: list[tuple[int, int]], blocks: int) -> None:
    given_pieces = [(position, plane(0, count)) for position, count in pieces]
    assert blocks * 8 == len(run(given_pieces, blocks * 8, tolerance=3))


def test_channels_stay_apart() -> None:
    timeline = PcmTimeline(2, 8, block=8)
    (block,) = timeline.place(0, [plane(0, 8), plane(100, 8)])
    assert list(range(8)) == values([block], 0)
    assert list(range(100, 108)) == values([block], 1)
    assert timeline.is_full
