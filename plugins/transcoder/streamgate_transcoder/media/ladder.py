"""The ladder: which sizes are worth encoding for a source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from fractions import Fraction

import attrs

from streamgate.contracts.media import PlannedRendition

from . import av1
from .info import Colour, VideoTrack
from .profiles import Profile, Rung
from .worth import Difficulty, of_copy, worth_making

# ITU-T H.264 table A-1: macroblocks in a frame, macroblocks a second, and the bit rate in kbit/s that the
# High profile allows (1.25 times the table's).
_LEVELS = (
    ("3.0", 1_620, 40_500, 12_500),
    ("3.1", 3_600, 108_000, 17_500),
    ("3.2", 5_120, 216_000, 25_000),
    ("4.0", 8_192, 245_760, 25_000),
    ("4.2", 8_704, 522_240, 62_500),
    ("5.0", 22_080, 589_824, 168_750),
    ("5.1", 36_864, 983_040, 300_000),
    ("5.2", 36_864, 2_073_600, 300_000),
    ("6.0", 139_264, 4_177_920, 300_000),
    ("6.2", 139_264, 16_711_680, 1_000_000),
)

_NOT_SHAPING = ("base", "policy", "settings_sha256", "segment_bytes", "grid", "language", "title")
_SAME_SHARE = Fraction(4, 5)
"""A rung whose shorter side is more than so much of a taller one's adds nothing beside it."""

_AV1_PRESET, _AV1_CRF, _AV1_SHARE = "9", "35", Fraction(2, 3)
"""SVT-AV1's, and how much of x264's rates it may have: about what it needs for the same picture."""

_RATES = (24, 25, 30, 48, 50, 60, 100, 120)


def fit(width_px: int, height_px: int, rung: Rung) -> tuple[int, int] | None:
    """Size of the picture inside a rung's box, even numbers; None where that would enlarge it."""
    long_px, short_px = max(width_px, height_px), min(width_px, height_px)
    scale = min(Fraction(rung.long_px, long_px), Fraction(rung.short_px, short_px))
    if scale > 1:
        return None
    return _even(width_px * scale), _even(height_px * scale)


def choose_sizes(width_px: int, height_px: int, profile: Profile) -> tuple[tuple[int, int, Rung], ...]:
    """Sizes to encode, tallest first, never empty, never larger than the source (except to be even).

    A source below every rung yields its own size, with rates in proportion to its pixels.
    """
    fitted = ((fit(width_px, height_px, rung), rung) for rung in profile.rungs)
    sizes = sorted(((*size, rung) for size, rung in fitted if size is not None), key=_shorter_side, reverse=True)
    if sizes:
        kept = sizes[:1]
        for each in sizes[1:]:
            if _shorter_side(each) <= _SAME_SHARE * _shorter_side(kept[-1]):
                kept.append(each)
        return tuple(kept)
    smallest = min(profile.rungs, key=lambda rung: rung.short_px)
    width, height = _even(Fraction(width_px)), _even(Fraction(height_px))
    # Bits per pixel grow as pictures shrink: a quarter of the pixels asks for about a third of the rate.
    share = max(0.1, (width * height / (smallest.long_px * smallest.short_px)) ** 0.75)
    maxrate = round(smallest.maxrate_bps * share)
    own = attrs.evolve(smallest, maxrate_bps=maxrate, bufsize_bits=maxrate * 3 // 2)
    return ((width, height, own),)


def _shorter_side(size: tuple[int, int, Rung]) -> int:
    return min(size[0], size[1])


def cap_bps(width_px: int, height_px: int, profile: Profile) -> int:
    """The peak rate that is right for a size: that of the smallest rung it fits into; above all rungs, more than the
    highest one's in proportion to the pixels (bits per pixel fall as pictures grow)."""
    long_px, short_px = max(width_px, height_px), min(width_px, height_px)
    holding = [rung for rung in profile.rungs if long_px <= rung.long_px and short_px <= rung.short_px]
    if holding:
        return min(rung.maxrate_bps for rung in holding)
    top = max(profile.rungs, key=lambda rung: rung.short_px)
    share = max(1.0, width_px * height_px / (top.long_px * top.short_px))
    return round(top.maxrate_bps * float(share**0.75))


def choose_ladder(
    video: VideoTrack,
    profile: Profile,
    copied: PlannedRendition | None = None,
    difficulty: Difficulty | None = None,
) -> tuple[PlannedRendition, ...]:
    """Video renditions for one source, tallest first, never empty. The source itself is the first and the base where
    it is `copied`, and nothing is encoded at its height; else the lowest one is the base.

    Encoder settings are frozen here, because they shape the init segment that all chunks share.

    Args:
        difficulty: what the source was found to need; of a copied one its own bytes tell.
    """
    fps = nominal_fps(video)
    sizes = choose_sizes(video.width_px, video.height_px, profile)
    colour = _output_colour(video)
    if copied is not None:
        most_px = _SAME_SHARE * min(copied.width_px, copied.height_px)
        lower = tuple(each for each in sizes if _shorter_side(each) <= most_px)
        if profile.per_title:
            own_bps = sum(copied.segment_bytes) * 8 * video.timescale / max(1, video.end)
            lower = worth_making(lower, of_copy(own_bps, copied.width_px, copied.height_px), own_bps)
        upper = [each for each in sizes if _shorter_side(each) > most_px]
        beside = _av1_beside([*upper, *lower], fps, colour, profile)
        return (copied, *(_rendition(*each, fps, colour, profile, is_base=False) for each in lower), *beside)
    if difficulty is not None and profile.per_title:
        sizes = worth_making(sizes, difficulty)
    plain = tuple(
        _rendition(width, height, rung, fps, colour, profile, is_base=position == len(sizes) - 1)
        for position, (width, height, rung) in enumerate(sizes)
    )
    return (*plain, *_av1_beside(sizes, fps, colour, profile))


def nominal_fps(video: VideoTrack) -> Fraction | None:
    """The frame rate, exact for the common ones; None where it varies."""
    if video.is_variable_rate:
        return None
    average = video.average_fps
    for rate in _RATES:
        for exact in (Fraction(rate), Fraction(rate * 1000, 1001)):
            if abs(average - exact) < exact / 5000:
                return exact
    return average.limit_denominator(1001) or Fraction(1, 1001)


def settings_sha256(rendition: PlannedRendition) -> str:
    """Hash of all that shapes a rendition's init segment, apart from its place in a plan."""
    shaping = attrs.asdict(rendition, filter=lambda field, _: field.name not in _NOT_SHAPING)
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


def level_for(width_px: int, height_px: int, fps: float, maxrate_bps: int) -> str:
    """The lowest H.264 level (3.0 or more) that allows a size, frame rate and peak rate."""
    blocks = -(-width_px // 16) * -(-height_px // 16)
    for level, frame_blocks, blocks_a_second, kbps in _LEVELS:
        if blocks <= frame_blocks and blocks * fps <= blocks_a_second and maxrate_bps <= kbps * 1000:
            return level
    return _LEVELS[-1][0]


def _rendition(
    width: int, height: int, rung: Rung, fps: Fraction | None, colour: Colour, profile: Profile, *, is_base: bool
) -> PlannedRendition:
    level = level_for(width, height, float(fps or 60), rung.maxrate_bps)
    level_idc = round(float(level) * 10)
    rendition = PlannedRendition(
        id=f"v{min(width, height)}",
        kind="video",
        mode="encode",
        base=is_base,
        codec=f"avc1.6400{level_idc:02x}",
        profile="High",
        level=level,
        width_px=width,
        height_px=height,
        fps_num=fps.numerator if fps else 0,
        fps_den=fps.denominator if fps else 1,
        maxrate_bps=rung.maxrate_bps,
        bufsize_bits=rung.bufsize_bits,
        settings={
            "preset": profile.preset,
            "crf": str(profile.crf),
            "maxrate": str(rung.maxrate_bps),
            "bufsize": str(rung.bufsize_bits),
            "color_primaries": str(colour.primaries),
            "color_trc": str(colour.transfer),
            "colorspace": str(colour.matrix),
            "color_range": "tv",
        },
    )
    return attrs.evolve(rendition, settings_sha256=settings_sha256(rendition))


def _av1_beside(
    sizes: Sequence[tuple[int, int, Rung]], fps: Fraction | None, colour: Colour, profile: Profile
) -> tuple[PlannedRendition, ...]:
    """The same sizes in AV1, where the profile has it: players stay with one codec, so that each needs all of them."""
    return tuple(_av1(*size, fps, colour) for size in sizes if "av1" in profile.codecs)


def _av1(width: int, height: int, rung: Rung, fps: Fraction | None, colour: Colour) -> PlannedRendition:
    maxrate = round(rung.maxrate_bps * _AV1_SHARE)
    level = av1.level_for(width, height, float(fps or 60), maxrate)
    rendition = PlannedRendition(
        id=f"v{min(width, height)}-av1",
        kind="video",
        mode="encode",
        codec=av1.codec_of(level),
        profile="Main",
        level=level,
        width_px=width,
        height_px=height,
        fps_num=fps.numerator if fps else 0,
        fps_den=fps.denominator if fps else 1,
        maxrate_bps=maxrate,
        bufsize_bits=round(rung.bufsize_bits * _AV1_SHARE),
        settings={
            "preset": _AV1_PRESET,
            "crf": _AV1_CRF,
            "maxrate": str(maxrate),
            "bufsize": str(round(rung.bufsize_bits * _AV1_SHARE)),
            "color_primaries": str(colour.primaries),
            "color_trc": str(colour.transfer),
            "colorspace": str(colour.matrix),
            "color_range": "tv",
        },
    )
    return attrs.evolve(rendition, settings_sha256=settings_sha256(rendition))


def _output_colour(video: VideoTrack) -> Colour:
    """The source's colours, spelled out: players guess by height, and a smaller rung would be guessed otherwise."""
    guess = (
        Colour(primaries=1, transfer=1, matrix=1)
        if video.height_px >= 720
        else Colour(primaries=6, transfer=6, matrix=6)
    )
    found = Colour(primaries=1, transfer=1, matrix=1) if video.colour.is_hdr else video.colour  # see `tone`
    # Matrix 0 is RGB: such a picture is converted to BT.709 YCbCr for 4:2:0.
    return Colour(
        primaries=found.primaries if found.primaries not in (0, 2) else guess.primaries,
        transfer=found.transfer if found.transfer not in (0, 2) else guess.transfer,
        matrix=found.matrix if found.matrix not in (0, 2) else guess.matrix,
    )


def _even(length: Fraction) -> int:
    """Nearest even number, at least 2 (4:2:0 has one colour sample for two pixels)."""
    return max(2, 2 * round(length / 2))
