"""What is cut of a source decodes to what the source decodes to, tick for tick: whole, and one segment alone."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import attrs
import av
import pytest

from streamgate.contracts.media import MediaOutputInvalid, MediaPlan, MediaSource
from streamgate.testing.clips import ClipSpec
from streamgate_transcoder.media.cutting import cut_segments
from streamgate_transcoder.media.fragments import read_segment
from streamgate_transcoder.media.info import MediaInfo
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.profiles import WEB
from streamgate_transcoder.media.source import DescriptorBytes
from tests.plugins.transcoder.conftest import Made

PICTURE = ClipSpec(frames=250, key_frames=(0, 60, 110, 170), width_px=64, height_px=36)
IRREGULAR = tuple(accumulate([0, *([20, 80, 41, 200, 33, 33, 17, 900, 40, 40] * 20)]))

SPECS = {
    "plain.mp4": attrs.evolve(PICTURE, audio_codec="aac", audio_s=10.0),
    "mono-44100.mov": attrs.evolve(
        PICTURE, container="mov", audio_codec="aac", audio_s=10.0, audio_layout="mono", audio_rate_hz=44_100
    ),
    "pyramid.mp4": attrs.evolve(PICTURE, b_frames=6, options={"x264-params": "b-pyramid=normal:ref=4"}),
    "no-b-frames.mp4": attrs.evolve(PICTURE, b_frames=0),
    "ntsc.mp4": attrs.evolve(PICTURE, fps=Fraction(30_000, 1001), time_base=Fraction(1001, 30_000), b_frames=3),
    "irregular.mp4": attrs.evolve(PICTURE, pts=IRREGULAR, time_base=Fraction(1, 1000), key_frames=(0, 70, 140)),
    "coarse.mkv": attrs.evolve(PICTURE, container="matroska", b_frames=3),
    "irregular.mkv": attrs.evolve(
        PICTURE, container="matroska", pts=IRREGULAR, time_base=Fraction(1, 1000), key_frames=(0, 70, 140)
    ),
    "header-first.mp4": attrs.evolve(PICTURE, container_options={"movflags": "faststart"}, sar=Fraction(4, 3)),
}

Cut = Callable[..., Made]


@pytest.fixture
def cut(open_bytes: Callable[[Path], DescriptorBytes], probe_path: Callable[[Path], MediaInfo]) -> Cut:
    """The copied renditions of a file; `seg_from`, `seg_to`: a part of them."""

    def make(path: Path, seg_from: int = 0, seg_to: int | None = None, only: str = "") -> Made:
        source = MediaSource(key="sources/x", size_bytes=path.stat().st_size)
        plan = make_plan(probe_path(path), WEB, "c_1", 1, source, copies_prefix="copies/c_1/1/")
        ids = [item.id for item in plan.renditions if item.mode == "copy" and only in ("", item.kind)]
        assert ids, plan.not_copied
        made = Made(plan)
        until = len(plan.video_grid) - 1 if seg_to is None else seg_to
        cut_segments(open_bytes(path), plan, ids, seg_from, until, MediaLimits(), made)
        return made

    return make


def pictures(data: bytes | Path, plan: MediaPlan, *, is_source: bool = False) -> list[tuple[int, str]]:
    """Time (ticks of the plan) and hash of every frame."""
    with av.open(str(data) if isinstance(data, Path) else io.BytesIO(data), "r") as container:
        found = []
        for frame in container.decode(video=0):
            ticks = round((frame.pts or 0) * (frame.time_base or Fraction(1)) * plan.timescale)
            planes = b"".join(bytes(plane) for plane in frame.planes)
            found.append((ticks - (plan.origin_ticks if is_source else 0), hashlib.sha256(planes).hexdigest()))
    return found


@pytest.mark.parametrize("name", SPECS)
def test_every_frame_is_the_sources_own_at_its_own_time(name: str, clips: Callable[..., Path], cut: Cut) -> None:
    path = clips(f"cut-{name}", SPECS[name])
    made = cut(path)
    expected = pictures(path, made.plan, is_source=True)
    assert len(expected) == (len(SPECS[name].pts) or SPECS[name].frames)
    assert pictures(made.file(made.video_ids[0]), made.plan) == expected


@pytest.mark.parametrize("name", SPECS)
def test_each_segment_stands_alone_and_is_the_same_whoever_cuts_it(
    name: str, clips: Callable[..., Path], cut: Cut
) -> None:
    path = clips(f"cut-{name}", SPECS[name])
    whole = cut(path)
    grid, rendition = whole.plan.video_grid, whole.plan.renditions[0]
    expected = pictures(path, whole.plan, is_source=True)
    for n in range(len(grid) - 1):
        lone = cut(path, n, n + 1)
        assert {key: lone.segments[key][n].data for key in lone.segments} == {
            key: whole.segments[key][n].data for key in whole.segments
        }
        assert lone.inits == whole.inits
        assert pictures(lone.file(rendition.id, only=n), whole.plan) == [
            each for each in expected if grid[n] <= each[0] < grid[n + 1]
        ]
    tail = cut(path, 1, None, only="video")
    assert tail.segments[rendition.id] == {n: whole.segments[rendition.id][n] for n in range(1, len(grid) - 1)}


@pytest.mark.parametrize("name", SPECS)
def test_segments_fill_the_grid_and_have_the_size_that_was_planned(
    name: str, clips: Callable[..., Path], cut: Cut
) -> None:
    made = cut(clips(f"cut-{name}", SPECS[name]))
    for rendition in made.plan.renditions:
        if rendition.mode == "copy":
            grid = made.plan.video_grid if rendition.kind == "video" else made.plan.audio_grid
            data = [made.segments[rendition.id][n].data for n in range(len(grid) - 1)]
            facts = [read_segment(each) for each in data]
            assert [each.decode_time_ticks for each in facts] == list(grid[:-1])
            assert [each.decode_time_ticks + each.duration_ticks for each in facts] == list(grid[1:])
            assert all(each.begins_with_sync for each in facts)
            assert tuple(len(each) for each in data) == rendition.segment_bytes


@pytest.mark.parametrize("name", ["plain.mp4", "mono-44100.mov"])
def test_sound_is_the_sources_own_packets_from_the_pictures_beginning_on(
    name: str, clips: Callable[..., Path], cut: Cut
) -> None:
    path = clips(f"cut-{name}", SPECS[name])
    made = cut(path)
    (rendition,) = [item for item in made.plan.renditions if item.kind == "audio"]
    assert rendition.mode == "copy"
    with av.open(str(path)) as container:
        expected = [bytes(packet) for packet in container.demux(audio=0) if packet.size and (packet.pts or 0) >= 0]
    with av.open(io.BytesIO(made.file(rendition.id)), "r") as container:
        found = [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]
    count = made.plan.audio_grid[-1] // 1024
    assert found == [(at * 1024, data) for at, data in enumerate(expected[:count])]


def test_sound_does_not_drift_over_an_hour() -> None:
    """At every edge of a grid at 30000/1001 frames a second, sound is within half a packet of the picture."""
    from streamgate_transcoder.media.grid import audio_grid_beside

    grid = tuple(n * 120 * 1001 for n in range(901))  # 120 frames each
    for rate in (44_100, 48_000):
        edges = audio_grid_beside(grid, 30_000, rate)
        off_s = max(abs(Fraction(b, rate) - Fraction(a, 30_000)) for a, b in zip(grid, edges, strict=True))
        assert off_s <= Fraction(512, rate)
        assert math.isclose(edges[-1] / rate, grid[-1] / 30_000, abs_tol=0.0117)


def test_a_source_that_is_not_the_planned_one_is_refused(
    clips: Callable[..., Path], cut: Cut, open_bytes: Callable[[Path], DescriptorBytes]
) -> None:
    plan = cut(clips("cut-plain.mp4", SPECS["plain.mp4"]), 0, 1).plan
    for name in ("cut-ntsc.mp4", "cut-header-first.mp4"):
        other = open_bytes(clips(name, SPECS[name.removeprefix("cut-")]))
        with pytest.raises(MediaOutputInvalid):
            cut_segments(other, plan, [plan.renditions[0].id], 0, 1, MediaLimits(), Made(plan))


def test_a_key_frame_that_is_missing_leaves_no_segment_behind(
    clips: Callable[..., Path], cut: Cut, open_bytes: Callable[[Path], DescriptorBytes]
) -> None:
    path = clips("cut-plain.mp4", SPECS["plain.mp4"])
    plan = cut(path, 0, 1).plan
    moved = attrs.evolve(plan, video_grid=(0, plan.video_grid[1] + 1, *plan.video_grid[2:]))
    with pytest.raises(MediaOutputInvalid):
        cut_segments(open_bytes(path), moved, [plan.renditions[0].id], 1, 2, MediaLimits(), Made(plan))
