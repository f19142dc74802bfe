"""The profiles that come with StreamGate."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from streamgate.contracts.profiles import Profile, Rung

__all__ = ["AUDIO", "EFFICIENT", "PROFILES", "WEB", "Profile", "Rung"]

WEB = Profile(
    name="web",
    summary="H.264 and AAC, which everything plays",
    rungs=(
        Rung(long_px=1920, short_px=1080, maxrate_bps=5_500_000, bufsize_bits=8_250_000),
        Rung(long_px=1280, short_px=720, maxrate_bps=3_000_000, bufsize_bits=4_500_000),
        Rung(long_px=854, short_px=480, maxrate_bps=1_400_000, bufsize_bits=2_100_000),
        Rung(long_px=640, short_px=360, maxrate_bps=800_000, bufsize_bits=1_200_000),
        Rung(long_px=426, short_px=240, maxrate_bps=400_000, bufsize_bits=600_000),
    ),
)

EFFICIENT = attrs.evolve(
    WEB,
    name="efficient",
    summary="The same, and AV1 beside it, which takes longer to make and needs less of a line",
    codecs=("h264", "av1"),
)

AUDIO = Profile(
    name="audio",
    summary="The sound alone, even of a film, at the loudness of podcasts",
    rungs=(),
    loudness_lufs=-16.0,
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (WEB, EFFICIENT, AUDIO)})
