"""Opening a source: demuxer forced, nothing else reachable, limits checked before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import av
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from streamgate.contracts.media import MediaTooLarge, NotMedia

from .decoders import DECODERS
from .limits import MediaLimits
from .metering import PacketMeter
from .sniff import HEAD_BYTES, sniff_demuxer
from .source import RangedBytes, SourceFile

av.logging.set_level(None)

_DECODERS = ",".join(sorted(DECODERS))
_LONGEST_NAMES = {"mov": "mov,mp4,m4a,3gp,3g2,mj2", "matroska": "matroska,webm"}


def _refuse_other_files(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
    raise PermissionError("a source may not open other files")


@contextmanager
def open_source(source: RangedBytes, limits: MediaLimits) -> Iterator[InputContainer]:
    """The source as a libav container, one decoding thread a stream.

    Raises:
        NotMedia: no accepted format, or its header cannot be read (`media.not_media`).
        MediaTooLarge: beyond `limits` (`media.limits_exceeded`).
    """
    demuxer = sniff_demuxer(source.read_at(0, HEAD_BYTES))
    # They bind what libav itself decodes while it opens the file, and further down what is decoded by us.
    bounds = {"codec_whitelist": _DECODERS, "max_pixels": str(limits.max_pixels)}
    try:
        container = av.open(
            SourceFile(source),
            "r",
            format=demuxer,
            io_open=_refuse_other_files,
            buffer_size=1 << 18,
            options={
                "format_whitelist": _LONGEST_NAMES.get(demuxer, demuxer),
                "max_streams": str(limits.max_streams),
                **bounds,
            },
        )
    except MemoryError as error:  # also what libav says of one stream too many
        raise MediaTooLarge(
            f"its header asks for more than {limits.max_streams} streams, or for too much memory"
        ) from error
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        raise NotMedia(f"the {demuxer} header cannot be read: it is damaged, cut off or not what it claims") from error
    with container:
        check_limits(container, limits)
        for stream in container.streams:
            if stream.type in ("video", "audio") and is_decodable(stream):
                stream.codec_context.thread_count = 1
                stream.codec_context.thread_type = "NONE"
                stream.codec_context.options = bounds
        yield container


def check_limits(container: InputContainer, limits: MediaLimits) -> None:
    if len(container.streams) > limits.max_streams:
        raise MediaTooLarge(f"{len(container.streams)} streams; {limits.max_streams} are allowed")
    if container.duration is not None and container.duration > limits.max_duration_s * 1_000_000:
        raise MediaTooLarge(f"longer than {limits.max_duration_s / 3600:g} hours")
    for stream in filter(is_decodable, container.streams.video):
        check_size(stream.codec_context.width, stream.codec_context.height, limits)
    for track in filter(is_decodable, container.streams.audio):
        context = track.codec_context
        if context.channels > limits.max_channels or context.sample_rate > limits.max_sample_rate_hz:
            raise MediaTooLarge(f"{context.channels} channels at {context.sample_rate} Hz")


def is_decodable(stream: Stream) -> bool:
    """Whether a track may be decoded. Of codecs that libav does not know at all it has no context."""
    context: Any = stream.codec_context
    return context is not None and context.name in DECODERS


def check_size(width_px: int, height_px: int, limits: MediaLimits) -> None:
    if width_px * height_px > limits.max_pixels or max(width_px, height_px) > limits.max_side_px:
        raise MediaTooLarge(f"{width_px} x {height_px} pixels; {limits.max_pixels} in a frame are allowed")


def select_only(container: InputContainer, wanted: Stream) -> None:
    """Makes the demuxer drop all other streams, which also keeps a seek on the wanted one."""
    for stream in container.streams:
        stream.discard = Discard.default if stream.index == wanted.index else Discard.all


def packets(
    container: InputContainer, *streams: Stream, packets_a_s: float = MediaLimits().max_packets_a_s
) -> Iterator[Packet[Any]]:
    """Packets up to the end, or to where the file is too damaged to go on; then one empty packet a stream, which
    makes its decoder give what it still holds.

    Raises:
        MediaTooLarge: a stream has more than `packets_a_s` on average (`media.limits_exceeded`).
    """
    demuxer = container.demux(*streams)
    meters = {stream.index: PacketMeter(packets_a_s) for stream in streams}
    seconds = {stream.index: float(stream.time_base or 0) for stream in streams}
    while True:
        try:
            packet = next(demuxer, None)
        except MemoryError:
            raise
        except (av.error.FFmpegError, IndexError):  # the latter from PyAV, at the end, if a stream came up meanwhile
            break
        if packet is None:
            return
        index, stamp = packet.stream.index, packet.pts if packet.pts is not None else packet.dts
        meters[index].note(None if stamp is None else stamp * seconds[index])
        yield packet
    for stream in streams:
        flush: Packet[Any] = Packet()
        flush.stream = stream
        yield flush


def decode(packet: Packet[Any]) -> list[Any]:
    """The frames of one packet, none where it is damaged: players skip those too. Want of memory is not damage."""
    try:
        return list(packet.decode())
    except MemoryError:
        raise
    except av.error.FFmpegError:
        return []


def main_video(container: InputContainer) -> VideoStream | None:
    """The first video track that is moving pictures (a cover image is a video stream of one frame)."""
    still = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    for stream in container.streams.video:
        if not stream.disposition & still and is_decodable(stream) and stream.time_base:
            return stream
    return None


def sound_streams(container: InputContainer) -> list[AudioStream]:
    """Those that may be decoded: the first that is marked as default (else the first), then the others as they lie."""
    tracks = [stream for stream in container.streams.audio if is_decodable(stream) and stream.codec_context.channels]
    main = next((track for track in tracks if track.disposition & Disposition.default), tracks[0] if tracks else None)
    return sorted(tracks, key=lambda track: track is not main)


def sound_stream(container: InputContainer, source_track: int) -> AudioStream | None:
    """The stream a rendition of sound is made of (`PlannedRendition.source_track`)."""
    found = sound_streams(container)
    if source_track < 0:
        return found[0] if found else None
    return next((track for track in found if track.index == source_track), None)
