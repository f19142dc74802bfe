"""Cutting a source into segments of its own packets, without decoding: on demand, and all of it in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from math import floor
from typing import Any, Protocol

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Stream

from streamgate.contracts.media import MediaOutputInvalid, MediaPlan, PlannedRendition

from .clock import Clock
from .decode_times import NotAClosedSegment
from .fragments import Sample, write_segment
from .grid import AAC_FRAME_SAMPLES
from .h264 import begins_closed_group, nal_length_size
from .info import Colour
from .init_segment import AudioInit, VideoInit, write_audio_init, write_video_init
from .limits import MediaLimits
from .opening import main_video, open_source, packets, sound_stream
from .output import Sink, checked
from .source import RangedBytes

_HEAD_BYTES = 4096
_EARLY_PACKETS = 500
"""After a seek: where a track has not come by then, it lies behind the others in the file, and is still to come."""


def cut_segments(
    source: RangedBytes,
    plan: MediaPlan,
    rendition_ids: Sequence[str],
    seg_from: int,
    seg_to: int,
    limits: MediaLimits,
    sink: Sink,
) -> None:
    """Segments seg_from … seg_to - 1 of copied renditions: what a decoder gives of them is what it gives of the source.

    Raises:
        MediaOutputInvalid: the source is not as the plan has it (`media.output_invalid`).
    """
    wanted = [item for item in plan.renditions if item.id in rendition_ids]
    for aim in _aims(seg_from, len(wanted)):
        with open_source(source, limits) as container:
            tracks = [_track_of(container, plan, item, seg_from, seg_to, sink) for item in wanted]
            reading = _from_before(container, tracks, aim)
            if reading is None:
                continue
            for track in tracks:
                sink.init(track.rendition.id, init_of(track.rendition, plan.timescale))
            _take(reading, tracks, sink)
            return


def _aims(seg_from: int, tracks: int) -> tuple[int, ...]:
    """Segments to seek to, each tried where the one before was too late: demuxers differ in where a seek lands. Where
    two tracks must both be met, it begins a segment early."""
    first = seg_from - (tracks > 1)
    return (*(aim for aim in (first, first - 1) if aim > 0), 0)


def _take(reading: Iterator[Packet[Any]], tracks: Sequence[_Track], sink: Sink) -> None:
    by_index = {track.stream.index: track for track in tracks}
    for packet in reading:
        track = by_index[packet.stream.index]
        if track.take(packet):
            sink.progress(min(each.share for each in tracks), min(each.frames for each in tracks))
            if all(each.is_done for each in tracks):
                return
    for track in tracks:
        track.finish()


def init_of(rendition: PlannedRendition, timescale: int) -> bytes:
    """The init segment: of the plan alone, so that every process makes the same bytes."""
    settings = rendition.settings
    if rendition.kind == "audio":
        return write_audio_init(
            AudioInit(
                sample_rate_hz=rendition.sample_rate_hz,
                channels=rendition.channels,
                config=bytes.fromhex(settings["asc"]),
                bitrate_bps=rendition.bitrate_bps,
            )
        )
    sar_num, sar_den = (int(part) for part in settings["sar"].split(":"))
    return write_video_init(
        VideoInit(
            timescale=timescale,
            width_px=int(settings["coded_width_px"]),
            height_px=int(settings["coded_height_px"]),
            config=bytes.fromhex(settings["avcc"]),
            sar_num=sar_num,
            sar_den=sar_den,
            colour=Colour(
                primaries=int(settings["color_primaries"]),
                transfer=int(settings["color_trc"]),
                matrix=int(settings["colorspace"]),
                is_full_range=settings["is_full_range"] == "1",
            ),
        )
    )


def _from_before(container: InputContainer, tracks: Sequence[_Track], aim: int) -> Iterator[Packet[Any]] | None:
    """Packets of these tracks from segment `aim` on, or from somewhere before; None where it would be after what is
    wanted of one of them."""
    streams = [track.stream for track in tracks]
    for stream in container.streams:
        stream.discard = Discard.default if stream in streams else Discard.all
    if aim > 0 and not _seek(container, streams[0], tracks[0].stamp_of(aim)):
        return None
    reading = packets(container, *streams)
    early: list[Packet[Any]] = []
    unmet = {track.stream.index: track for track in tracks}
    while unmet and aim > 0 and len(early) < _EARLY_PACKETS:
        packet = next(reading, None)
        if packet is None:
            return None
        early.append(packet)
        track = unmet.pop(packet.stream.index, None)
        if track is not None and not track.is_before(packet):
            return None
    return chain(early, reading)


def _seek(container: InputContainer, stream: Stream, stamp: int) -> bool:
    try:
        container.seek(stamp, stream=stream)
    except (FFmpegError, OSError):
        return False
    return True


def _track_of(
    container: InputContainer, plan: MediaPlan, rendition: PlannedRendition, seg_from: int, seg_to: int, sink: Sink
) -> _Track:
    is_video = rendition.kind == "video"
    stream = main_video(container) if is_video else sound_stream(container, rendition.source_track)
    header = "avcc" if is_video else "asc"
    if stream is None or (stream.codec_context.extradata or b"").hex() != rendition.settings[header]:
        raise MediaOutputInvalid(f"{rendition.id}: the source's {rendition.kind} track is not the one that was planned")
    place: _Placing = _Pictures(plan, stream) if is_video else _Sound(plan, rendition, stream)
    return _Track(rendition, stream, place, plan.grid_of(rendition), seg_from, seg_to, sink)


class _Placing(Protocol):
    """From a packet to its place on the rendition's grid, and back."""

    def ticks(self, stamp: int) -> int: ...

    def stamp(self, ticks: int) -> int: ...

    def is_sync(self, packet: Packet[Any]) -> bool: ...


class _Pictures:
    def __init__(self, plan: MediaPlan, stream: Stream) -> None:
        self._clock = Clock(_time_base(stream), plan.timescale)
        self._origin = plan.origin_ticks
        self._length_size = nal_length_size("h264", stream.codec_context.extradata)

    def ticks(self, stamp: int) -> int:
        return self._clock.ticks(stamp) - self._origin

    def stamp(self, ticks: int) -> int:
        return self._clock.stamp(self._origin + ticks)

    def is_sync(self, packet: Packet[Any]) -> bool:
        """Containers mark places where a decoder may begin with an open group, too."""
        head = bytes(memoryview(packet)[:_HEAD_BYTES])
        return packet.is_keyframe and begins_closed_group("h264", head, self._length_size)


class _Sound:
    def __init__(self, plan: MediaPlan, rendition: PlannedRendition, stream: Stream) -> None:
        self._time_base = _time_base(stream)
        self._rate = rendition.sample_rate_hz
        # Where the source's own packets would be whole ones, counted from the picture's beginning.
        self._start = Fraction(plan.origin_ticks * self._rate, plan.timescale) + int(
            rendition.settings["phase_samples"]
        )

    def ticks(self, stamp: int) -> int:
        """Whole packets: clocks of some containers are rounded, yet by far less than half a packet."""
        place = (stamp * self._time_base * self._rate - self._start) / AAC_FRAME_SAMPLES
        return floor(place + Fraction(1, 2)) * AAC_FRAME_SAMPLES

    def stamp(self, ticks: int) -> int:
        return floor((ticks + self._start - AAC_FRAME_SAMPLES) / (self._rate * self._time_base))

    def is_sync(self, packet: Packet[Any]) -> bool:
        return True


def _time_base(stream: Stream) -> Fraction:
    said = stream.time_base  # PyAV 18 has a Fraction, 19 a rational of its own
    return Fraction(said.numerator, said.denominator) if said else Fraction(1, 1000)


class _Track:
    """The packets of one rendition, gathered into its segments."""

    def __init__(
        self,
        rendition: PlannedRendition,
        stream: Stream,
        place: _Placing,
        grid: Sequence[int],
        seg_from: int,
        seg_to: int,
        sink: Sink,
    ) -> None:
        self.rendition = rendition
        self.stream = stream
        self._grid = grid
        self._place = place
        self._seg_from, self._seg_to, self._n = seg_from, seg_to, seg_from
        self._sink = sink
        self._samples: list[Sample] = []
        self.frames = 0  # in segments that are written

    @property
    def is_done(self) -> bool:
        return self._n == self._seg_to

    @property
    def share(self) -> float:
        return (self._n - self._seg_from) / (self._seg_to - self._seg_from)

    def stamp_of(self, n: int) -> int:
        """A time of the source at or shortly before the beginning of segment `n`."""
        return self._place.stamp(self._grid[n])

    def is_before(self, packet: Packet[Any]) -> bool:
        """Whether what is wanted is still to come, with this packet."""
        return packet.pts is not None and self._place.ticks(packet.pts) <= self._grid[self._seg_from]

    def take(self, packet: Packet[Any]) -> bool:
        """Whether it completed a segment."""
        if self._n == self._seg_to or not packet.size or packet.pts is None:
            return False
        ticks = self._place.ticks(packet.pts)
        is_next = bool(self._samples) and ticks >= self._grid[self._n + 1]
        if is_next:
            self._write()
        # What is before the wanted is left out; where a beginning is missing, nothing comes together.
        if self._n < self._seg_to and (self._samples or ticks == self._grid[self._n]):
            self._samples.append(Sample(ticks, bytes(packet), self._place.is_sync(packet)))
        return is_next

    def finish(self) -> None:
        """The source has ended. Raises MediaOutputInvalid where segments are missing."""
        if self._samples:
            self._write()
        if not self.is_done:
            raise MediaOutputInvalid(f"{self.rendition.id}: the source has no segment {self._n} as it was planned")

    def _write(self) -> None:
        start, end = self._grid[self._n], self._grid[self._n + 1]
        shown = sorted(sample.pts_ticks for sample in self._samples)
        if self.rendition.kind == "audio":
            shown = list(range(start, end, AAC_FRAME_SAMPLES))
        try:
            data = write_segment(self._n + 1, self._samples, end)
        except NotAClosedSegment as error:
            raise MediaOutputInvalid(f"segment {self._n} of {self.rendition.id}: {error}") from error
        self._sink.segment(checked(self.rendition.id, self._n, data, start, end, shown))
        self.frames += len(self._samples)
        self._samples = []
        self._n += 1
