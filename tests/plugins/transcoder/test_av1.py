"""AV1 beside H.264: on the same grid, with one header from any chunk, and what is no AV1 is said to be none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.testing.clips import ClipSpec
from streamgate_transcoder.media.av1 import NotAv1, codec_of, decoder_configuration, level_for, to_sample
from streamgate_transcoder.media.fragments import read_segment
from streamgate_transcoder.media.ladder import choose_ladder
from streamgate_transcoder.media.profiles import EFFICIENT, WEB
from tests.plugins.transcoder.conftest import QUICK
from tests.plugins.transcoder.test_ladder import track

BOTH = attrs.evolve(QUICK, codecs=("h264", "av1"))
# Of 640 x 360: a delimiter, a sequence header of level 2.1, and the beginning of a frame.
KEY_UNIT = bytes.fromhex("12000a0b0000000cc4ff6712be40103201ff")


def test_every_rung_of_both_codecs_has_the_same_frames_in_every_segment(
    clips: Callable[..., Path], make_media: Callable[..., Any], source_ticks: Callable[..., list[int]]
) -> None:
    """Chunks are made in reverse order, and agree about the header."""
    path = clips("scenes.mp4", ClipSpec(frames=425, key_frames=(0, 75, 180, 260, 370), b_frames=3))
    made = make_media(path, BOTH)
    assert made.video_ids == ["v90", "v72", "v90-av1", "v72-av1"]
    assert len(made.plan.chunks) > 1
    times = source_ticks(path, made.plan)
    for rendition_id in made.video_ids:
        assert made.shown_ticks(rendition_id) == times
        for n, part in made.segments[rendition_id].items():
            start, end = made.plan.video_grid[n : n + 2]
            facts = read_segment(part.data)
            assert (facts.decode_time_ticks, facts.duration_ticks) == (start, end - start)
            assert facts.begins_with_sync
    n = len(made.plan.video_grid) // 2  # one alone
    start, end = made.plan.video_grid[n : n + 2]
    assert made.shown_ticks("v90-av1", n) == [ticks for ticks in times if start <= ticks < end]
    assert b"av1C" in made.inits["v90-av1"]


def test_players_stay_with_one_codec_so_each_has_all_sizes() -> None:
    ladder = choose_ladder(track(), EFFICIENT)
    plain = choose_ladder(track(), WEB)
    assert ladder[: len(plain)] == plain
    beside = ladder[len(plain) :]
    assert [each.id for each in beside] == [f"{each.id}-av1" for each in plain]
    assert [each.codec for each in beside][:2] == ["av01.0.08M.08", "av01.0.05M.08"]
    assert not any(each.base for each in beside)
    assert all(each.maxrate_bps < other.maxrate_bps for each, other in zip(beside, plain, strict=True))


def test_a_unit_loses_its_delimiter_and_its_header_tells_the_codec() -> None:
    assert to_sample(KEY_UNIT) == KEY_UNIT[2:]
    codec, config = decoder_configuration(KEY_UNIT)
    assert (codec, config[:4].hex(), config[4:]) == (codec_of("2.1"), "81010c00", KEY_UNIT[2:15])


@pytest.mark.parametrize(
    "unit",
    [
        b"",
        KEY_UNIT[15:],
        KEY_UNIT[:10],
        KEY_UNIT.replace(b"\x0a\x0b\x00", b"\x0a\x0b\x40"),
        b"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x10\x00",
        b"\x92\x00",
    ],
    ids=["nothing", "no header", "cut off", "another profile", "an endless size", "no size", "a forbidden bit"],
)
def test_what_is_none_is_said_to_be_none(unit: bytes) -> None:
    with pytest.raises(NotAv1):
        decoder_configuration(unit)


@given(st.binary(max_size=40))
def test_whatever_bytes_come_they_are_read_or_refused(data: bytes) -> None:
    for unit in (data, KEY_UNIT + data):
        try:
            kept = to_sample(unit)
        except NotAv1:
            continue
        assert to_sample(kept) == kept


def test_levels_hold_size_and_rate() -> None:
    sizes = [(426, 240, 30), (640, 360, 30), (854, 480, 30), (1280, 720, 30), (1920, 1080, 30), (1920, 1080, 60)]
    assert [level_for(*size, 1_000_000) for size in sizes] == ["2.0", "2.1", "3.0", "3.1", "4.0", "4.1"]
    assert level_for(426, 240, 30, 2_000_000) == "2.1"
    assert level_for(16_000, 16_000, 240, 1) == "6.2"
