"""Profiles: what may be one, what plugins add, and a film of which the sound alone is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.contracts.hooks import SPECS
from streamgate.contracts.media import MediaSource, NoPlayableTrack
from streamgate.contracts.profiles import Profile, Rung
from streamgate.hooks import Hooks, hookimpl
from streamgate.testing.clips import ClipSpec
from streamgate_transcoder.faults import UnknownProfile
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.profiles import AUDIO, PROFILES, WEB
from streamgate_transcoder.profile_names import Profiles

WIDE = Rung(long_px=1920, short_px=804, maxrate_bps=5_000_000, bufsize_bits=7_500_000)
CINEMA = Profile(name="cinema", summary="Scope", rungs=(WIDE,), preset="slow")


class Cinema:
    @hookimpl
    def collect_transcode_profiles(self) -> Sequence[Profile]:
        return [CINEMA, attrs.evolve(CINEMA, name="web")]


class Broken:
    @hookimpl
    def collect_transcode_profiles(self) -> Sequence[Profile]:
        return [Profile(name="Wide", rungs=())]


def test_plugins_add_profiles_and_take_none_of_ours() -> None:
    hooks = Hooks()
    hooks.add_specs(SPECS)
    hooks.register("cinema", Cinema(), required=False)
    hooks.register("broken", Broken(), required=False)
    profiles = Profiles(hooks)
    assert profiles.of("cinema") == CINEMA
    assert profiles.of("web") == WEB
    assert list(profiles.by_name()) == [*PROFILES, "cinema"]
    assert "a-z" in str(hooks.faults[0])
    with pytest.raises(UnknownProfile, match="did you mean 'cinema'"):
        profiles.of("cinemas")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "With spaces"},
        {"rungs": (WIDE, attrs.evolve(WIDE, maxrate_bps=1))},
        {"crf": 52},
        {"preset": "placebo"},
        {"audio_channels": 6},
        {"loudness_lufs": 3.0},
        {"segment_s": 0.1},
        {"codecs": ("av1",)},
        {"codecs": ("h264", "hevc")},
        {"max_source_gap_s": 60.0},
    ],
)
def test_what_cannot_be_made_is_no_profile(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        attrs.evolve(CINEMA, **changes)


@pytest.mark.parametrize(("long_px", "short_px", "rate"), [(100, 200, 1), (10_000, 200, 1), (2, 1, 1), (200, 100, 0)])
def test_what_no_picture_fits_into_is_no_rung(long_px: int, short_px: int, rate: int) -> None:
    with pytest.raises(ValueError, match="rung"):
        Rung(long_px=long_px, short_px=short_px, maxrate_bps=rate, bufsize_bits=1)


def test_of_a_film_the_sound_alone_is_made(clips: Callable[..., Path], open_bytes: Callable[[Path], Any]) -> None:
    film = ClipSpec(width_px=64, height_px=64, frames=250, audio_codec="aac", audio_s=10.0)
    path = clips("film.mp4", film)
    where = MediaSource(key="s", size_bytes=path.stat().st_size)
    info = probe(open_bytes(path), MediaLimits(), lambda share: None, with_picture=False)
    plan = make_plan(info, AUDIO, "c_1", 1, where, copies_prefix="copies")
    (sound,) = plan.renditions
    assert (sound.kind, sound.base, sound.mode, sound.settings) == ("audio", True, "encode", {"loudness_lufs": "-16"})
    assert (plan.video_grid, plan.chunks) == ((), ())
    assert plan.duration_ticks / plan.timescale == pytest.approx(10, abs=0.06)
    silent = clips("silent.mp4", attrs.evolve(film, audio_codec=""))
    with pytest.raises(NoPlayableTrack):
        probe(open_bytes(silent), MediaLimits(), lambda share: None, with_picture=False)
