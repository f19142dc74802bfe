"""Encoding one chunk: the source is decoded once, and every rung of the ladder is made from it side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from streamgate.contracts.media import MediaCorrupt, MediaOutputInvalid, MediaPlan, PlannedRendition

from .coders import init_segment, open_encoder, to_sample
from .decode_times import NotAClosedSegment
from .deinterlacing import deinterlaced
from .fragments import Sample, write_segment
from .frame_feed import Placed, decoded_frames, place_on_grid
from .lanes import Lane, shared_out
from .limits import MediaLimits
from .orientation import Turner, orientation_of
from .output import Sink, checked
from .rates import Bounds, bounds_of
from .source import RangedBytes
from .tone import ToneMapper


def encode_chunk(
    source: RangedBytes,
    plan: MediaPlan,
    chunk_n: int,
    limits: MediaLimits,
    sink: Sink,
    lanes: Sequence[Lane] = (),
) -> None:
    """Makes the segments of one chunk for all encoded video renditions of the plan.

    Args:
        lanes: where encoders work beside the thread that decodes. What comes out is the same.

    Raises:
        MediaCorrupt: no frame of the chunk could be decoded (`media.corrupt`).
        MediaOutputInvalid: what came out is not what the plan says (`media.output_invalid`).
    """
    chunk = plan.chunks[chunk_n]
    grid = plan.video_grid[chunk.seg_from : chunk.seg_to + 1]
    rungs = [
        Rung(rendition, plan.timescale, chunk.seg_from, grid, sink, bounds_of(plan, rendition, chunk_n))
        for rendition in plan.renditions
        if rendition.kind == "video" and rendition.mode == "encode"
    ]
    rungs.sort(key=lambda rung: -rung.load)
    places = shared_out([rung.load for rung in rungs], lanes)
    frames = deinterlaced(decoded_frames(source, plan, chunk.decode_from_ticks, grid[0], limits))
    seen, before = 0, None
    for placed in _as_shown(place_on_grid(frames, grid[:-1], grid[-1]), _tone_mapper(plan)):
        if placed.frame is before:  # shown once more, at another time: it may be waiting for an encoder still
            for place in places:
                place.finish()
        before = placed.frame
        for rung, place, scaled in zip(rungs, places, _cascade(placed, rungs), strict=True):
            place.give(partial(rung.encode, scaled))
        seen += 1
        if seen % 8 == 0:
            sink.progress((placed.ticks - grid[0]) / (grid[-1] - grid[0]), seen)
    if seen == 0:
        raise MediaCorrupt(f"nothing can be decoded between {grid[0]} and {grid[-1]} ticks")
    for rung, place in zip(rungs, places, strict=True):
        place.give(rung.finish)
    for place in places:
        place.finish()


def _as_shown(frames: Iterator[Placed[VideoFrame]], mapper: ToneMapper) -> Iterator[Placed[VideoFrame]]:
    """Upright, and of standard range."""
    turner = Turner()
    for placed in frames:
        turned = turner.turn(placed.frame, orientation_of(placed.frame))
        yield Placed(placed.ticks, mapper.map(turned), placed.starts_segment)


def _tone_mapper(plan: MediaPlan) -> ToneMapper:
    """It works at the size of the largest rung: the others are made smaller from what it gives."""
    rungs = [item for item in plan.renditions if item.kind == "video" and item.mode == "encode"]
    largest = max(rungs, key=lambda rung: rung.width_px * rung.height_px)
    return ToneMapper(largest.width_px, largest.height_px)


def _cascade(placed: Placed[VideoFrame], rungs: Sequence[Rung]) -> list[Placed[VideoFrame]]:
    """A frame as each rung has it: the largest from the source, each other from the one before it. All of them before
    any is encoded, for one that needs no scaling is the frame before it itself."""
    made: list[Placed[VideoFrame]] = []
    for rung in rungs:
        made.append(rung.scaled(made[-1] if made else placed, is_source=not made))
    return made


class Rung:
    """One rendition's scaler, encoder and segment cutter for one chunk."""

    def __init__(
        self,
        rendition: PlannedRendition,
        timescale: int,
        first_segment: int,
        grid: Sequence[int],
        sink: Sink,
        bounds: Bounds,
    ) -> None:
        self._rendition = rendition
        self._sink = sink
        self._grid = grid
        self._first_segment = first_segment
        self._done = 0  # segments of this chunk that are written
        self._samples: list[Sample] = []
        self._given: list[int] = []  # pts of all frames the encoder got and no segment shows yet
        self._reformatter = VideoReformatter()
        self._timescale = timescale
        self._has_init = False
        self._encoder = open_encoder(rendition, timescale, bounds)

    @property
    def load(self) -> int:
        """How much work a frame of it is, beside others."""
        return self._rendition.width_px * self._rendition.height_px

    def scaled(self, placed: Placed[VideoFrame], *, is_source: bool) -> Placed[VideoFrame]:
        """The frame as this rung has it, for `encode`: made of one of the source, or of one of a larger rung."""
        frame = self._scaled(placed.frame, is_source=is_source)
        frame.pts = placed.ticks
        frame.time_base = self._encoder.time_base
        # The source's own picture types would be taken as orders.
        frame.pict_type = PictureType.I if placed.starts_segment else PictureType.NONE
        return Placed(placed.ticks, frame, placed.starts_segment)

    def encode(self, placed: Placed[VideoFrame]) -> None:
        self._given.append(placed.ticks)
        self._take(self._encoder.encode(placed.frame))

    def finish(self) -> None:
        self._take(self._encoder.encode(None))
        self._write()
        if self._done != len(self._grid) - 1 or self._given:
            raise MediaOutputInvalid(f"{self._rendition.id}: {self._done} of {len(self._grid) - 1} segments came out")

    def _scaled(self, frame: VideoFrame, *, is_source: bool) -> VideoFrame:
        is_full_range = is_source and (frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj"))
        is_rgb = frame.format.is_rgb
        return self._reformatter.reformat(
            frame,
            self._rendition.width_px,
            self._rendition.height_px,
            "yuv420p",
            dst_colorspace=_SCALER_MATRIX.get(self._rendition.settings["colorspace"]) if is_rgb else None,
            interpolation=Interpolation.BICUBIC,
            src_color_range=ColorRange.JPEG if is_full_range or is_rgb else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    def _take(self, packets: Sequence[Packet[Stream]]) -> None:
        for packet in packets:
            if packet.pts is None:
                raise MediaOutputInvalid(f"{self._rendition.id}: a packet without a time came out")
            # A forced IDR closes what was before it: whatever follows it in decoding order is shown after it.
            if packet.is_keyframe and self._samples:
                self._write()
            data = to_sample(self._rendition, packet)
            if not self._has_init:
                head = init_segment(self._rendition, self._timescale, self._encoder, data)
                self._sink.init(self._rendition.id, head)
                self._has_init = True
            self._samples.append(Sample(packet.pts, data, bool(packet.is_keyframe)))

    def _write(self) -> None:
        if self._done + 1 >= len(self._grid):
            raise MediaOutputInvalid(f"{self._rendition.id}: a key frame came out where no segment begins")
        start, end = self._grid[self._done], self._grid[self._done + 1]
        n = self._first_segment + self._done
        shown = [ticks for ticks in self._given if ticks < end]
        try:
            data = write_segment(n + 1, self._samples, end)
        except NotAClosedSegment as error:
            raise MediaOutputInvalid(f"segment {n} of {self._rendition.id}: {error}") from error
        self._sink.segment(checked(self._rendition.id, n, data, start, end, shown))
        self._given = self._given[len(shown) :]
        self._samples = []
        self._done += 1


# libswscale's own numbers (SWS_CS_*) for H.273 matrices, for pictures that come as RGB.
_SCALER_MATRIX = {"1": 1, "5": 5, "6": 5, "7": 7, "9": 9}
