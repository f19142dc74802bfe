"""Picture and sound of an hour stay together: 29.97 frames and 44,100 samples a second, whose clocks have no tick in
common. Looked at in the beginning, in the middle and at the end of what is copied and of what is encoded."""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av
import pytest
from av.video.frame import VideoFrame

from streamgate.contracts.media import MediaPlan, MediaSource
from streamgate.testing.clips import ClipSpec, make_clip
from streamgate_transcoder.media.cutting import cut_segments
from streamgate_transcoder.media.info import MediaInfo
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.source import DescriptorBytes
from streamgate_transcoder.media.video import encode_chunk
from tests.plugins.transcoder.conftest import QUICK, Made

MOST_S = 0.020
HOUR_S = 3600
RATE_HZ, FRAME_SAMPLES = 44_100, 1024
TICK = Fraction(1001, 30_000)
GROUP = 120
"""Frames of a closed group: 4.004 s."""
ROUND = ClipSpec(
    width_px=64,
    height_px=36,
    frames=GROUP,
    fps=Fraction(30_000, 1001),
    time_base=TICK,
    key_frames=(0,),
    options={"crf": "45"},
    audio_codec="aac",
    audio_rate_hz=RATE_HZ,
    audio_s=4.5,
)


@attrs.frozen
class Packet:
    at_s: float
    data: bytes


@attrs.frozen
class Hour:
    """A film, and its packets in the order in which they are shown and heard."""

    path: Path
    picture: list[Packet]
    sound: list[Packet]


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    """The packets of a few seconds again and again, each track by its own clock."""
    folder = tmp_path_factory.mktemp("hour")
    path = folder / "hour.mp4"
    picture, sound = list[Packet](), list[Packet]()
    with av.open(str(make_clip(folder / "round.mp4", ROUND))) as source, av.open(str(path), "w") as out:
        seen, heard = source.streams.video[0], source.streams.audio[0]
        tracks: dict[Any, Any] = {each: out.add_stream_from_template(each) for each in (seen, heard)}
        packets = [packet for packet in source.demux() if packet.pts is not None]
        pictures = [each for each in packets if each.stream is seen]
        sounds = [bytes(each) for each in packets if each.stream is heard and (each.pts or 0) >= 0]
        time_base = (pictures[0].time_base, Fraction(1, RATE_HZ))
        group_ticks = round(GROUP * TICK / time_base[0])

        def put(data: bytes, pts: int, dts: int, *, is_picture: bool, is_key: bool) -> None:
            packet = av.Packet(data)
            packet.stream, packet.time_base = tracks[seen if is_picture else heard], time_base[not is_picture]
            packet.pts, packet.dts, packet.is_keyframe = pts, dts, is_key
            out.mux_one(packet)
            (picture if is_picture else sound).append(Packet(pts * float(time_base[not is_picture]), data))

        for n in range(round(HOUR_S / TICK / GROUP)):
            shift = n * group_ticks
            for each in pictures:
                pts, dts = each.pts or 0, each.dts or 0
                put(bytes(each), pts + shift, dts + shift, is_picture=True, is_key=each.is_keyframe)
            for at in range(len(sound), round((n + 1) * GROUP * TICK * RATE_HZ / FRAME_SAMPLES)):
                times = (at * FRAME_SAMPLES, at * FRAME_SAMPLES)
                put(sounds[at % len(sounds)], *times, is_picture=False, is_key=True)
    return Hour(path, sorted(picture, key=lambda each: each.at_s), sound)


def shown(made: Made, rendition_id: str, n: int) -> list[Packet]:
    """What a player has of one segment."""
    with av.open(io.BytesIO(made.file(rendition_id, n)), "r") as container:
        stream = container.streams[0]
        tick_s = float(stream.time_base or 0)
        found = [Packet(each.pts * tick_s, bytes(each)) for each in container.demux(stream) if each.pts is not None]
    return sorted(found, key=lambda each: each.at_s)


def lateness_s(theirs: list[Packet], ours: list[Packet]) -> float:
    """How much later than in the source these packets are shown or heard. The same ones come again after 4 s."""
    near = bisect_left(theirs, ours[0].at_s, key=lambda each: each.at_s)
    around = range(max(0, near - GROUP // 3), near + GROUP // 3)
    [at] = [n for n in around if [each.data for each in theirs[n : n + len(ours)]] == [each.data for each in ours]]
    late = [mine.at_s - source.at_s for source, mine in zip(theirs[at:], ours, strict=False)]
    assert max(late) - min(late) < 0.0001, "within a segment all are as late as the first"
    return late[0]


Plan = Callable[..., MediaPlan]


@pytest.fixture
def plan(hour: Hour, probe_path: Callable[[Path], MediaInfo]) -> Plan:
    def planned(copies_prefix: str = "") -> MediaPlan:
        source = MediaSource(key="sources/x", size_bytes=hour.path.stat().st_size)
        return make_plan(info, QUICK, "c_1", 1, source, copies_prefix=copies_prefix)

    info = probe_path(hour.path)
    return planned


def test_what_is_copied_stays_together(hour: Hour, plan: Plan, open_bytes: Callable[[Path], DescriptorBytes]) -> None:
    made = Made(plan("copies/c_1/1/"))
    [picture, sound] = made.plan.renditions
    assert (picture.mode, sound.mode) == ("copy", "copy")
    grid = made.plan.video_grid
    assert grid[-1] / made.plan.timescale == pytest.approx(HOUR_S, abs=float(GROUP * TICK))
    apart = []
    for n in (0, len(grid) // 2, len(grid) - 2):
        cut_segments(open_bytes(hour.path), made.plan, [picture.id, sound.id], n, n + 1, MediaLimits(), made)
        seen, heard = shown(made, picture.id, n), shown(made, sound.id, n)
        assert seen[0].at_s == pytest.approx(grid[n] / made.plan.timescale)
        apart.append(lateness_s(hour.sound, heard) - lateness_s(hour.picture, seen))
    assert max(map(abs, apart)) < MOST_S, apart
    assert max(apart) - min(apart) < MOST_S / 20, apart


def test_an_encoded_picture_shows_what_the_source_shows_then(
    hour: Hour, plan: Plan, open_bytes: Callable[[Path], DescriptorBytes]
) -> None:
    """Each frame is told by its likeness to those of one round."""
    made = Made(plan())
    picture = made.plan.renditions[0]
    with av.open(str(hour.path)) as source:
        frames = [looks(frame) for frame, _ in zip(source.decode(video=0), range(GROUP), strict=False)]
    for chunk in (made.plan.chunks[at] for at in (0, len(made.plan.chunks) // 2, -1)):
        encode_chunk(open_bytes(hour.path), made.plan, chunk.n, MediaLimits(), made)
        n = chunk.seg_to - 1
        with av.open(io.BytesIO(made.file(picture.id, n)), "r") as container:
            played = list(container.decode(video=0))
        assert len(played) == round(
            Fraction(made.plan.video_grid[n + 1] - made.plan.video_grid[n], made.plan.timescale) / TICK
        )
        for frame in played[:: GROUP // 4]:
            number = round(Fraction(frame.pts or 0) * Fraction(frame.time_base or 0) / TICK)
            assert float((frame.pts or 0) * (frame.time_base or 0)) == pytest.approx(float(number * TICK), abs=0.001)
            seen = looks(frame)
            alike = min(range(GROUP), key=lambda at: sum(abs(a - b) for a, b in zip(frames[at], seen, strict=True)))
            assert alike == number % GROUP


def looks(frame: VideoFrame) -> bytes:
    plane = frame.planes[0]
    return b"".join(bytes(plane)[at : at + plane.width] for at in range(0, plane.buffer_size, 4 * plane.line_size))
