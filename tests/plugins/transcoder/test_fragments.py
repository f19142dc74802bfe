"""Boxes, segments and init segments as bytes."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
import pytest

from streamgate.contracts.media import MediaOutputInvalid
from streamgate_transcoder.media.boxes import box, find, walk
from streamgate_transcoder.media.fragments import Sample, read_segment, write_segment
from streamgate_transcoder.media.h264 import ParameterSets
from streamgate_transcoder.media.info import Colour
from streamgate_transcoder.media.init_segment import AudioInit, VideoInit, write_audio_init, write_video_init

# 320x180 High 3.0, as x264 writes it.
SETS = ParameterSets(
    bytes.fromhex("6764001eacd94141bf970110000003001000000303c8f162d960"), bytes.fromhex("68ebe3cb22c0")
)


def test_a_segment_reads_back_as_it_was_written() -> None:
    samples = [Sample(1000, b"key"), Sample(1090, b"p", False), Sample(1030, b"bb", False)]
    facts = read_segment(write_segment(7, samples, 1120))
    assert (facts.sequence, facts.decode_time_ticks, facts.duration_ticks) == (7, 1000, 120)
    assert facts.pts_ticks == (1000, 1090, 1030)
    assert facts.begins_with_sync
    assert facts.data_bytes == 6


def test_composition_offsets_are_never_negative() -> None:
    data = write_segment(1, [Sample(0, b"k"), Sample(90, b"p", False), Sample(30, b"b", False)], 120)
    trun = find(data, b"moof", b"traf", b"trun")
    assert trun is not None
    assert data[trun.start] == 0  # version 0: unsigned
    offsets = [row[3] for row in struct.iter_unpack(">IIIi", data[trun.start + 12 : trun.end])]
    assert all(0 <= offset <= 90 for offset in offsets)


def test_the_data_offset_points_at_the_first_sample() -> None:
    data = write_segment(1, [Sample(0, b"first"), Sample(40, b"second", False)], 80)
    moof = next(item for item in walk(data) if item.kind == b"moof")
    trun = find(data, b"moof", b"traf", b"trun")
    assert trun is not None
    (offset,) = struct.unpack_from(">i", data, trun.start + 8)
    assert data[moof.start - 8 + offset :] == b"firstsecond"


@pytest.mark.parametrize("cut", [20, 60, -1])
def test_a_cut_off_segment_does_not_read_back(cut: int) -> None:
    data = write_segment(1, [Sample(0, b"first")], 80)
    with pytest.raises(ValueError, match="segment needs"):
        read_segment(data[:cut])


def test_times_beyond_32_bits_are_kept() -> None:
    late = 2**33 + 5
    assert late == read_segment(write_segment(1, [Sample(late, b"x")], late + 10)).decode_time_ticks


def test_walking_stops_at_a_box_that_does_not_fit() -> None:
    data = box(b"free", b"xx") + struct.pack(">I4s", 1000, b"mdat")
    assert [item.kind for item in walk(data)] == [b"free"]


def test_libav_reads_size_shape_and_colours_from_the_init() -> None:
    init = write_video_init(
        VideoInit(
            timescale=30_000,
            width_px=320,
            height_px=180,
            config=SETS.decoder_configuration(),
            sar_num=4,
            sar_den=3,
            colour=Colour(primaries=1, transfer=1, matrix=1),
        )
    )
    with av.open(io.BytesIO(init), "r") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (320, 180, Fraction(4, 3))
        assert (stream.color_primaries, stream.color_trc, stream.colorspace) == (1, 1, 1)
        assert (stream.time_base or 1).denominator == 30_000
        assert SETS.decoder_configuration() == stream.codec_context.extradata


def test_no_shape_is_written_for_square_pixels() -> None:
    init = write_video_init(VideoInit(timescale=1000, width_px=320, height_px=180, config=SETS.decoder_configuration()))
    assert b"pasp" not in init
    assert b"edts" not in init


def test_libav_reads_the_audio_init() -> None:
    init = write_audio_init(
        AudioInit(sample_rate_hz=44_100, channels=1, config=bytes.fromhex("1208"), bitrate_bps=64_000)
    )
    with av.open(io.BytesIO(init), "r") as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels, stream.codec.name, stream.bit_rate) == (44_100, 1, "aac", 64_000)


def test_output_that_is_not_on_the_grid_is_refused() -> None:
    from streamgate_transcoder.media.output import checked

    data = write_segment(1, [Sample(0, b"k"), Sample(40, b"p", False)], 80)
    assert checked("v72", 1, data, 0, 80, [0, 40]).duration_ticks == 80
    for start, end, shown in ((0, 120, [0, 40]), (40, 80, [0, 40]), (0, 80, [0]), (0, 80, [0, 41])):
        with pytest.raises(MediaOutputInvalid):
            checked("v72", 1, data, start, end, shown)
