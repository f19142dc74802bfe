"""Encoding the sound: one AAC pass over the whole file, cut on the audio grid."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as AllGiven

from streamgate.contracts.media import MediaCorrupt, MediaOutputInvalid, MediaPlan, PlannedRendition

from .fragments import Sample, write_segment
from .grid import AAC_FRAME_SAMPLES
from .init_segment import AudioInit, write_audio_init
from .limits import MediaLimits
from .loudness import LoudnessMeter
from .opening import decode, open_source, packets, select_only, sound_stream
from .output import Sink, checked
from .pcm import PcmTimeline
from .source import RangedBytes


def encode_audio(source: RangedBytes, plan: MediaPlan, rendition_id: str, limits: MediaLimits, sink: Sink) -> None:
    """Makes all segments of one audio rendition. Sound and picture share the plan's origin exactly.

    Where the plan asks for a loudness, the whole is measured first: it is decoded twice.

    Raises:
        MediaCorrupt: no sound could be decoded (`media.corrupt`).
        MediaOutputInvalid: what came out is not what the plan says (`media.output_invalid`).
    """
    rendition = next(item for item in plan.renditions if item.id == rendition_id)
    gain, loudness = 1.0, rendition.settings.get("loudness_lufs")
    if loudness is not None:
        meter = LoudnessMeter(rendition.sample_rate_hz, _layout(rendition))
        for at, block in enumerate(_blocks(source, plan, rendition, limits, 1.0)):
            meter.take(_frame(rendition, block, at * AAC_FRAME_SAMPLES))
        gain = meter.measured().gain_to(float(loudness))
    encoder = _Encoder(rendition, plan.grid_of(rendition), sink)
    for block in _blocks(source, plan, rendition, limits, gain):
        encoder.encode(block)
    encoder.finish()


def _blocks(
    source: RangedBytes, plan: MediaPlan, rendition: PlannedRendition, limits: MediaLimits, gain: float
) -> Iterator[list[bytes]]:
    """The whole sound in its rendition's form, an AAC frame at a time, from the plan's origin to its end. Raises
    MediaCorrupt."""
    rate_hz, origin_s = rendition.sample_rate_hz, Fraction(plan.origin_ticks, plan.timescale)
    timeline = PcmTimeline(rendition.channels, plan.grid_of(rendition)[-1], tolerance=rate_hz // 50)
    heard = 0
    with open_source(source, limits) as container:
        stream = sound_stream(container, rendition.source_track)
        if stream is None:
            raise MediaCorrupt("the audio track is gone")
        for frame in _resampled(_decoded(container, stream), rendition, gain):
            position = round(((frame.pts or 0) * (frame.time_base or Fraction(1)) - origin_s) * rate_hz)
            yield from timeline.place(position, [_samples(frame, channel) for channel in range(rendition.channels)])
            heard += frame.samples
            if timeline.is_full:
                break
    if heard == 0:
        raise MediaCorrupt("nothing can be decoded in the audio track")
    yield from timeline.finish()


def _frame(rendition: PlannedRendition, planes: list[bytes], position: int) -> AudioFrame:
    frame = AudioFrame(format="fltp", layout=_layout(rendition), samples=AAC_FRAME_SAMPLES)
    for plane, data in zip(frame.planes, planes, strict=True):
        plane.update(data)
    frame.sample_rate = rendition.sample_rate_hz
    frame.pts, frame.time_base = position, Fraction(1, rendition.sample_rate_hz)
    return frame


def _samples(frame: AudioFrame, channel: int) -> bytes:
    """A plane without the padding that libav may leave behind it."""
    return bytes(memoryview(frame.planes[channel])[: frame.samples * 4])


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    select_only(container, stream)
    for packet in packets(container, stream):
        yield from (frame for frame in decode(packet) if frame.pts is not None and frame.samples)


def _resampled(frames: Iterator[AudioFrame], rendition: PlannedRendition, gain: float) -> Iterator[AudioFrame]:
    """Float planes at the rendition's rate and layout, `gain` times as high; a new converter whenever
    the source changes its form."""
    resampler: _Resampler | None = None
    for frame in frames:
        form = (frame.format.name, frame.layout.name, frame.sample_rate, frame.time_base)
        if resampler is None or resampler.form != form:
            if resampler is not None:
                yield from resampler.convert(None)
            resampler = _Resampler(frame, rendition, gain)
        yield from resampler.convert(frame)
    if resampler is not None:
        yield from resampler.convert(None)


class _Resampler:
    """libswresample by a filter graph of one thread: `av.AudioResampler` has no setting for that."""

    def __init__(self, first: AudioFrame, rendition: PlannedRendition, gain: float) -> None:
        self.form = (first.format.name, first.layout.name, first.sample_rate, first.time_base)
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        nodes = (
            self._graph.add_abuffer(
                sample_rate=first.sample_rate,
                format=first.format.name,
                layout=first.layout.name,
                time_base=first.time_base,
            ),
            self._graph.add(
                "aresample",
                osf="fltp",
                osr=str(rendition.sample_rate_hz),
                ochl=_layout(rendition),
                # Fewer channels: ITU-R BS.775's shares (centre and surrounds at -3 dB, no LFE), made smaller together
                # so that all channels at their loudest fit.
                rematrix_maxval="1.0",
            ),
            *((self._graph.add("volume", volume=f"{gain:.6f}", precision="float"),) if gain != 1.0 else ()),
            self._graph.add("abuffersink"),
        )
        self._graph.link_nodes(*nodes).configure()

    def convert(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        self._graph.push(frame)
        while True:
            try:
                pulled = self._graph.pull()
            except (NothingYet, AllGiven):
                return
            if isinstance(pulled, AudioFrame):
                yield pulled


_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def _layout(rendition: PlannedRendition) -> str:
    return _LAYOUTS[rendition.channels]


class _Encoder:
    """AAC frames, gathered into segments of the audio grid."""

    def __init__(self, rendition: PlannedRendition, grid: tuple[int, ...], sink: Sink) -> None:
        self._rendition = rendition
        self._grid = grid
        self._sink = sink
        self._done = 0
        self._given = 0
        self._samples: list[Sample] = []
        self._codec = _open_encoder(rendition)
        sink.init(
            rendition.id,
            write_audio_init(
                AudioInit(
                    sample_rate_hz=rendition.sample_rate_hz,
                    channels=rendition.channels,
                    config=self._codec.extradata or b"",
                    bitrate_bps=rendition.bitrate_bps,
                )
            ),
        )

    def encode(self, planes: list[bytes]) -> None:
        self._take(_frame(self._rendition, planes, self._given))
        self._given += AAC_FRAME_SAMPLES

    def finish(self) -> None:
        self._take(None)
        if self._done != len(self._grid) - 1 or self._samples:
            raise MediaOutputInvalid(f"{self._rendition.id}: {self._done} of {len(self._grid) - 1} segments came out")

    def _take(self, frame: AudioFrame | None) -> None:
        for packet in self._codec.encode(frame):
            # The encoder's first frame is its own run-up, before the beginning: a negative `tfdt` stops players.
            if packet.pts is None or packet.pts < 0:
                continue
            self._samples.append(Sample(packet.pts, bytes(packet)))
            if packet.pts + AAC_FRAME_SAMPLES == self._grid[self._done + 1]:
                self._write()

    def _write(self) -> None:
        start, end = self._grid[self._done], self._grid[self._done + 1]
        data = write_segment(self._done + 1, self._samples, end)
        shown = range(start, end, AAC_FRAME_SAMPLES)
        self._sink.segment(checked(self._rendition.id, self._done, data, start, end, shown))
        self._samples = []
        self._done += 1
        self._sink.progress(self._done / (len(self._grid) - 1), self._grid[self._done] // AAC_FRAME_SAMPLES)


def _open_encoder(rendition: PlannedRendition) -> AudioCodecContext:
    codec = av.CodecContext.create("aac", "w")
    codec.sample_rate = rendition.sample_rate_hz
    codec.layout = _layout(rendition)
    codec.format = "fltp"
    codec.bit_rate = rendition.bitrate_bps
    codec.time_base = Fraction(1, rendition.sample_rate_hz)
    codec.flags |= Flags.global_header
    codec.open()
    return codec
