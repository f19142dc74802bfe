"""The cover picture that a file of sound may hold."""

from __future__ import annotations

from av.stream import Disposition
from av.video.frame import VideoFrame

from streamgate.contracts.media import MediaError

from .limits import MediaLimits
from .opening import open_source, packets, select_only
from .source import RangedBytes
from .stills import decode_still

MAX_COVER_BYTES = 16 << 20


def cover_of(source: RangedBytes, limits: MediaLimits) -> VideoFrame | None:
    """None where there is none, or none that can be shown: sound plays without."""
    with open_source(source, limits) as container:
        held = (each for each in container.streams.video if each.disposition & Disposition.attached_pic)
        stream = next(held, None)
        if stream is None:
            return None
        select_only(container, stream)
        packet = next(packets(container, stream), None)
        if packet is None or not 0 < packet.size <= MAX_COVER_BYTES:
            return None
        try:
            return decode_still(bytes(packet), limits)
        except MediaError:
            return None
