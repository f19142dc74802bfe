"""Several sounds: which renditions they become, what is left of six channels in two, and how loud it is."""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import pi, sin, sqrt
from pathlib import Path
from typing import Any

import attrs
import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.media import MediaPlan
from streamgate.testing.clips import ClipSpec
from streamgate.wire import from_plain, to_plain
from streamgate_transcoder.media.audio import encode_audio
from streamgate_transcoder.media.info import AudioTrack, MediaInfo
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.loudness import Loudness, LoudnessMeter
from streamgate_transcoder.media.profiles import WEB
from streamgate_transcoder.media.sounds import sounds_alone
from streamgate_transcoder.media.titles import clean_title
from tests.plugins.transcoder.conftest import QUICK, Made

RATE_HZ = 48_000
PIECE = RATE_HZ // 2
FULL = 0.98


def tone(level: float, samples: int = PIECE, hertz: int = 1000) -> array[float]:
    return array("f", (level * sin(2 * pi * hertz * at / RATE_HZ) for at in range(samples)))


def write_wav(path: Path, layout: str, channels: Sequence[array[float]]) -> Path:
    """Raw samples, so that nothing but what is tested changes them."""
    mixed = array("f", bytes(4 * len(channels) * len(channels[0])))
    for at, samples in enumerate(channels):
        mixed[at :: len(channels)] = samples
    with av.open(str(path), "w", format="wav") as out:
        stream: Any = out.add_stream("pcm_f32le", rate=RATE_HZ, layout=layout)
        frame = av.AudioFrame(format="flt", layout=layout, samples=len(channels[0]))
        frame.planes[0].update(mixed.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def heard(data: bytes) -> list[array[float]]:
    """Each channel's samples."""
    with av.open(io.BytesIO(data), "r") as container:
        found: list[array[float]] = []
        for frame in container.decode(audio=0):
            found = found or [array("f") for _ in frame.planes]
            for channel, plane in zip(found, frame.planes, strict=True):
                channel.extend(memoryview(bytes(plane)).cast("f")[: frame.samples])
    return found


def level(samples: Sequence[float]) -> float:
    """Of a sine, its height."""
    return sqrt(2 * sum(value * value for value in samples) / len(samples))


def middle(samples: Sequence[float], piece: int) -> Sequence[float]:
    return samples[piece * PIECE + PIECE // 4 : (piece + 1) * PIECE - PIECE // 4]


def test_six_channels_become_two_by_their_shares_and_never_clip(tmp_path: Path, make_media: Callable[..., Any]) -> None:
    """Each channel alone at its loudest, one after another, and at last all of them at once (L R C LFE Ls Rs)."""
    silence = array("f", bytes(4 * PIECE))
    channels = [array("f") for _ in range(6)]
    for piece in range(7):
        for at, channel in enumerate(channels):
            channel.extend(tone(FULL, hertz=60 if at == 3 else 1000) if piece in (at, 6) else silence)
    made = make_media(write_wav(tmp_path / "six.wav", "5.1", channels))
    stereo, surround = made.plan.renditions
    assert (stereo.channels, surround.channels) == (2, 6)
    left, right = heard(made.file(stereo.id))
    whole, part = FULL / (1 + sqrt(2)), FULL / (1 + sqrt(2)) / sqrt(2)  # ITU-R BS.775, made to fit
    expected = [(whole, 0), (0, whole), (part, part), (0, 0), (part, 0), (0, part)]
    for piece, (on_left, on_right) in enumerate(expected):
        assert level(middle(left, piece)) == pytest.approx(on_left, abs=0.01), piece
        assert level(middle(right, piece)) == pytest.approx(on_right, abs=0.01), piece
    loudest = [max(map(abs, middle(each, 6))) for each in (left, right)]
    assert loudest == pytest.approx([FULL, FULL], abs=0.04)
    assert max(loudest) < 1
    for piece, channel in enumerate(heard(made.file(surround.id))):
        assert level(middle(channel, piece)) == pytest.approx(FULL, abs=0.05), piece
        assert level(middle(channel, (piece + 1) % 6)) < 0.02


@pytest.mark.parametrize(
    ("first", "then", "lufs"),
    [
        (0.02, 0.02, -16.0),  # quiet all along: 18 dB up
        (0.7, 0.7, -16.0),  # loud: down
        (0.02, 0.9, -23.0),  # one factor for both, so that what is quiet stays as much quieter
        (0.02, 0.6, 0.0),  # peaks leave room for 4 dB
        (0.002, 0.002, -16.0),  # noise stays noise
    ],
)
def test_sound_is_brought_to_a_loudness_by_one_factor(
    first: float, then: float, lufs: float, tmp_path: Path, make_media: Callable[..., Any]
) -> None:
    parts = [tone(level, 3 * RATE_HZ) for level in (first, then)]
    path = write_wav(tmp_path / "tone.wav", "stereo", [parts[0] + parts[1]] * 2)
    made = make_media(path, attrs.evolve(QUICK, loudness_lufs=lufs))
    (rendition,) = made.plan.renditions
    left, _ = heard(made.file(rendition.id))
    found = measured(left)
    factors = [level(left[at : at + RATE_HZ]) / was for at, was in ((RATE_HZ, first), (4 * RATE_HZ, then))]
    assert factors[0] == pytest.approx(factors[1], rel=0.04)
    loudest = max(first, then)
    if loudest * 10 < 10 ** (lufs / 20):
        assert factors[0] == pytest.approx(10, rel=0.05)  # 20 dB, no more
    elif lufs == 0:
        assert found.true_peak == pytest.approx(10 ** (-1 / 20), abs=0.03)
    else:
        assert found.integrated_lufs == pytest.approx(lufs, abs=0.3)
    assert found.true_peak < 0.93


def measured(samples: array[float]) -> Loudness:
    meter = LoudnessMeter(RATE_HZ, "stereo")
    frame = av.AudioFrame(format="fltp", layout="stereo", samples=len(samples))
    for plane in frame.planes:
        plane.update(samples.tobytes())
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    meter.take(frame)
    return meter.measured()


@given(st.floats(-69, 5), st.floats(0.0001, 4), st.floats(-40, 0))
def test_a_factor_never_lifts_peaks_over_their_limit(lufs: float, peak: float, wanted: float) -> None:
    factor = Loudness(lufs, peak).gain_to(wanted)
    assert 0 < factor <= 10
    assert factor * peak <= 10 ** (-1 / 20) + 1e-9
    assert factor <= 10 ** ((wanted - lufs) / 20) + 1e-9


def test_silence_stays_silence() -> None:
    assert Loudness(-70.0, 0.0).gain_to(-16.0) == 1
    assert measured(array("f", bytes(4 * RATE_HZ))).gain_to(-16.0) == 1


def test_each_track_is_offered_once_for_all_and_in_its_5_1() -> None:
    def track(index: int, **more: Any) -> AudioTrack:
        facts = {"codec": "aac", "sample_rate_hz": 48_000, "channels": 2, "end_s": Fraction(9)}
        return AudioTrack(index=index, **{**facts, **more})

    tracks = (
        track(1, language="de"),
        track(2, language="en", channels=6, is_default=True),
        track(3, channels=8, sample_rate_hz=44_100, title="Music"),
        track(4, channels=1),
    )
    info = MediaInfo(container="mov", audio=tracks)
    assert info.main_audio == tracks[1]
    made = sounds_alone(info.sounds, WEB)
    assert [(each.id, each.language, each.title, each.channels, each.source_track) for each in made.renditions] == [
        ("a128", "en", "", 2, 2),
        ("s384", "en", "", 6, 2),
        ("a128-2", "de", "", 2, 1),
        ("a128-3", "", "Music", 2, 3),
        ("s384-3", "", "Music", 6, 3),
        ("a64-4", "", "", 1, 4),
    ]
    own = [each.grid for each in made.renditions]
    assert own[0] == own[1] == own[2] == own[5] == ()
    assert own[3] == own[4] != ()
    assert len(own[3]) == len(made.grid)
    without = sounds_alone(info.sounds, attrs.evolve(WEB, surround_bitrate_bps=0))
    assert {each.channels for each in without.renditions} == {1, 2}


def test_a_plan_that_was_stored_before_is_still_obeyed(
    clips: Callable[..., Path], plan_of: Callable[..., MediaPlan], open_bytes: Callable[[Path], Any]
) -> None:
    """It says nothing of languages, tracks and grids of their own: its one sound is the main one."""
    path = clips("before.mp4", ClipSpec(width_px=64, height_px=64, audio_codec="aac", audio_s=4.0))
    plan = plan_of(path)
    stored = to_plain(plan)
    for rendition in stored["renditions"]:
        for name in ("language", "title", "source_track", "grid"):
            del rendition[name]
    old = from_plain(MediaPlan, stored)
    sound = old.renditions[-1]
    assert (sound.id, sound.source_track, old.grid_of(sound)) == ("a128", -1, plan.audio_grid)
    made = Made(old)
    encode_audio(open_bytes(path), old, "a128", MediaLimits(), made)
    assert len(made.segments["a128"]) == len(plan.audio_grid) - 1


def test_more_sounds_than_are_offered_are_told(
    tmp_path: Path, probe_path: Callable[[Path], MediaInfo], plan_of: Callable[..., MediaPlan]
) -> None:
    path = tmp_path / "ten.mka"
    with av.open(str(path), "w", format="matroska") as out:
        tracks: list[Any] = [out.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono") for _ in range(10)]
        tracks[4].disposition = av.stream.Disposition.default
        for number, track in enumerate(tracks):
            track.metadata["title"] = f'No "{number}"\n'
        for number in range(10):
            for track in tracks:
                frame = av.AudioFrame(format="s16", layout="mono", samples=960)
                frame.planes[0].update(bytes(1920))
                frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 960 * number, Fraction(1, RATE_HZ)
                out.mux(track.encode(frame))
    info = probe_path(path)
    assert "10 audio tracks; 8" in info.warnings[0]
    assert [track.title for track in info.sounds][:3] == ["No 4", "No 0", "No 1"]
    plan = plan_of(path)
    assert [each.source_track for each in plan.renditions] == [4, 0, 1, 2, 3, 5, 6, 7]


def test_a_track_that_begins_late_is_kept_and_one_that_never_seems_to_is_told(
    tmp_path: Path, probe_path: Callable[[Path], MediaInfo]
) -> None:
    path = tmp_path / "late.mka"
    with av.open(str(path), "w", format="matroska") as out:
        tracks: list[Any] = [out.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono") for _ in range(3)]
        for number in range(2800):
            for track, first in zip(tracks, (0, 1500, 2600), strict=True):
                if number < first:
                    continue
                frame = av.AudioFrame(format="s16", layout="mono", samples=480)
                frame.planes[0].update(bytes(960))
                frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 480 * number, Fraction(1, RATE_HZ)
                out.mux(track.encode(frame))
    info = probe_path(path)
    assert [track.index for track in info.sounds] == [0, 1]
    assert any("1 of the audio tracks begin late" in warning for warning in info.warnings)


@pytest.mark.parametrize(
    ("said", "shown"),
    [(' A "b"\n c ', "A b c"), ("\u202eabc\x00", "abc"), ("x" * 99, "x" * 60), ("Русский", "Русский")],
)
def test_titles_are_words_of_a_stranger(said: str, shown: str) -> None:
    assert clean_title(said) == shown
