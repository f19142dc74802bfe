"""Transcoding profiles: which rungs are wanted, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen(kw_only=True)
class Rung:
    """A box that the picture is fitted into, long side by short side, whatever its orientation."""

    long_px: int
    short_px: int
    maxrate_bps: int
    bufsize_bits: int


@attrs.frozen(kw_only=True)
class Profile:
    """`crf` and `preset` are x264's; rates are caps, quality decides below them.

    `surround_bitrate_bps`: of 5.1, beside the sound that plays everywhere; 0: it is not kept. `loudness_lufs`: what
    sound is brought to, all of a track by one factor; None: it stays as it is, which alone leaves room for copying.
    """

    name: str
    rungs: tuple[Rung, ...]
    crf: int
    preset: str
    audio_bitrate_bps: int
    audio_channels: int = 2
    surround_bitrate_bps: int = 384_000
    loudness_lufs: float | None = None
    segment_s: float = 4.0
    # x264 at its defaults puts key frames 10.42 s apart at 24 fps; such a source still has a usable grid.
    max_source_gap_s: float = 10.5


WEB = Profile(
    name="web",
    rungs=(
        Rung(long_px=1280, short_px=720, maxrate_bps=3_000_000, bufsize_bits=4_500_000),
        Rung(long_px=854, short_px=480, maxrate_bps=1_400_000, bufsize_bits=2_100_000),
        Rung(long_px=640, short_px=360, maxrate_bps=800_000, bufsize_bits=1_200_000),
    ),
    crf=23,
    preset="veryfast",
    audio_bitrate_bps=128_000,
)

PROFILES: Mapping[str, Profile] = MappingProxyType({WEB.name: WEB})
