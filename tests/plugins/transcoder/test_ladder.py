"""Which sizes are made of which source."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate_transcoder.media.info import Colour, VideoTrack
from streamgate_transcoder.media.ladder import choose_ladder, choose_sizes, level_for, nominal_fps
from streamgate_transcoder.media.profiles import WEB, Rung


def track(width: int = 1920, height: int = 1080, **more: Any) -> VideoTrack:
    given_facts: dict[str, Any] = {
        "index": 0,
        "codec": "h264",
        "width_px": width,
        "height_px": height,
        "timescale": 25,
        "origin_ticks": 0,
        "times": tuple(range(100)),
        "end": 100,
        "key_times": (0,),
        "cut_times": (0,),
        **more,
    }
    return VideoTrack(**given_facts)


def sizes(width: int, height: int) -> list[tuple[int, int]]:
    return [(width, height) for width, height, _ in choose_sizes(width, height, WEB)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((1920, 1080), [(1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240)]),
        ((1280, 720), [(1280, 720), (854, 480), (640, 360), (426, 240)]),
        ((1080, 1920), [(1080, 1920), (720, 1280), (480, 854), (360, 640), (240, 426)]),
        ((3840, 1600), [(1920, 800), (1280, 534), (854, 356), (640, 266), (426, 178)]),
        ((720, 576), [(600, 480), (450, 360), (300, 240)]),
        ((640, 360), [(640, 360), (426, 240)]),
        ((320, 181), [(320, 180)]),
        ((1, 1), [(2, 2)]),
    ],
)
def test_known_sources(source: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert expected == sizes(*source)


@given(st.integers(16, 9000), st.integers(16, 9000))
def test_never_larger_than_the_source_always_even_and_of_its_shape(width: int, height: int) -> None:
    for made_width, made_height in sizes(width, height):
        assert made_width % 2 == 0
        assert made_height % 2 == 0
        assert made_width <= width + 1
        assert made_height <= height + 1
        # Each side is within a pixel of its exact length, two where that is under one.
        assert abs(made_width * height - made_height * width) <= 2 * (width + height)


def test_the_lowest_rung_is_the_base_and_the_ids_are_the_short_sides() -> None:
    ladder = choose_ladder(track(), WEB)
    assert [rung.id for rung in ladder] == ["v1080", "v720", "v480", "v360", "v240"]
    assert [rung.base for rung in ladder] == [False, False, False, False, True]
    assert [rung.codec for rung in ladder] == ["avc1.640028", "avc1.64001f", *["avc1.64001e"] * 3]


@given(st.lists(st.integers(16, 2000), min_size=1, max_size=10, unique=True), st.integers(16, 4000))
def test_a_rung_that_is_hardly_smaller_than_the_one_above_is_left_out(heights: list[int], height: int) -> None:
    rungs = [Rung(long_px=2 * each, short_px=each, maxrate_bps=9, bufsize_bits=9) for each in heights]
    profile = attrs.evolve(WEB, rungs=tuple(rungs))
    made = [min(size[:2]) for size in choose_sizes(2 * height, height, profile)]
    assert made == sorted(made, reverse=True)
    assert all(lower <= 0.8 * upper for upper, lower in pairwise(made))
    assert made[0] == 2 * round(max((each for each in heights if each <= height), default=height) / 2)


def test_settings_are_frozen_with_a_hash_that_follows_them() -> None:
    first, other = choose_ladder(track(), WEB)[0], choose_ladder(track(colour=Colour(primaries=9)), WEB)[0]
    assert len(first.settings_sha256) == 64
    assert first.settings_sha256 != other.settings_sha256
    assert first.settings_sha256 == choose_ladder(track(), WEB)[0].settings_sha256


def test_unnamed_colours_are_named_by_the_sources_height_in_all_rungs() -> None:
    assert {"1"} == {rung.settings["colorspace"] for rung in choose_ladder(track(1920, 1080), WEB)}
    assert {"6"} == {rung.settings["colorspace"] for rung in choose_ladder(track(854, 480), WEB)}


def test_levels_hold_size_rate_and_frames() -> None:
    assert level_for(640, 360, 30, 800_000) == "3.0"
    assert level_for(1280, 720, 30, 3_000_000) == "3.1"
    assert level_for(1280, 720, 60, 3_000_000) == "3.2"
    assert level_for(1920, 1080, 30, 6_000_000) == "4.0"
    assert level_for(16_000, 16_000, 240, 1) == "6.2"


@pytest.mark.parametrize(
    "fps", [Fraction(24_000, 1001), Fraction(24), Fraction(25), Fraction(30_000, 1001), Fraction(60)]
)
def test_a_rate_rounded_to_milliseconds_is_recognised(fps: Fraction) -> None:
    times = tuple(round(number / fps * 1000) for number in range(600))
    assert fps == nominal_fps(track(timescale=1000, times=times, end=round(600 / fps * 1000)))


def test_a_varying_rate_has_no_nominal_one() -> None:
    assert None is nominal_fps(track(timescale=1000, times=(0, 40, 200, 240), end=280))
