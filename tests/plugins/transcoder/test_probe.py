"""What the probe finds: times, key frames, orientation, tracks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import attrs
import av
import pytest

from streamgate.contracts.media import MediaTooLarge, NoPlayableTrack
from streamgate.testing.clips import ClipSpec, big_buck_bunny
from streamgate_transcoder.media import probe as probing
from streamgate_transcoder.media.info import MediaInfo
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.source import DescriptorBytes

HEADER_SPECS = {
    "b-frames.mp4": ClipSpec(frames=250, key_frames=(0, 60, 120), b_frames=3, audio_codec="aac"),
    "no-b-frames.mov": ClipSpec(container="mov", frames=100, b_frames=0),
    "varying.mp4": ClipSpec(pts=tuple(accumulate([0, *([3, 1, 7, 2] * 30)])), time_base=Fraction(1, 90)),
    "ntsc.mp4": ClipSpec(fps=Fraction(30_000, 1001), time_base=Fraction(1001, 30_000), frames=90),
    "open.mp4": ClipSpec(
        frames=200, key_frames=None, b_frames=3, options={"x264-params": "open-gop=1:keyint=40:scenecut=0"}
    ),
    "hevc.mp4": ClipSpec(
        frames=60, codec="libx265", key_frames=None, options={"x265-params": "log-level=none:keyint=20:open-gop=0"}
    ),
}


def without_faults(info: MediaInfo) -> MediaInfo:
    """Without what speaks against keeping packets: of an mp4 that had to be scanned that is the scan."""
    assert info.video is not None
    coded = None if info.video.coded is None else attrs.evolve(info.video.coded, fault="")
    return attrs.evolve(info, video=attrs.evolve(info.video, coded=coded))


@pytest.mark.parametrize("name", HEADER_SPECS)
def test_the_header_alone_tells_what_a_scan_of_all_packets_tells(
    name: str,
    clips: Callable[..., Path],
    open_bytes: Callable[[Path], DescriptorBytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = open_bytes(clips(name, HEADER_SPECS[name]))

    def no_scan(*_: Any) -> None:
        raise AssertionError("the header was not enough")

    with monkeypatch.context() as without_scan:
        without_scan.setattr(probing, "index_from_scan", no_scan)
        by_header = probing.probe(source, MediaLimits(), lambda share: None)
    with monkeypatch.context() as without_header:
        without_header.setattr(probing, "index_from_header", lambda *_: None)
        by_scan = probing.probe(source, MediaLimits(), lambda share: None)
    assert without_faults(by_scan) == without_faults(by_header)


def test_open_groups_can_be_decoded_from_but_not_cut_at(
    clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo]
) -> None:
    video = probe_path(clips("open.mp4", HEADER_SPECS["open.mp4"])).video
    assert video is not None
    assert video.cut_times == (0,)
    assert len(video.key_times) > 3


def test_big_buck_bunny(probe_path: Callable[[Path], MediaInfo]) -> None:
    info = probe_path(big_buck_bunny())
    assert info.video is not None
    assert (
        info.video.width_px,
        info.video.height_px,
        info.video.timescale,
        info.video.rotation_deg,
    ) == (1280, 720, 12_800, 0)
    assert (
        len(info.video.times),
        info.video.end,
        info.video.key_times,
        info.video.cut_times,
    ) == (132, 67_584, (0,), (0,))
    assert [(track.codec, track.sample_rate_hz, track.channels) for track in info.audio] == [("aac", 48_000, 6)]


@pytest.mark.parametrize(("degrees", "clockwise"), [(-90, 90), (90, 270), (180, 180)])
def test_a_turned_picture_is_measured_as_it_is_shown(
    degrees: int, clockwise: int, clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo]
) -> None:
    video = probe_path(clips(f"turned{degrees}.mp4", ClipSpec(frames=30, rotation_deg=degrees, key_frames=(0,)))).video
    assert video is not None
    expected = (320, 180) if clockwise == 180 else (180, 320)
    assert (clockwise, *expected) == (video.rotation_deg, video.width_px, video.height_px)


def test_wide_pixels_are_measured_as_they_are_shown(
    clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo]
) -> None:
    video = probe_path(clips("wide.mp4", ClipSpec(frames=30, key_frames=(0,), sar=Fraction(4, 3)))).video
    assert video is not None
    assert (video.width_px, video.height_px, video.sar_num, video.sar_den) == (427, 180, 4, 3)


def test_a_coarse_clock_is_refined_so_that_reordered_frames_have_room(
    clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo]
) -> None:
    spec = ClipSpec(container="matroska", pts=tuple(range(0, 600, 4)), time_base=Fraction(1, 1000), width_px=64)
    video = probe_path(clips("clock.mkv", spec)).video
    assert video is not None
    assert video.timescale == 4000
    assert tuple(range(0, 2400, 16)) == video.times


def test_late_pictures_set_the_origin(clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo]) -> None:
    spec = ClipSpec(container="mpegts", frames=50, key_frames=(0,), audio_codec="aac", audio_s=2)
    video = probe_path(clips("origin.ts", spec)).video
    assert video is not None
    assert video.origin_ticks == 7200  # two frames of reordering at 90 kHz
    assert video.times[0] == 0


@pytest.mark.parametrize(
    ("codec", "container", "layout"),
    [("aac", "mp4", "stereo"), ("libmp3lame", "mp3", "stereo"), ("flac", "flac", "mono"), ("pcm_s16le", "wav", "5.1")],
)
def test_sound_alone(
    codec: str, container: str, layout: str, clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo]
) -> None:
    spec = ClipSpec(has_video=False, audio_codec=codec, audio_layout=layout, container=container, audio_s=3)
    info = probe_path(clips(f"sound.{container}", spec))
    assert None is info.video
    assert info.main_audio is not None
    assert abs(info.main_audio.end_s - info.main_audio.start_s - 3) < Fraction(1, 10)


@pytest.mark.parametrize("road", ["header", "scan"])
def test_a_clock_that_jumps_by_hours_ends_the_video(
    road: str, clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    jump = 20 + 25 * 3600
    spec = ClipSpec(pts=(*range(20), *range(jump, jump + 5)), time_base=Fraction(1, 25), key_frames=(0,), b_frames=0)
    if road == "scan":
        monkeypatch.setattr(probing, "index_from_header", lambda *_: None)
    info = probe_path(clips("jump.mp4", spec))
    assert info.video is not None
    assert (len(info.video.times), Fraction(info.video.end, info.video.timescale)) == (20, Fraction(20, 25))
    assert "jumps" in info.warnings[0]


def test_sound_after_hours_of_nothing_is_left_out(
    clips: Callable[..., Path], tmp_path: Path, probe_path: Callable[[Path], MediaInfo]
) -> None:
    spec = ClipSpec(has_video=False, audio_codec="aac", container="matroska", audio_s=2)
    whole, path = clips("two-seconds.mka", spec), tmp_path / "jump.mka"
    with av.open(str(whole)) as source, av.open(str(path), "w", format="matroska") as out:
        copy = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                if packet.pts * packet.time_base > 1:
                    packet.pts = packet.dts = packet.pts + int(3600 / packet.time_base)
                packet.stream = copy
                out.mux(packet)
    sound = probe_path(path).main_audio
    assert sound is not None
    assert 0.9 < sound.end_s - sound.start_s < 1.1


def test_a_file_without_tracks_that_decode_says_so(
    clips: Callable[..., Path], tmp_path: Path, probe_path: Callable[[Path], MediaInfo]
) -> None:
    spec = ClipSpec(frames=50, key_frames=(0,), container_options={"movflags": "faststart"})
    data = bytearray(clips("header-first.mp4", spec).read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path = tmp_path / "empty.mp4"
    path.write_bytes(data)
    with pytest.raises(NoPlayableTrack):
        probe_path(path)


def test_the_count_of_frames_is_bounded_on_both_roads(
    clips: Callable[..., Path], open_bytes: Callable[[Path], DescriptorBytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_bytes(clips("b-frames.mp4", HEADER_SPECS["b-frames.mp4"]))
    few = attrs.evolve(MediaLimits(), max_frames=100)
    with pytest.raises(MediaTooLarge):
        probing.probe(source, few, lambda share: None)
    monkeypatch.setattr(probing, "index_from_header", lambda *_: None)
    with pytest.raises(MediaTooLarge):
        probing.probe(source, few, lambda share: None)


def test_a_recording_that_begins_inside_a_group_starts_at_its_first_key_frame(
    clips: Callable[..., Path], tmp_path: Path, probe_path: Callable[[Path], MediaInfo]
) -> None:
    whole, path = clips("from-the-start.mkv", ClipSpec(container="matroska", b_frames=0)), tmp_path / "tuned-in.mkv"
    with av.open(str(whole)) as source, av.open(str(path), "w", format="matroska") as out:
        copy = out.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number >= 20:  # its key frames are number 0 and number 50
                packet.stream = copy
                out.mux(packet)
    video = probe_path(path).video
    assert video is not None
    assert (video.origin_ticks, len(video.times), video.cut_times) == (2 * video.timescale, 50, (0,))
