"""Our own CMAF init segments: ftyp + moov, one track, no edit list (ISO/IEC 14496-12, -15, 14496-1)."""

from __future__ import annotations

import struct

import attrs

from .boxes import box, full_box
from .info import Colour

_MATRIX = struct.pack(">9I", 0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000)


@attrs.frozen(kw_only=True)
class VideoInit:
    """What an init segment says of a video rendition. `sar` is that of the coded pixels."""

    timescale: int
    width_px: int
    height_px: int
    config: bytes  # AVCDecoderConfigurationRecord, ISO/IEC 14496-15 5.3.3.1; of AV1 an AV1CodecConfigurationRecord
    is_av1: bool = False
    sar_num: int = 1
    sar_den: int = 1
    colour: Colour = attrs.field(factory=Colour)


@attrs.frozen(kw_only=True)
class AudioInit:
    """What an init segment says of an AAC rendition; its time scale is the sample rate."""

    sample_rate_hz: int
    channels: int
    config: bytes  # AudioSpecificConfig, ISO/IEC 14496-3 1.6.2.1
    bitrate_bps: int


def write_video_init(init: VideoInit) -> bytes:
    entry = [
        struct.pack(">6xH16xHHII4xH32sHh", 1, init.width_px, init.height_px, 0x48_0000, 0x48_0000, 1, b"", 0x18, -1),
        box(b"av1C" if init.is_av1 else b"avcC", init.config),
    ]
    if init.colour != Colour():
        nclx = struct.pack(
            ">4sHHHB",
            b"nclx",
            init.colour.primaries,
            init.colour.transfer,
            init.colour.matrix,
            0x80 if init.colour.is_full_range else 0,
        )
        entry.append(box(b"colr", nclx))
    if init.sar_num != init.sar_den:
        entry.append(box(b"pasp", struct.pack(">II", init.sar_num, init.sar_den)))
    display_width = init.width_px * init.sar_num * 0x1_0000 // init.sar_den
    return _init(
        timescale=init.timescale,
        handler=b"vide",
        media_header=full_box(b"vmhd", 0, 1, bytes(8)),
        sample_entry=box(b"av01" if init.is_av1 else b"avc1", *entry),
        volume=0,
        width=min(display_width, 0xFFFF_0000),
        height=init.height_px * 0x1_0000,
    )


def write_audio_init(init: AudioInit) -> bytes:
    entry = box(
        b"mp4a",
        struct.pack(">6xH8xHH4xI", 1, init.channels, 16, init.sample_rate_hz << 16),
        full_box(b"esds", 0, 0, _elementary_stream(init)),
    )
    return _init(
        timescale=init.sample_rate_hz,
        handler=b"soun",
        media_header=full_box(b"smhd", 0, 0, bytes(4)),
        sample_entry=entry,
        volume=0x100,
        width=0,
        height=0,
    )


def _elementary_stream(init: AudioInit) -> bytes:
    """ES_Descriptor (ISO/IEC 14496-1 7.2.6.5) of MPEG-4 audio."""
    specific = _descriptor(0x05, init.config)
    # objectTypeIndication 0x40: MPEG-4 audio; streamType 5 (audio) << 2 | reserved bit; buffer size unknown.
    config = _descriptor(0x04, struct.pack(">BB3xII", 0x40, 0x15, init.bitrate_bps, init.bitrate_bps), specific)
    sync = _descriptor(0x06, b"\x02")
    return _descriptor(0x03, struct.pack(">HB", 1, 0), config, sync)


def _descriptor(tag: int, *payload: bytes) -> bytes:
    body = b"".join(payload)
    return bytes((tag, 0x80, 0x80, 0x80, len(body))) + body


def _init(
    *, timescale: int, handler: bytes, media_header: bytes, sample_entry: bytes, volume: int, width: int, height: int
) -> bytes:
    mvhd = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH10x", 0, 0, timescale, 0, 0x1_0000, 0x100),
        _MATRIX,
        struct.pack(">24xI", 2),
    )
    tkhd = full_box(
        b"tkhd",
        0,
        7,  # enabled, in the movie, in its preview
        struct.pack(">III4xI8xHHH2x", 0, 0, 1, 0, 0, 0, volume),
        _MATRIX,
        struct.pack(">II", width, height),
    )
    tables = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), sample_entry),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    data_here = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, 0x55C4, 0)),  # language 'und'
        full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", handler), b"\0"),
        box(b"minf", media_header, data_here, tables),
    )
    extends = box(b"mvex", full_box(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, 0, 0, 0)))
    brands = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"cmfc", b"mp41")
    return brands + box(b"moov", mvhd, box(b"trak", tkhd, media), extends)
