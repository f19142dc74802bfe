"""Whether a source's own packets can be played as they are, and the renditions they become. Pure.

The source is its own top rung where a player can begin at each of the grid's times and decode what follows without
anything that was before. What speaks against it is said in a sentence, for whoever wonders why it is encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import floor

import attrs

from streamgate.contracts.media import PlannedRendition

from .fragments import segment_size
from .grid import AAC_FRAME_SAMPLES, audio_grid_beside
from .h264 import read_avc_config
from .info import AudioTrack, CodedAudio, VideoTrack
from .ladder import cap_bps, nominal_fps, settings_sha256
from .profiles import Profile

CUT_FORM = "1"
"""Of the segments: another number where the same packets are written in another way."""
_PIXEL_FORMATS = ("yuv420p", "yuvj420p")
_RATES_HZ = (44_100, 48_000)
_MOST_OF_CAP = 1.5
_NEVER_TOO_MUCH_BPS = 1_200_000
"""Whoever can watch at all can watch that."""
_LARGEST_CONFIG_BYTES = 1024
_SHORT_BY_S = Fraction(1, 2)
"""Sound may end so much before the picture: players go on to the picture's end."""


class NotCopied(Exception):
    """It has to be encoded; the message says why."""


@attrs.frozen
class CopiedSound:
    rendition: PlannedRendition
    grid: tuple[int, ...]  # in samples


def copy_video(video: VideoTrack, profile: Profile, grid: Sequence[int]) -> PlannedRendition:
    """The source's picture as a rendition: the base, at the size it is shown in.

    Raises:
        NotCopied: with the first reason.
    """
    coded = video.coded
    if coded is None:
        raise NotCopied(f"it is {video.codec}, not H.264")
    if coded.fault:
        raise NotCopied(coded.fault)
    config = read_avc_config(coded.config)
    if config is None or len(coded.config) > _LARGEST_CONFIG_BYTES:
        raise NotCopied("its header has no usable parameter sets")
    if len(config.sps) != 1 or not config.pps:
        raise NotCopied(f"its header has {len(config.sps)} sequence parameter sets")
    if coded.pixel_format not in _PIXEL_FORMATS:
        raise NotCopied(f"its pixels are {coded.pixel_format}, not 8-bit 4:2:0")
    if video.colour.is_hdr:
        raise NotCopied("it is HDR")
    if video.is_interlaced:
        raise NotCopied("it is interlaced")
    if not coded.is_upright:
        raise NotCopied("it is turned or mirrored when shown")
    if not set(grid[:-1]) <= set(video.cut_times):
        raise NotCopied(f"its closed key frames are no grid of at most {profile.max_source_gap_s:g} s")
    segment_bytes = _segments_of(coded.times, coded.sizes, grid)
    average_bps = sum(segment_bytes) * 8 * video.timescale // grid[-1]
    most_bps = max(cap_bps(video.width_px, video.height_px, profile) * _MOST_OF_CAP, _NEVER_TOO_MUCH_BPS)
    if average_bps > most_bps:
        raise NotCopied(f"it has {average_bps / 1e6:.1f} Mbit/s, and {most_bps / 1e6:.1f} are allowed")
    fps = nominal_fps(video)
    rendition = PlannedRendition(
        id=f"v{min(video.width_px, video.height_px)}",
        kind="video",
        mode="copy",
        base=True,
        codec=config.codec,
        width_px=video.width_px,
        height_px=video.height_px,
        fps_num=fps.numerator if fps else 0,
        fps_den=fps.denominator if fps else 1,
        settings={
            "form": CUT_FORM,
            "avcc": coded.config.hex(),
            "coded_width_px": str(coded.width_px),
            "coded_height_px": str(coded.height_px),
            "sar": f"{video.sar_num}:{video.sar_den}",
            "color_primaries": str(video.colour.primaries),
            "color_trc": str(video.colour.transfer),
            "colorspace": str(video.colour.matrix),
            "is_full_range": str(int(video.colour.is_full_range)),
        },
    )
    return attrs.evolve(rendition, settings_sha256=settings_sha256(rendition), segment_bytes=segment_bytes)


def _segments_of(times: Sequence[int], sizes: Sequence[int], grid: Sequence[int]) -> tuple[int, ...]:
    """What each segment will have. Raises NotCopied where decoding order mixes segments, or frames share a time."""
    if len(set(times)) != len(times):
        raise NotCopied("frames share a time")
    found: list[int] = []
    count = data_bytes = 0
    start, end, last = grid[0], grid[0], len(grid) - 1
    for time, size in zip(times, sizes, strict=True):
        if time == end and len(found) < last:
            if count:
                found.append(segment_size(count, data_bytes))
            at = len(found)
            start, end = grid[at], grid[at + 1]
            count = data_bytes = 0
        elif not count:
            continue  # before the first frame that is shown
        elif not start < time < end:
            raise NotCopied("its groups of pictures are not closed")
        count += 1
        data_bytes += size
    found.append(segment_size(count, data_bytes))
    if len(found) != last:
        raise NotCopied("its key frames are not where its header says")
    return tuple(found)


def copy_audio(
    audio: AudioTrack, channels: Sequence[int], video_grid: Sequence[int], timescale: int, origin_s: Fraction
) -> CopiedSound:
    """The source's sound as a rendition beside its picture.

    Its packets keep their order and spacing; all of them are moved by under half a packet (10.7 ms at 48 kHz), onto
    whole packets from the picture's beginning. The rendition has no id yet.

    Args:
        channels: how many it may have.

    Raises:
        NotCopied: with the first reason.
    """
    coded, rate = audio.coded, audio.sample_rate_hz
    if coded is None or not _is_plain_aac(coded, audio):
        raise NotCopied(f"it is no AAC-LC in an mp4 ({audio.codec})")
    if audio.channels not in channels or rate not in _RATES_HZ:
        raise NotCopied(f"it has {audio.channels} channels at {rate} Hz")
    if coded.fault:
        raise NotCopied(coded.fault)
    offset = (coded.first_s - origin_s) * rate
    first = floor(offset / AAC_FRAME_SAMPLES + Fraction(1, 2))
    grid = audio_grid_beside(video_grid, timescale, rate)
    there = (first + len(coded.sizes)) * AAC_FRAME_SAMPLES
    if first > 0:
        raise NotCopied("it begins after the picture")
    if there < grid[-1]:
        if there <= grid[-2] or there + _SHORT_BY_S * rate < grid[-1]:
            raise NotCopied("it ends before the picture")
        grid = (*grid[:-1], there)
    frames = [edge // AAC_FRAME_SAMPLES - first for edge in grid]
    segment_bytes = tuple(segment_size(b - a, sum(coded.sizes[a:b])) for a, b in pairwise(frames))
    bitrate_bps = sum(segment_bytes) * 8 * rate // grid[-1]
    rendition = PlannedRendition(
        id="",
        kind="audio",
        mode="copy",
        codec="mp4a.40.2",
        profile="LC",
        bitrate_bps=bitrate_bps,
        sample_rate_hz=rate,
        channels=audio.channels,
        settings={
            "form": CUT_FORM,
            "asc": coded.config.hex(),
            "phase_samples": str(round(offset - first * AAC_FRAME_SAMPLES)),
        },
    )
    return CopiedSound(attrs.evolve(rendition, segment_bytes=segment_bytes), grid)


def _is_plain_aac(coded: CodedAudio, audio: AudioTrack) -> bool:
    """ISO/IEC 14496-3 1.6.2.1: AAC-LC of 1024 samples a frame, its rate and channels by number, no SBR announced."""
    config = coded.config
    if audio.codec != "aac" or coded.profile != "LC" or not 2 <= len(config) <= 64:
        return False
    kind, layout, is_960 = config[0] >> 3, config[1] >> 3 & 0xF, config[1] & 4
    frequency = (config[0] & 7) << 1 | config[1] >> 7
    has_sbr = len(config) >= 5 and config[2:4] == b"\x56\xe5" and config[4] & 0x80
    return kind == 2 and frequency != 15 and layout == audio.channels and not is_960 and not has_sbr
