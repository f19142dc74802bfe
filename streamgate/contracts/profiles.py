"""Transcoding profiles: what is made of a source, as data. Plugins add theirs by `collect_transcode_profiles`."""

from __future__ import annotations

import re
from typing import Any, Literal

import attrs

VideoCodec = Literal["h264", "av1"]
Policy = Literal["eager", "lazy"]
"""Whether all rungs are made in advance, or the lowest alone, and the others when somebody asks for them."""
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower")
"""x264's, without those that nobody waits for."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LARGEST_SIDE_PX = 8192
_MOST_RUNGS = 10
_LOUDNESS_LUFS = (-40.0, 0.0)


@attrs.frozen(kw_only=True)
class Rung:
    """A box that the picture is fitted into, long side by short side, whatever its orientation."""

    long_px: int
    short_px: int
    maxrate_bps: int
    bufsize_bits: int

    def __attrs_post_init__(self) -> None:
        if not 2 <= self.short_px <= self.long_px <= _LARGEST_SIDE_PX:
            raise ValueError(
                f"a rung of {self.long_px} x {self.short_px}: sides are 2 to {_LARGEST_SIDE_PX}, long first"
            )
        if min(self.maxrate_bps, self.bufsize_bits) < 1:
            raise ValueError(f"the rung of {self.short_px} lines has no rate")


def _check_name(_: Any, __: Any, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise ValueError(f"profile {value!r}: a name is 1 to 32 of a-z, 0-9, - and _, a letter first")


@attrs.frozen(kw_only=True)
class Profile:
    """A way to make renditions. `crf` and `preset` are x264's; rates are caps, quality decides below them.

    Args:
        rungs: sizes, whatever their order; none: sound alone, even of a film.
        codecs: of the picture; H.264 is always among them, for there are players that know nothing else. Each makes all
            the sizes.
        policy: `lazy`: of the H.264 rungs the lowest is made in advance, and the source where it plays as it is; the
            others are listed with them, and a segment of them is made when somebody asks for it. AV1 takes longer to
            make than a viewer waits, and is made in advance always.
        per_title: whether rungs that a source has no use for are left out, and caps follow what it needs.
        surround_bitrate_bps: of 5.1, beside the sound that plays everywhere; 0: it is not kept.
        loudness_lufs: what sound is brought to, all of a track by one factor; None: it stays as it is, which alone
            leaves room for copying it.
        segment_s: how long segments are about.
        max_source_gap_s: how far apart a source's own key frames may be for segments to begin at them.

    Raises:
        ValueError: no such profile can be made.
    """

    name: str = attrs.field(validator=_check_name)
    summary: str = ""
    rungs: tuple[Rung, ...]
    crf: int = attrs.field(default=23, validator=(attrs.validators.ge(0), attrs.validators.le(51)))
    preset: str = attrs.field(default="veryfast", validator=attrs.validators.in_(PRESETS))
    codecs: tuple[VideoCodec, ...] = ("h264",)
    policy: Policy = "eager"
    per_title: bool = True
    audio_bitrate_bps: int = attrs.field(default=128_000, validator=attrs.validators.ge(16_000))
    audio_channels: int = attrs.field(default=2, validator=attrs.validators.in_((1, 2)))
    surround_bitrate_bps: int = attrs.field(default=384_000, validator=attrs.validators.ge(0))
    loudness_lufs: float | None = None
    segment_s: float = attrs.field(default=4.0, validator=(attrs.validators.ge(1), attrs.validators.le(10)))
    # x264 at its defaults puts key frames 10.42 s apart at 24 fps; such a source still has a usable grid.
    max_source_gap_s: float = attrs.field(default=10.5, validator=(attrs.validators.ge(1), attrs.validators.le(10.5)))

    def __attrs_post_init__(self) -> None:
        if len(self.rungs) > _MOST_RUNGS or len({rung.short_px for rung in self.rungs}) != len(self.rungs):
            raise ValueError(f"profile {self.name!r}: at most {_MOST_RUNGS} rungs, each of a height of its own")
        if "h264" not in self.codecs or not set(self.codecs) <= {"h264", "av1"}:
            raise ValueError(f"profile {self.name!r}: its codecs are h264, or h264 and av1")
        least, most = _LOUDNESS_LUFS
        if self.loudness_lufs is not None and not least <= self.loudness_lufs <= most:
            raise ValueError(f"profile {self.name!r}: a loudness is {least:g} to {most:g} LUFS")
