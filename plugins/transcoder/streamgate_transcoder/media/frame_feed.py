"""Decoded frames of one stretch of a source, placed on the grid: what the encoders are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Generic, TypeVar

import attrs
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamgate.contracts.media import MediaPlan

from .clock import Clock
from .limits import MediaLimits
from .opening import decode, main_video, open_source, packets, select_only
from .source import RangedBytes

F = TypeVar("F")

_RETREATS_S = (0, 1, 12, 1 << 30)
"""How much earlier one seeks where a key frame was missed; at last from the beginning."""
_BY_DECODE_TIME, _AHEAD_S = ("mpegts", "mpeg"), 1
"""Demuxers without an index look for the last packet that is decoded before a time. A key frame is shown after it is
decoded, so that they go past it, to the next one."""


@attrs.frozen
class Placed(Generic[F]):
    """A frame at its time (ticks from the plan's origin); `starts_segment` where a grid time is."""

    ticks: int
    frame: F
    starts_segment: bool


def place_on_grid(frames: Iterator[tuple[int, F]], starts: Sequence[int], end: int) -> Iterator[Placed[F]]:
    """Frames from starts[0] up to `end`, exactly one at each of `starts`, times rising.

    Grid times are times of frames. Where damage has taken such a frame away, the one before it (at the very
    beginning: the next) stands in, so that every segment exists. Nothing comes out where nothing went in.
    """
    waiting = list(reversed(starts))
    held: F | None = None
    last = starts[0] - 1
    for ticks, frame in frames:
        if ticks >= end:
            break
        while waiting and waiting[-1] < ticks:
            yield Placed(waiting[-1], frame if held is None else held, True)
            last = waiting.pop()
        if ticks > last:
            is_start = bool(waiting) and waiting[-1] == ticks
            if is_start:
                waiting.pop()
            yield Placed(ticks, frame, is_start)
            last = ticks
        held = frame
    if held is not None:
        for start in reversed(waiting):
            yield Placed(start, held, True)


def decoded_frames(
    source: RangedBytes, plan: MediaPlan, decode_from: int, start: int, limits: MediaLimits
) -> Iterator[tuple[int, VideoFrame]]:
    """Frames in display order from `start` ticks on (earlier ones may come too), with their times in ticks.

    Seeks to `decode_from`. Demuxers differ in where that lands, so a landing too late is seen at the first
    frame, and tried again from further back, at last from the beginning.
    """
    for retreat_s in _RETREATS_S:
        with open_source(source, limits) as container:
            stream = main_video(container)
            if stream is None or stream.time_base is None:
                return
            time_base = Fraction(stream.time_base.numerator, stream.time_base.denominator)
            clock = Clock(time_base, plan.timescale)
            ahead_s = retreat_s + (_AHEAD_S if container.format.name in _BY_DECODE_TIME else 0)
            landing = decode_from - ahead_s * plan.timescale
            if landing > 0 and not _seek(container, stream, clock.stamp(plan.origin_ticks + landing)):
                continue
            frames = _decode(container, stream, clock, plan.origin_ticks)
            first = next(frames, None)
            if landing > 0 and (first is None or first[0] > start):
                continue
            if first is not None:
                yield first
                yield from frames
            return


def _seek(container: InputContainer, stream: VideoStream, stamp: int) -> bool:
    select_only(container, stream)
    try:
        container.seek(stamp, stream=stream)
    except (FFmpegError, OSError):  # no index, or a file that does not begin with a key frame
        return False
    return True


def _decode(
    container: InputContainer, stream: VideoStream, clock: Clock, origin_ticks: int
) -> Iterator[tuple[int, VideoFrame]]:
    select_only(container, stream)
    for packet in packets(container, stream):
        for frame in decode(packet):
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is not None:
                yield clock.ticks(stamp) - origin_ticks, frame
