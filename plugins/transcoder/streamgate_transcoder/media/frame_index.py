"""When each frame of a source is shown, and where decoding and cutting can begin. Nothing is decoded here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from streamgate.contracts.media import MediaTooLarge

from .h264 import begins_closed_group, brings_other_sets, nal_length_size, read_avc_config
from .limits import MediaLimits
from .mp4_index import expand_offsets, read_tables
from .opening import packets, select_only
from .source import RangedBytes

_HEAD_BYTES = 4096
CHANGING_SETS = "it has parameter sets beside those of its header"


_FAULTS_OF_SCANNED = {
    "mov": "its header does not tell all frames (fragments, or edits beyond a trimmed start)",
    "mpegts": "an MPEG transport stream has no index to cut by",
}
"""By libav's demuxer: packets that cannot be found again by their times alone."""


@attrs.frozen(kw_only=True)
class FrameIndex:
    """All presented frames of a video track in decoding order, in the stream's own time stamps."""

    pts: Sequence[int]
    key_pts: Sequence[int]  # where decoding can begin
    cut_pts: Sequence[int]  # of those, where a closed group begins
    sizes: Sequence[int]  # bytes of each frame's packet
    last_duration: int = 0  # of the frame shown last; 0 where the container does not say
    is_cut_off: bool = False  # the file ends before the frames its header promises
    fault: str = ""  # why the packets cannot be kept as they are


def index_from_header(
    stream: VideoStream, source: RangedBytes, first_packets: Sequence[Packet[Any]], limits: MediaLimits
) -> FrameIndex | None:
    """The index of a plain mp4 without reading its media; None where only a scan can tell.

    Args:
        first_packets: some packets from the beginning, to prove the arithmetic on.
    """
    if stream.container.format.name != "mov":
        return None
    tables = read_tables(source, stream.id)
    count = len(stream.index_entries)
    if tables is None or count == 0:
        return None
    _check_count(count, limits)
    entries = list(stream.index_entries)
    offsets = expand_offsets(tables.offsets, count)
    if offsets is None or any(entry.is_discard for entry in entries):
        return None
    shift = _proven_shift([entry.timestamp for entry in entries], offsets, first_packets)
    if shift is None:
        return None
    pts = [entry.timestamp + offset + shift for entry, offset in zip(entries, offsets, strict=True)]
    whole = next((at for at, item in enumerate(entries) if item.pos + item.size > source.size_bytes), count)
    if whole < count:
        # What is shown before the first missing frame can be decoded: it refers to nothing that is missing.
        first_missing = min(pts[whole:])
        kept = [at for at in range(whole) if pts[at] < first_missing]
    else:
        kept = list(range(count))
    length_size = nal_length_size(stream.codec_context.name, stream.codec_context.extradata)
    keys = [at for at in kept if entries[at].is_keyframe]

    def head(at: int) -> bytes:
        return source.read_at(entries[at].pos, min(_HEAD_BYTES, entries[at].size))

    codec = stream.codec_context.name
    config = read_avc_config(stream.codec_context.extradata or b"") if codec == "h264" else None
    fault, cut_pts = "", []
    if whole < count:
        fault = "the file ends before its header says"
    elif tables.descriptions != 1:
        fault = "its coding changes on the way"
    for at in keys:
        data = head(at)
        if begins_closed_group(codec, data, length_size):
            cut_pts.append(pts[at])
        if config is not None and brings_other_sets(data, config):
            fault = fault or CHANGING_SETS
    return FrameIndex(
        pts=[pts[at] for at in kept],
        key_pts=[pts[at] for at in keys],
        cut_pts=cut_pts,
        sizes=[entries[at].size for at in kept],
        last_duration=tables.last_duration,
        is_cut_off=whole < count,
        fault=fault,
    )


def index_from_scan(
    container: InputContainer, stream: VideoStream, limits: MediaLimits, on_progress: Callable[[float], None]
) -> FrameIndex:
    """The index from the packets of the whole file (mkv 260 to 475 MB/s). Discarded packets are not presented."""
    select_only(container, stream)
    length_size = nal_length_size(stream.codec_context.name, stream.codec_context.extradata)
    codec = stream.codec_context.name
    config = read_avc_config(stream.codec_context.extradata or b"") if codec == "h264" else None
    fault = _FAULTS_OF_SCANNED.get(container.format.name, "")
    pts: list[int] = []
    sizes: list[int] = []
    key_pts: list[int] = []
    cut_pts: list[int] = []
    last_shown, last_duration = None, 0
    size_bytes = max(1, container.size or 0)
    for packet in packets(container, stream):
        shown_at = packet.pts if packet.pts is not None else packet.dts
        if packet.size == 0 or shown_at is None or packet.is_discard:
            continue
        pts.append(shown_at)
        sizes.append(packet.size)
        _check_count(len(pts), limits)
        if last_shown is None or shown_at > last_shown:
            last_shown, last_duration = shown_at, packet.duration or 0
        if packet.is_keyframe:
            key_pts.append(shown_at)
            head = bytes(memoryview(packet)[:_HEAD_BYTES])
            if begins_closed_group(codec, head, length_size):
                cut_pts.append(shown_at)
            if config is not None and brings_other_sets(head, config):
                fault = fault or CHANGING_SETS
        if len(pts) % 2000 == 0 and packet.pos:
            on_progress(min(1.0, packet.pos / size_bytes))
    return FrameIndex(pts=pts, key_pts=key_pts, cut_pts=cut_pts, sizes=sizes, last_duration=last_duration, fault=fault)


def until_hole(shown: list[int], longest: int) -> list[int]:
    """What is shown (rising stamps) before the first hole of more than `longest`: a damaged stamp or a clock that was
    set anew would make hours of nothing."""
    for at in range(1, len(shown)):
        if shown[at] - shown[at - 1] > longest:
            return shown[:at]
    return shown


def _proven_shift(timestamps: Sequence[int], offsets: Sequence[int], packets: Sequence[Packet[Any]]) -> int | None:
    """What libav adds to decode time + offset (an edit's start, a negative `ctts`), if all packets agree on it."""
    shifts = {
        packet.pts - timestamps[at] - offsets[at]
        for at, packet in enumerate(packets)
        if at < len(timestamps) and packet.pts is not None and packet.dts == timestamps[at]
    }
    matched = all(at < len(timestamps) and packet.dts == timestamps[at] for at, packet in enumerate(packets))
    return shifts.pop() if matched and len(shifts) == 1 else None


def _check_count(frames: int, limits: MediaLimits) -> None:
    if frames > limits.max_frames:
        raise MediaTooLarge(f"more than {limits.max_frames} frames")
