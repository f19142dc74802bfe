"""What of a source's packets must be known to keep them as they are. Nothing is judged here: that is `copying`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .clock import Clock
from .frame_index import FrameIndex
from .grid import AAC_FRAME_SAMPLES
from .info import CodedAudio, CodedVideo
from .mp4_index import read_tables
from .source import RangedBytes


def coded_video(
    stream: VideoStream, first: VideoFrame, index: FrameIndex, clock: Clock, zero: int, *, is_upright: bool
) -> CodedVideo | None:
    """None of what is no H.264.

    Args:
        first: the first frame, decoded.
        zero: ticks of the first presented frame.
    """
    context = stream.codec_context
    if context.name != "h264":
        return None
    return CodedVideo(
        config=context.extradata or b"",
        width_px=first.width,
        height_px=first.height,
        pixel_format=first.format.name,
        is_upright=is_upright,
        times=tuple(ticks - zero for ticks in clock.all_ticks(index.pts)),
        sizes=tuple(index.sizes),
        fault=index.fault,
    )


def coded_audio(stream: AudioStream, source: RangedBytes, first: Packet[Any] | None) -> CodedAudio | None:
    """None of what is no AAC in an mp4: others do not tell their packets without being read.

    Args:
        first: the packet that libav gives first; edits are in its time already.
    """
    context, said = stream.codec_context, stream.time_base
    tables = read_tables(source, stream.id) if context.name == "aac" and stream.container.format.name == "mov" else None
    if tables is None or said is None or first is None or first.pts is None:
        return None
    frame_ticks = Fraction(AAC_FRAME_SAMPLES, context.sample_rate or 1) * said.denominator / said.numerator
    spans = [ticks for _, ticks in tables.durations[:-1]]
    if tables.durations:  # the last packet of all may be cut short by its header
        count, ticks = tables.durations[-1]
        spans += [ticks] if count > 1 else []
    entries = stream.index_entries
    fault = ""
    if tables.descriptions != 1:
        fault = "its coding changes on the way"
    elif any(ticks != frame_ticks for ticks in spans):
        fault = "its packets are not of 1024 samples end to end"
    elif not len(entries) == len(tables.sizes) == sum(count for count, _ in tables.durations):
        fault = "its header does not tell all packets"
    elif entries[0].timestamp != first.dts:
        fault = "it does not begin with its first packet"
    elif entries[len(entries) - 1].pos + tables.sizes[-1] > source.size_bytes:
        fault = "the file ends before its header says"
    return CodedAudio(
        config=context.extradata or b"",
        profile=context.profile or "",
        first_s=first.pts * Fraction(said.numerator, said.denominator),
        sizes=tuple(tables.sizes),
        fault=fault,
    )
