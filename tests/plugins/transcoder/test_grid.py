"""The segment grid and the pieces of work."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamgate_transcoder.media.grid import (
    audio_grid_alone,
    audio_grid_beside,
    chunk_spans,
    longest_gap,
    source_grid,
    uniform_grid,
    video_grid,
)

SECOND = 1000


def grid_of(keys: list[float], end: float) -> list[float]:
    cuts = [round(key * SECOND) for key in keys]
    grid = source_grid(round(end * SECOND), cuts, SECOND, 4.0, 10.5)
    return [time / SECOND for time in grid] if grid else []


def test_key_frames_are_thinned_to_about_four_seconds() -> None:
    assert grid_of([number / 2 for number in range(24)], 12) == [0, 4, 8, 12.0]
    assert grid_of([number * 1.92 for number in range(6)], 12) == [0, 3.84, 7.68, 12]


def test_a_gap_of_ten_and_a_half_seconds_serves_and_a_longer_one_does_not() -> None:
    assert grid_of([0, 10.42, 20.84], 24) == [0, 10.42, 20.84, 24]
    assert grid_of([0, 10.6, 20], 24) == []
    assert grid_of([0, 5], 30) == []


def test_a_source_that_begins_without_a_closed_key_frame_has_no_grid_of_its_own() -> None:
    assert grid_of([2, 4, 8], 12) == []


def test_a_last_piece_under_a_second_joins_the_one_before() -> None:
    assert grid_of([0, 4, 8], 8.9) == [0, 4, 8.9]
    assert grid_of([0, 4, 8], 9) == [0, 4, 8, 9.0]


def test_key_frames_side_by_side_make_no_tiny_segments() -> None:
    assert grid_of([0, 0.04, 8, 8.04], 16) == [0, 8, 16.0]


@given(
    st.lists(st.integers(1, 700), min_size=30, max_size=400),
    st.floats(0.5, 10),
    st.sets(st.integers(0, 399), max_size=60),
)
def test_every_grid_begins_at_0_rises_ends_at_the_end_and_cuts_at_frames_where_there_are_any(
    gaps: list[int], segment_s: float, keys: set[int]
) -> None:
    times = list(accumulate(gaps, initial=0))
    end = times.pop()
    cuts = sorted({0} | {times[key] for key in keys if key < len(times)})
    grid = video_grid(times, end, cuts, SECOND, segment_s=segment_s, max_gap_s=10.5)
    assert (0, end) == (grid[0], grid[-1])
    assert all(before < after for before, after in pairwise(grid))
    assert longest_gap(grid) <= 11.5 * SECOND
    for before, cut in pairwise(grid[:-1]):
        assert cut in times or min(time for time in (*times, end) if time > cut) - before > 10.5 * SECOND
    assert len(grid) == 2 or end - grid[-2] >= SECOND


@given(st.integers(1, 100_000), st.sampled_from([Fraction(24), Fraction(30_000, 1001), Fraction(60)]))
def test_a_uniform_grid_is_never_more_than_a_frame_late(frames: int, fps: Fraction) -> None:
    timescale = fps.numerator * 10
    times = range(0, frames * fps.denominator * 10, fps.denominator * 10)
    grid = uniform_grid(times, times[-1] + times.step, timescale, 4.0, 10.5)
    for number, time in enumerate(grid[:-1]):
        assert 0 <= time - number * 4 * timescale < times.step
    assert longest_gap(grid) <= 5 * timescale + times.step


@given(st.lists(st.integers(500, 11_000), min_size=1, max_size=300), st.sampled_from([44_100, 48_000]))
def test_the_audio_grid_stays_within_half_a_frame_of_the_picture(gaps: list[int], rate: int) -> None:
    grid = list(accumulate(gaps, initial=0))
    audio = audio_grid_beside(grid, SECOND, rate)
    assert len(grid) == len(audio)
    assert all(edge % 1024 == 0 for edge in audio)
    assert all(before < after for before, after in pairwise(audio))
    assert all(abs(edge - time * rate / SECOND) <= 513 for edge, time in zip(audio, grid, strict=True))


@given(st.fractions(Fraction(1, 100), 20_000), st.sampled_from([44_100, 48_000]))
def test_sound_alone_is_covered_whole(duration_s: Fraction, rate: int) -> None:
    grid = audio_grid_alone(duration_s, rate, 4.0)
    assert grid[0] == 0
    assert 0 <= grid[-1] - duration_s * rate < 1024
    assert all(before < after and (after - before) % 1024 == 0 for before, after in pairwise(grid))


@given(st.integers(1, 20_000))
def test_chunks_cover_all_segments_in_even_pieces(segments: int) -> None:
    spans = chunk_spans(segments)
    assert (0, segments) == (spans[0][0], spans[-1][1])
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    sizes = {stop - first for first, stop in spans}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 8
    assert min(sizes) >= 2 or segments == 1


def test_two_cores_have_work_from_four_segments_on() -> None:
    assert chunk_spans(4) == ((0, 2), (2, 4))
    assert len(chunk_spans(15)) == 4
