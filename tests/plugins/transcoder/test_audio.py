"""The sound: as long as the grid says, and where it was."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av
import pytest

from streamgate.testing.clips import ClipSpec, make_clip
from streamgate_transcoder.media.fragments import read_segment

PICTURE = ClipSpec(width_px=64, height_px=64, frames=250, key_frames=(0, 100, 200))


def with_sound(**more: Any) -> ClipSpec:
    return attrs.evolve(PICTURE, **{"audio_codec": "aac", "audio_s": 10.0, **more})


def decoded(data: bytes) -> list[float]:
    """All samples of the first channel, as a decoder gives them that is told nothing of priming."""
    samples: list[float] = []
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(audio=0):
            plane = memoryview(frame.planes[0])[: frame.samples * 4]
            samples += (value for (value,) in struct.iter_unpack("=f", plane))
    return samples


def first_loud(samples: list[float]) -> int:
    return next(at for at, value in enumerate(samples) if abs(value) > 0.05)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("aac.mp4", with_sound()),
        ("aac-44100.mp4", with_sound(audio_rate_hz=44_100)),
        ("aac-mono.mp4", with_sound(audio_layout="mono")),
        ("opus.mkv", with_sound(container="matroska", audio_codec="libopus")),
        ("aac.ts", with_sound(container="mpegts")),
    ],
)
def test_it_is_exactly_as_long_as_the_grid_and_never_before_zero(
    name: str, spec: ClipSpec, clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    made = make_media(clips(name, spec))
    (rendition_id,) = made.audio_ids
    grid = made.plan.audio_grid
    assert len(decoded(made.file(rendition_id))) == grid[-1]
    facts = [read_segment(part.data) for _, part in sorted(made.segments[rendition_id].items())]
    assert [item.decode_time_ticks for item in facts] == list(grid[:-1])
    assert facts[0].pts_ticks[0] == 0
    rate = next(item.sample_rate_hz for item in made.plan.renditions if item.id == rendition_id)
    picture_s = Fraction(made.plan.duration_ticks, made.plan.timescale)
    assert abs(Fraction(grid[-1], rate) - picture_s) <= Fraction(513, rate)


@pytest.mark.parametrize("delay_s", [0.0, 0.5, 2.25])
@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_sound_stays_beside_the_picture(
    delay_s: float, container: str, clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    """A tone that begins after `delay_s` is heard then, within 6 ms (the coder spreads an onset over its window).

    At the very beginning half a window is missing, the coder's run-up: it fades in over 20 ms.
    """
    spec = with_sound(audio_delay_s=delay_s, container=container)
    path = clips(f"delay-{delay_s}.{container}", spec)
    heard = first_loud(decoded(make_media(path).file("a128"))) / 48_000
    assert abs(heard - delay_s) < (0.006 if delay_s else 0.02)


def test_a_hole_in_the_sound_becomes_silence(tmp_path: Path, make_media: Callable[..., Any]) -> None:
    """Packets from 4 s to 6 s are missing: what follows is still heard at its own time."""
    path, whole = tmp_path / "hole.mkv", tmp_path / "whole.mkv"
    make_clip(whole, with_sound(container="matroska", b_frames=0))
    with av.open(str(whole)) as source, av.open(str(path), "w", format="matroska") as out:
        copies = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            time_s = float((packet.pts or 0) * packet.time_base)
            if packet.dts is None or (packet.stream.type == "audio" and 4 <= time_s < 6):
                continue
            packet.stream = copies[packet.stream.index]
            out.mux(packet)
    samples = decoded(make_media(path).file("a128"))
    loud = [max(map(abs, samples[at : at + 4800])) > 0.05 for at in range(0, 96 * 4800, 4800)]
    assert all(loud[:40])
    assert not any(loud[41:59])
    assert all(loud[60:])


def test_sound_before_the_picture_is_cut_so_that_both_begin_together(
    clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    """The picture begins a second late: what was heard before it is left out, the tone goes on at once."""
    spec = with_sound(pts=tuple(range(25, 225)), container="matroska", time_base=Fraction(1, 25))
    made = make_media(clips("late-picture.mkv", spec))
    assert made.plan.origin_ticks == made.plan.timescale
    assert first_loud(decoded(made.file("a128"))) < 1500


@pytest.mark.parametrize(
    ("codec", "container"), [("aac", "mp4"), ("libmp3lame", "mp3"), ("flac", "flac"), ("pcm_s16le", "wav")]
)
def test_sound_alone_is_made_whole(
    codec: str, container: str, clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    spec = ClipSpec(has_video=False, audio_codec=codec, container=container, audio_s=9.3)
    made = make_media(clips(f"alone.{container}", spec))
    assert made.plan.video_grid == ()
    assert made.plan.chunks == ()
    assert [item.base for item in made.plan.renditions] == [True]
    samples = decoded(made.file("a128"))
    assert len(samples) == made.plan.audio_grid[-1] == made.plan.duration_ticks
    assert abs(len(samples) - 9.3 * 48_000) < 3 * 1024
    assert made.plan.target_duration_s in (4, 5, 6)
