"""What is done to pictures before they are encoded: HDR is toned down, fields are made whole pictures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import av.filter
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc

from streamgate_transcoder.media.deinterlacing import deinterlaced
from streamgate_transcoder.media.tone import ToneMapper

PQ, HLG = 16, 18


def flat(transfer: int, *levels: int) -> VideoFrame:
    """A BT.2020 frame of one colour: 10-bit Y, Cb, Cr."""
    frame = VideoFrame(16, 16, "yuv420p10le")
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(level.to_bytes(2, "little") * (plane.buffer_size // 2))
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range = transfer, 9, 9, 1
    return frame


def colour_of(frame: VideoFrame) -> list[float]:
    """Of its first pixel, on the scale of 8 bits."""
    return [int.from_bytes(bytes(plane)[:2], "little") / 4 for plane in frame.planes]


@pytest.mark.parametrize(
    ("transfer", "code", "luma"),
    [
        (PQ, 64, 16),
        (PQ, 450, 139),  # 54 cd/m², below the knee: 219 (54/203)^(1/2.4) + 16 by hand
        (PQ, 573, 214),  # 203 cd/m², the white of HDR (ITU-R BT.2408): 91 % of the signal, so that 9 % are left above
        (PQ, 723, 235),  # 1,000 cd/m²
        (PQ, 940, 235),
        (HLG, 64, 16),
        (HLG, 721, 214),  # 75 %: the white of HDR again
        (HLG, 940, 235),
    ],
)
def test_light_is_put_where_a_screen_of_standard_range_shows_it(transfer: int, code: int, luma: int) -> None:
    shown = ToneMapper(16, 16).map(flat(transfer, code, 512, 512))
    assert colour_of(shown) == pytest.approx([luma, 128, 128], abs=1)
    assert (shown.color_trc, shown.color_primaries) == (ColorTrc.BT709, ColorPrimaries.BT709)
    assert shown.pts == 7


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_never_becomes_darker(transfer: int) -> None:
    mapper = ToneMapper(16, 16)
    shown = [colour_of(mapper.map(flat(transfer, code, 512, 512)))[0] for code in range(64, 941, 12)]
    assert shown == sorted(shown)


def test_red_stays_red() -> None:
    _, blue_off, red_off = colour_of(ToneMapper(16, 16).map(flat(PQ, 300, 450, 700)))
    assert red_off > 160
    assert blue_off < 128


def test_standard_range_passes_untouched() -> None:
    frame = flat(1, 500, 512, 512)
    assert ToneMapper(8, 8).map(frame) is frame


def bar_at(fields: Sequence[int], *, is_interlaced: bool) -> VideoFrame:
    """A bright bar, eight pixels wide, on dark ground: in even lines at fields[0], in odd ones at fields[1]."""
    frame = VideoFrame(64, 64, "yuv420p")
    rows = [bytes(200 if at <= x < at + 8 else 40 for x in range(64)) for at in fields]
    luma = frame.planes[0]
    luma.update(b"".join(rows[y % 2].ljust(luma.line_size, b"\0") for y in range(64)))
    for plane in frame.planes[1:]:
        plane.update(b"\x80" * plane.buffer_size)
    return _as_fields(frame) if is_interlaced else frame


def _as_fields(frame: VideoFrame) -> VideoFrame:
    """The same, marked as two fields: PyAV shows that mark and cannot set it."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=64, height=64, format=frame.format, time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("setfield", "tff"), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def combing(frame: VideoFrame) -> int:
    """How much lines differ from the next ones. The bar stands upright: what differs is of different moments."""
    luma = frame.planes[0]
    data = bytes(luma)
    rows = [data[y * luma.line_size :][:64] for y in range(8, 56)]
    return sum(abs(a - b) for pair in pairwise(rows) for a, b in zip(*pair, strict=True))


def test_fields_of_two_moments_become_one_picture() -> None:
    fed = [(n * 40, bar_at((4 + 3 * n, 6 + 3 * n), is_interlaced=True)) for n in range(12)]
    before = [combing(frame) for _, frame in fed]
    whole = list(deinterlaced(fed))
    assert [ticks for ticks, _ in whole] == [n * 40 for n in range(12)]
    assert all(combing(frame) < 0.35 * was for (_, frame), was in zip(whole, before, strict=True))


def test_whole_pictures_pass_untouched_until_the_first_that_is_not() -> None:
    whole = [(n * 40, bar_at((4 + 3 * n, 4 + 3 * n), is_interlaced=False)) for n in range(4)]
    fields = [(n * 40, bar_at((4 + 3 * n, 6 + 3 * n), is_interlaced=True)) for n in range(4, 8)]
    got = list(deinterlaced([*whole, *fields, (320, VideoFrame(32, 32, "yuv420p"))]))
    assert [ticks for ticks, _ in got] == list(range(0, 321, 40))
    assert all(frame is fed for (_, frame), (_, fed) in zip(got[:4], whole, strict=True))
    assert got[-1][1].width == 32
