"""Encoders of pictures, one for each codec: opened by the plan's settings alone, on one thread."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from streamgate.contracts.media import MediaChildFailed, MediaOutputInvalid, PlannedRendition

from . import av1
from .av1 import is_av1
from .h264 import parameter_sets, to_length_prefixed
from .info import Colour
from .init_segment import VideoInit, write_video_init
from .rates import Bounds

# The grid alone says where key frames are: no scene cuts, no interval of the encoder's own. The 8x8 transform makes
# the profile High with any preset (x264 names the lowest that fits what it was told to use).
_X264 = {"forced-idr": "1", "sc_threshold": "0", "g": "100000", "8x8dct": "1"}
_SVT = {"g": "100000"}


def open_encoder(rendition: PlannedRendition, timescale: int, bounds: Bounds | None = None) -> VideoCodecContext:
    """The same settings make the same header, in any process; `bounds` of a chunk are not among them.

    Raises:
        MediaChildFailed: the machine has no thread left for an encoder that needs some.
    """
    encoder = av.CodecContext.create("libsvtav1" if is_av1(rendition) else "libx264", "w")
    encoder.width, encoder.height = rendition.width_px, rendition.height_px
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, timescale)
    encoder.framerate = Fraction(rendition.fps_num or 30, rendition.fps_den)
    encoder.sample_aspect_ratio = Fraction(1)
    encoder.thread_count = 1
    encoder.flags |= Flags.global_header
    if is_av1(rendition):
        level = rendition.level.replace(".", "")
        encoder.options = {**rendition.settings, **_SVT, "svtav1-params": f"lp=1:scd=0:level={level}"}
    else:
        own = {"profile": rendition.profile.lower(), "level": rendition.level}
        if bounds is not None:
            own |= {"maxrate": str(bounds.maxrate_bps), "bufsize": str(bounds.bufsize_bits)}
            own |= {"rc_init_occupancy": str(bounds.initial_bits)}
        encoder.options = {**rendition.settings, **_X264, **own}
    try:
        encoder.open()
    except MemoryError as error:
        if not is_av1(rendition):
            raise
        # SVT-AV1 says the same of threads that the system refuses; what it needs depends on our plan, not on the file.
        raise MediaChildFailed(f"{rendition.id}: its encoder got no thread, or too little memory") from error
    return encoder


def to_sample(rendition: PlannedRendition, packet: Packet[Any]) -> bytes:
    """A coded frame as it lies in `mdat`. Raises MediaOutputInvalid."""
    if not is_av1(rendition):
        return to_length_prefixed(bytes(packet))
    try:
        return av1.to_sample(bytes(packet))
    except av1.NotAv1 as error:
        raise MediaOutputInvalid(f"{rendition.id}: {error}") from error


def init_segment(rendition: PlannedRendition, timescale: int, encoder: VideoCodecContext, first: bytes) -> bytes:
    """The rendition's init; refused where the encoder's header contradicts the CODECS that were promised.

    Args:
        first: the first coded frame. Of AV1 it has the header: the one that libav has before is not the stream's.
    """
    if is_av1(rendition):
        try:
            codec, config = av1.decoder_configuration(first)
        except av1.NotAv1 as error:
            raise MediaOutputInvalid(f"{rendition.id}: {error}") from error
    else:
        sets = parameter_sets(encoder.extradata or b"")
        codec, config = sets.codec, sets.decoder_configuration()
    if codec != rendition.codec:
        raise MediaOutputInvalid(f"{rendition.id}: the encoder says {codec}, the plan {rendition.codec}")
    settings = rendition.settings
    return write_video_init(
        VideoInit(
            timescale=timescale,
            width_px=rendition.width_px,
            height_px=rendition.height_px,
            config=config,
            is_av1=is_av1(rendition),
            colour=Colour(
                primaries=int(settings["color_primaries"]),
                transfer=int(settings["color_trc"]),
                matrix=int(settings["colorspace"]),
            ),
        )
    )
