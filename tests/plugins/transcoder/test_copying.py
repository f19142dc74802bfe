"""Which sources are played as they are, and why others are not."""

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

from streamgate.contracts.media import MediaPlan, MediaSource
from streamgate.testing.clips import ClipSpec, big_buck_bunny
from streamgate_transcoder.media.copying import NotCopied, copy_video
from streamgate_transcoder.media.info import MediaInfo
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.profiles import WEB, Profile

PICTURE = ClipSpec(frames=200, key_frames=(0, 60, 110), width_px=64, height_px=36)
WITH_SOUND = attrs.evolve(PICTURE, audio_codec="aac", audio_s=8.0)
FULL = attrs.evolve(
    WITH_SOUND, width_px=1280, height_px=720, frames=25, key_frames=(0,), audio_s=1.0, options={"crf": "40"}
)

Plan = Callable[..., MediaPlan]


@pytest.fixture
def plan(probe_path: Callable[[Path], MediaInfo]) -> Plan:
    def make(path: Path, profile: Profile = WEB, copies_prefix: str = "copies/c_1/1/") -> MediaPlan:
        source = MediaSource(key="sources/x", size_bytes=path.stat().st_size)
        return make_plan(probe_path(path), profile, "c_1", 1, source, copies_prefix=copies_prefix)

    return make


def modes(plan: MediaPlan) -> list[tuple[str, str, bool]]:
    return [(item.id, item.mode, item.base) for item in plan.renditions]


def test_a_usable_source_is_the_top_rung_and_nothing_is_encoded_at_its_height(
    clips: Callable[..., Path], plan: Plan
) -> None:
    made = plan(clips("copied-720.mp4", FULL))
    sound = made.renditions[-1]
    assert modes(made)[:3] == [("v720", "copy", True), ("v480", "encode", False), ("v360", "encode", False)]
    assert (sound.kind, sound.mode, sound.codec, sound.channels) == ("audio", "copy", "mp4a.40.2", 2)
    assert (made.not_copied, made.copies_prefix) == ((), "copies/c_1/1/")
    small = plan(clips("copied.mp4", WITH_SOUND))
    assert next((item.id, item.mode) for item in small.renditions) == ("v36", "copy")
    assert all(item.mode == "copy" for item in small.renditions)
    assert small.chunks == ()


def test_who_may_not_copy_encodes_everything_as_before(clips: Callable[..., Path], plan: Plan, plan_of: Plan) -> None:
    path = clips("copied-720.mp4", FULL)
    assert plan(path, copies_prefix="") == plan_of(path, WEB)
    assert {item.mode for item in plan_of(path, WEB).renditions} == {"encode"}


@pytest.mark.parametrize(
    ("name", "spec", "reason"),
    [
        ("high10.mkv", {"container": "matroska", "pixel_format": "yuv420p10le"}, "8-bit 4:2:0"),
        ("444.mp4", {"pixel_format": "yuv444p"}, "8-bit 4:2:0"),
        ("turned.mp4", {"rotation_deg": 90}, "turned"),
        ("hevc.mp4", {"codec": "libx265", "key_frames": None, "options": {"x265-params": "log-level=none"}}, "hevc"),
        (
            "open.mp4",
            {"key_frames": None, "options": {"x264-params": "open-gop=1:keyint=40:scenecut=0"}, "frames": 400},
            "closed key frames",
        ),
        ("one-key.mp4", {"key_frames": (0,), "frames": 300}, "closed key frames"),
        ("stream.ts", {"container": "mpegts"}, "transport stream"),
        ("parts.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}, "fragments"),
        ("late.mp4", {"pts": tuple(range(7, 200)), "time_base": Fraction(1, 25)}, "edits beyond"),
        ("rich.mp4", {"options": {"qp": "0", "preset": "ultrafast"}, "width_px": 640, "height_px": 360}, "Mbit/s"),
        ("hdr.mp4", {"options": {"x264-params": "transfer=smpte2084"}}, "HDR"),
        ("interlaced.mp4", {"options": {"x264-params": "interlaced=1"}, "height_px": 64}, "interlaced"),
    ],
)
def test_what_cannot_be_played_as_it_is_is_encoded_and_says_why(
    name: str, spec: dict[str, Any], reason: str, clips: Callable[..., Path], plan: Plan
) -> None:
    made = plan(clips(f"not-{name}", attrs.evolve(PICTURE, **spec)))
    assert {item.mode for item in made.renditions} == {"encode"}
    assert [item.base for item in made.renditions] == [*[False] * (len(made.renditions) - 1), True]
    assert made.copies_prefix == ""
    assert made.chunks
    (why,) = made.not_copied
    assert why.startswith("picture: ")
    assert reason in why


@pytest.mark.parametrize("name", ["varying.mp4", "ntsc.mov", "coarse.mkv", "full.mp4", "wide.mp4"])
def test_what_is_unusual_and_can_be_played_is_copied(name: str, clips: Callable[..., Path], plan: Plan) -> None:
    made = plan(clips(f"copied-{name}", UNUSUAL[name]))
    assert made.renditions[0].mode == "copy", made.not_copied
    assert made.renditions[0].base


UNUSUAL = {
    "varying.mp4": attrs.evolve(
        PICTURE, pts=tuple(at * 3 + at % 2 for at in range(200)), time_base=Fraction(1, 90), key_frames=(0, 60, 130)
    ),
    "ntsc.mov": attrs.evolve(
        PICTURE, container="mov", fps=Fraction(30_000, 1001), time_base=Fraction(1001, 30_000), b_frames=3
    ),
    "coarse.mkv": attrs.evolve(PICTURE, container="matroska", b_frames=3),
    "full.mp4": attrs.evolve(PICTURE, pixel_format="yuvj420p"),
    "wide.mp4": attrs.evolve(PICTURE, sar=Fraction(4, 3)),
}


def test_an_edit_list_of_two_edits_is_not_copied(clips: Callable[..., Path], tmp_path: Path, plan: Plan) -> None:
    path = tmp_path / "edited.mp4"
    path.write_bytes(with_two_edits(clips("copied.mp4", WITH_SOUND).read_bytes()))
    made = plan(path)
    assert "edits beyond a trimmed start" in made.not_copied[0]
    assert made.renditions[-1].mode == "encode"


def with_two_edits(data: bytes) -> bytes:
    """The same file; the first edit list is said twice, and the header, which ends it, is so much longer."""
    at = data.index(b"elst") - 4
    grown = bytearray(data)
    entry = grown[at + 16 : at + 28]
    struct.pack_into(">I", grown, at + 12, 2)
    grown[at + 28 : at + 28] = entry
    for name in (b"moov", b"trak", b"edts", b"elst"):
        start = grown.index(name, grown.index(b"moov")) - 4
        struct.pack_into(">I", grown, start, struct.unpack_from(">I", grown, start)[0] + 12)
    return bytes(grown)


def test_parameter_sets_that_change_on_the_way_are_not_copied(clips: Callable[..., Path], plan: Plan) -> None:
    """As when two recordings are joined: only the key frames themselves tell."""
    path = clips("copied.mp4", WITH_SOUND)
    data = bytearray(path.read_bytes())
    with av.open(io.BytesIO(bytes(data))) as container:
        key = [entry for entry in container.streams.video[0].index_entries if entry.is_keyframe][1]
    size = struct.unpack_from(">I", data, key.pos)[0]
    data[key.pos + 4] = 0x67  # what was a slice (or SEI) is said to be another sequence parameter set
    assert size > 4
    joined = path.with_name("joined.mp4")
    joined.write_bytes(data)
    assert "parameter sets" in plan(joined).not_copied[0]


def test_a_file_that_was_cut_off_is_not_copied(clips: Callable[..., Path], tmp_path: Path, plan: Plan) -> None:
    spec = attrs.evolve(PICTURE, container_options={"movflags": "faststart"})
    whole = clips("first.mp4", spec).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert "ends before" in plan(path).not_copied[0]


@pytest.mark.parametrize(
    ("name", "spec", "reason"),
    [
        ("opus.mkv", {"audio_codec": "libopus", "container": "matroska"}, "opus"),
        ("delayed.mp4", {"audio_delay_s": 1.5}, "mp4|begins after"),
        ("short.mp4", {"audio_s": 5.0}, "ends before"),
        ("slow.mp4", {"audio_rate_hz": 22_050}, "22050 Hz"),
    ],
)
def test_sound_that_does_not_fit_is_encoded_beside_the_copied_picture(
    name: str, spec: dict[str, Any], reason: str, clips: Callable[..., Path], plan: Plan
) -> None:
    made = plan(clips(f"sound-{name}", attrs.evolve(WITH_SOUND, **spec)))
    assert [(item.kind, item.mode) for item in made.renditions] == [("video", "copy"), ("audio", "encode")]
    (why,) = made.not_copied
    assert why.startswith("sound: ")
    assert any(part in why for part in reason.split("|"))
    assert len(made.audio_grid) == len(made.video_grid)


def test_surround_sound_is_copied_beside_stereo_that_is_made_of_it(clips: Callable[..., Path], plan: Plan) -> None:
    made = plan(clips("sound-surround.mp4", attrs.evolve(WITH_SOUND, audio_layout="5.1")))
    picture, stereo, surround = made.renditions
    assert (picture.mode, stereo.mode, surround.mode) == ("copy", "encode", "copy")
    assert (stereo.channels, surround.channels) == (2, 6)
    assert stereo.source_track == surround.source_track == 1
    assert made.grid_of(stereo) == made.audio_grid
    assert len(made.grid_of(surround)) == len(made.video_grid)
    assert made.not_copied == ("sound: it has 6 channels at 48000 Hz",)


def test_sound_that_shall_have_a_loudness_is_not_copied(clips: Callable[..., Path], plan: Plan) -> None:
    made = plan(clips("copied.mp4", WITH_SOUND), attrs.evolve(WEB, loudness_lufs=-16.0))
    assert [(item.kind, item.mode) for item in made.renditions] == [("video", "copy"), ("audio", "encode")]
    assert made.not_copied == ("sound: it is brought to -16 LUFS",)


def test_sound_that_ends_a_little_early_is_copied_as_long_as_it_is(clips: Callable[..., Path], plan: Plan) -> None:
    made = plan(clips("sound-early.mp4", attrs.evolve(WITH_SOUND, audio_s=7.8)))
    assert made.renditions[-1].mode == "copy"
    assert 7.75 * 48_000 < made.audio_grid[-1] < 7.9 * 48_000
    assert len(made.audio_grid) == len(made.video_grid)


def test_one_key_frame_serves_a_film_of_one_segment(plan: Plan) -> None:
    made = plan(big_buck_bunny())
    assert made.video_grid == (0, 67_584)
    assert [(item.id, item.mode) for item in made.renditions][-2:] == [("a128", "encode"), ("s390", "copy")]  # 5.1
    assert made.renditions[0].mode == "copy"


def test_the_rate_is_held_against_the_cap_of_the_size(
    clips: Callable[..., Path], probe_path: Callable[[Path], MediaInfo], plan: Plan
) -> None:
    path = clips("copied.mp4", WITH_SOUND)
    video = probe_path(path).video
    assert video is not None
    assert video.coded is not None
    grid = plan(path).video_grid
    mean_bps = sum(video.coded.sizes) * 8 * video.timescale / grid[-1]
    for wanted_bps, is_copied in ((1_100_000, True), (1_300_000, False)):
        sizes = tuple(round(size * wanted_bps / mean_bps) for size in video.coded.sizes)
        scaled = attrs.evolve(video, coded=attrs.evolve(video.coded, sizes=sizes))
        larger = attrs.evolve(scaled, width_px=1280, height_px=720)  # where more may be there
        assert copy_video(larger, WEB, grid).mode == "copy"
        if is_copied:
            assert copy_video(scaled, WEB, grid).mode == "copy"
        else:
            with pytest.raises(NotCopied, match=r"1\.2 are allowed"):
                copy_video(scaled, WEB, grid)
