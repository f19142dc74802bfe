"""The promise of the whole media core: what went in comes out, at the same times, in every rung."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import pytest

from streamgate.contracts.media import MediaPlan
from streamgate.testing.clips import ClipSpec, big_buck_bunny
from streamgate_transcoder.media.fragments import read_segment

NTSC = Fraction(30_000, 1001)
IRREGULAR = tuple(accumulate([0, *([20, 80, 41, 200, 33, 33, 17, 900, 40, 40] * 20)]))

SPECS = {
    "plain.mp4": ClipSpec(frames=260, key_frames=(0, 60, 110, 200), audio_codec="aac", audio_s=10.4),
    "ntsc.mp4": ClipSpec(fps=NTSC, time_base=Fraction(1001, 30_000), frames=300, key_frames=(0, 130, 240), b_frames=3),
    "open-gop.mp4": ClipSpec(
        frames=250, key_frames=None, options={"x264-params": "open-gop=1:keyint=60:scenecut=0"}, b_frames=3
    ),
    "irregular.mkv": ClipSpec(
        container="matroska", pts=IRREGULAR, time_base=Fraction(1, 1000), key_frames=(0, 70, 140), width_px=322
    ),
    "coarse.mkv": ClipSpec(container="matroska", fps=Fraction(25), frames=250, key_frames=(0,), b_frames=3),
    "stream.ts": ClipSpec(container="mpegts", frames=220, key_frames=(0, 100), audio_codec="aac", audio_s=8.8),
    "fragmented.mp4": ClipSpec(
        frames=220, key_frames=(0, 100), container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    ),
    "late.mp4": ClipSpec(pts=tuple(range(7, 160)), time_base=Fraction(1, 25), key_frames=(0, 70)),
    "vp9.webm": ClipSpec(
        container="webm", codec="libvpx-vp9", frames=60, key_frames=None, options={"deadline": "realtime"}
    ),
    "odd.mov": ClipSpec(container="mov", width_px=319, height_px=181, frames=60, pixel_format="yuv444p"),
    "full-range.mp4": ClipSpec(frames=60, pixel_format="yuvj420p"),
    "ten-bit.mkv": ClipSpec(
        container="matroska",
        codec="libx265",
        pixel_format="yuv420p10le",
        frames=60,
        key_frames=None,
        options={"x265-params": "log-level=none"},
    ),
    "single.mp4": ClipSpec(frames=1, key_frames=(0,)),
    "slow.mp4": ClipSpec(fps=Fraction(1), time_base=Fraction(1, 1), frames=14, key_frames=(0,), b_frames=3),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_frame_comes_out_at_its_own_time_in_every_rung(
    name: str, clips: Callable[..., Path], make_media: Callable[..., Any], source_ticks: Callable[..., list[int]]
) -> None:
    path = clips(name, SPECS[name])
    made = make_media(path)
    expected = source_ticks(path, made.plan)
    assert len(expected) >= (len(SPECS[name].pts) or SPECS[name].frames) - 1
    for rendition_id in made.video_ids:
        assert expected == made.shown_ticks(rendition_id)


@pytest.mark.parametrize("name", SPECS)
def test_segments_begin_and_end_on_the_grid_in_every_rung(
    name: str, clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    made = make_media(clips(name, SPECS[name]))
    grid = made.plan.video_grid
    for rendition_id in made.video_ids:
        facts = [read_segment(part.data) for _, part in sorted(made.segments[rendition_id].items())]
        assert list(grid[:-1]) == [item.decode_time_ticks for item in facts]
        assert list(grid[1:]) == [item.decode_time_ticks + item.duration_ticks for item in facts]
        assert all(item.begins_with_sync for item in facts)
        assert list(range(1, len(grid))) == [item.sequence for item in facts]


def test_a_segment_alone_shows_its_frames(
    clips: Callable[..., Path], make_media: Callable[..., Any], source_ticks: Callable[..., list[int]]
) -> None:
    path = clips("plain.mp4", SPECS["plain.mp4"])
    made = make_media(path)
    start, end = made.plan.video_grid[1:3]
    expected = [tick for tick in source_ticks(path, made.plan) if start <= tick < end]
    assert expected == made.shown_ticks("v72", only=1)


def test_the_clip_with_one_key_frame_and_surround_sound(
    make_media: Callable[..., Any], source_ticks: Callable[..., list[int]]
) -> None:
    made = make_media(big_buck_bunny())
    assert made.plan.video_grid == (0, 67_584)
    assert source_ticks(big_buck_bunny(), made.plan) == made.shown_ticks("v90")
    with av.open(io.BytesIO(made.file("a128")), "r") as container:
        assert made.plan.audio_grid[-1] == sum(frame.samples for frame in container.decode(audio=0))
        assert container.streams.audio[0].layout.name == "stereo"


def test_a_cut_off_file_plays_as_far_as_it_goes(
    clips: Callable[..., Path], make_media: Callable[..., Any], tmp_path: Path
) -> None:
    spec = ClipSpec(frames=250, key_frames=(0, 50, 100, 150, 200), container_options={"movflags": "faststart"})
    whole = clips("whole.mp4", spec).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    made = make_media(path)
    assert made.plan.warnings == ("the file ends before its header says; what is there will be played",)
    shown = made.shown_ticks("v72")
    assert 120 < len(shown) < 200
    assert shown == [shown[1] * number for number in range(len(shown))]


@pytest.mark.parametrize("container", ["matroska", "mpegts"])
def test_a_stream_cut_off_plays_as_far_as_it_goes(
    container: str, clips: Callable[..., Path], make_media: Callable[..., Any], tmp_path: Path
) -> None:
    spec = ClipSpec(frames=250, key_frames=(0, 50, 100, 150, 200), container=container)
    whole = clips(f"whole.{container}", spec).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    made = make_media(path)
    shown = made.shown_ticks("v72")
    assert 120 < len(shown) < 200
    assert len(made.segments["v72"]) == len(made.plan.video_grid) - 1


def test_a_picture_that_stays_for_long_is_cut_into_segments_all_the_same(
    clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    spec = ClipSpec(pts=(0, 25, 50, 1025, 1050), time_base=Fraction(1, 25), key_frames=(0,))
    made = make_media(clips("still.mp4", spec))
    grid = made.plan.video_grid
    assert (made.plan.target_duration_s, grid[-1]) == (9, 42 * made.plan.timescale + made.plan.timescale // 25)
    assert set(made.shown_ticks("v72")) == {*grid[:-1], *(number * made.plan.timescale for number in (0, 1, 2, 41, 42))}


def test_damage_in_the_middle_leaves_every_segment_there(
    clips: Callable[..., Path], make_media: Callable[..., Any], tmp_path: Path
) -> None:
    spec = ClipSpec(frames=300, key_frames=(0, 100, 200))
    data = bytearray(clips("to-damage.mp4", spec).read_bytes())
    with av.open(io.BytesIO(bytes(data))) as container:
        hit = container.streams.video[0].index_entries[100]  # the key frame of the second segment
    data[hit.pos : hit.pos + hit.size] = bytes(hit.size)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    made = make_media(path)
    assert len(made.plan.video_grid) - 1 == len(made.segments["v72"])
    shown = made.shown_ticks("v72")
    assert set(made.plan.video_grid[:-1]) <= set(shown)


def test_a_minute_is_cut_into_work_for_two_cores(minute: Path, plan_of: Callable[..., MediaPlan]) -> None:
    plan = plan_of(minute)
    assert 60 * plan.timescale == plan.duration_ticks
    assert len(plan.video_grid) - 1 == 17  # the clip has its key frames 1.92, 1.92 and 1.44 s apart
    spans = [(chunk.seg_from, chunk.seg_to) for chunk in plan.chunks]
    assert spans == [(0, 2), (2, 5), (5, 8), (8, 11), (11, 14), (14, 17)]
    assert all(plan.video_grid[chunk.seg_from] == chunk.decode_from_ticks for chunk in plan.chunks)


def test_the_picture_survives(clips: Callable[..., Path], make_media: Callable[..., Any]) -> None:
    """Every rung shows the same picture as the source at the same time: mean luma within 2 of 255."""
    path = clips("plain.mp4", SPECS["plain.mp4"])
    made = make_media(path)
    with av.open(str(path)) as source, av.open(io.BytesIO(made.file("v90")), "r") as rung:
        for theirs, ours in zip(source.decode(video=0), rung.decode(video=0), strict=True):
            assert abs(_mean_luma(theirs) - _mean_luma(ours)) < 2


def _mean_luma(frame: av.VideoFrame) -> float:
    plane = frame.planes[0]
    data = memoryview(plane)
    rows = (data[y * plane.line_size : y * plane.line_size + plane.width] for y in range(0, plane.height, 2))
    return sum(sum(row) for row in rows) / (plane.width * len(range(0, plane.height, 2)))
