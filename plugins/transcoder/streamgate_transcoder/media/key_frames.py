"""Pictures of a source here and there, from its key frames alone: each costs one seek and one decoded frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamgate.contracts.media import MediaPlan

from .clock import Clock
from .limits import MediaLimits
from .opening import decode, main_video, open_source, packets, select_only
from .source import RangedBytes

_PACKETS_TRIED = 3_000
_RETREAT_S = 12


def key_frames(
    source: RangedBytes, plan: MediaPlan, times: Sequence[int], limits: MediaLimits, *, is_rough: bool
) -> Iterator[VideoFrame | None]:
    """For each of the rising `times` (ticks from the plan's origin) the key frame shown then, as far as the demuxer
    finds it; the one before where it cannot be decoded, None where there is none yet.

    Args:
        is_rough: skips what smooths block edges: of a picture made much smaller nobody sees it.
    """
    with open_source(source, limits) as container:
        stream = main_video(container)
        if stream is None or stream.time_base is None:
            yield from (None for _ in times)
            return
        select_only(container, stream)
        decoder = stream.codec_context
        decoder.skip_frame = "NONKEY"
        if is_rough:
            decoder.options = {**decoder.options, "skip_loop_filter": "all"}
        reader = _Reader(container, stream, Clock(_fraction(stream), plan.timescale), plan.origin_ticks)
        for time in times:
            yield reader.at(time)


def _fraction(stream: VideoStream) -> Fraction:
    said: Any = stream.time_base  # PyAV 18 has a Fraction, 19 a rational of its own
    return Fraction(said.numerator, said.denominator)


class _Reader:
    """Seeks; from the first seek on that fails (no index), reads what lies between."""

    def __init__(self, container: InputContainer, stream: VideoStream, clock: Clock, origin_ticks: int) -> None:
        self._container = container
        self._stream = stream
        self._clock = clock
        self._origin = origin_ticks
        self._retreat = int(_RETREAT_S / clock.time_base)
        self._can_seek = True
        self._packets: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._stamp: int | None = None
        self._frame: VideoFrame | None = None

    def at(self, ticks: int) -> VideoFrame | None:
        stamp = self._clock.stamp(self._origin + ticks)
        if self._can_seek and self._seek(stamp):
            self._show(self._landed(stamp))
            return self._frame
        if self._can_seek:
            self._can_seek = False
            self._packets = packets(self._container, self._stream)
            self._next = self._next_key()
        shown: Packet[Any] | None = None
        while self._next is not None and _stamp(self._next) <= stamp:
            shown, self._next = self._next, self._next_key()
        if shown is None and self._frame is None:
            shown = self._next
        self._show(shown)
        return self._frame

    def _landed(self, stamp: int) -> Packet[Any] | None:
        """The key frame of that time. Some demuxers land behind it: then it is sought from further back."""
        found = self._next_key()
        if found is not None and _stamp(found) <= stamp:
            return found
        if not self._seek(stamp - self._retreat) and not self._seek(self._stream.start_time or 0):
            return found
        late, found = found, self._next_key()
        while found is not None and (after := self._next_key()) is not None and _stamp(after) <= stamp:
            found = after
        return found or late

    def _seek(self, stamp: int) -> bool:
        try:
            self._container.seek(stamp, stream=self._stream)
        except (FFmpegError, OSError):
            return False
        self._packets = packets(self._container, self._stream)
        return True

    def _next_key(self) -> Packet[Any] | None:
        for tried, packet in enumerate(self._packets):
            if packet.is_keyframe and packet.size:
                return packet
            if self._can_seek and tried >= _PACKETS_TRIED:
                break
        return None

    def _show(self, packet: Packet[Any] | None) -> None:
        """Decodes it, unless it was the last one that was."""
        if packet is None or (self._frame is not None and _stamp(packet) == self._stamp):
            return
        rest: Packet[Any] = Packet()
        rest.stream = self._stream
        rest.time_base = packet.time_base
        found = [*decode(packet), *decode(rest)]  # a decoder holds frames back for those that it is not given
        self._stream.codec_context.flush_buffers()
        if found:
            self._stamp, self._frame = _stamp(packet), found[0]


def _stamp(packet: Packet[Any]) -> int:
    return packet.pts if packet.pts is not None else packet.dts or 0
