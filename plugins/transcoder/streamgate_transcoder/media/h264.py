"""The little of H.264 and H.265 that cutting needs: NAL units, parameter sets, what is a closed start."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import attrs

_H264_IDR = 5
_H265_IDR = (19, 20)  # IDR_W_RADL, IDR_N_LP; CRA (21) may be followed by pictures that refer to what was before


@attrs.frozen
class ParameterSets:
    """One sequence and one picture parameter set, without start codes."""

    sps: bytes
    pps: bytes

    @property
    def codec(self) -> str:
        """RFC 6381 name: profile, constraint flags and level from the SPS."""
        return f"avc1.{self.sps[1]:02x}{self.sps[2]:02x}{self.sps[3]:02x}"

    def decoder_configuration(self) -> bytes:
        """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1) of 8-bit 4:2:0 with four-byte lengths."""
        record = struct.pack(">B3sBBH", 1, self.sps[1:4], 0xFF, 0xE1, len(self.sps)) + self.sps
        record += struct.pack(">BH", 1, len(self.pps)) + self.pps
        if self.sps[1] in (100, 110, 122, 144):
            record += bytes((0xFC | 1, 0xF8, 0xF8, 0))
        return record


def split_annex_b(data: bytes) -> Iterator[bytes]:
    """NAL units between start codes. Emulation prevention keeps 00 00 01 out of them; trailing zeros are filling."""
    parts = data.split(b"\x00\x00\x01")
    for part in parts[1:]:
        unit = part.rstrip(b"\x00")
        if unit:
            yield unit


def to_length_prefixed(data: bytes) -> bytes:
    """An encoder's access unit as it is stored in mp4: each NAL unit with its length, u32."""
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in split_annex_b(data))


def parameter_sets(extradata: bytes) -> ParameterSets:
    """The SPS and PPS of an x264 global header; `ValueError` unless there is one of each."""
    units = {unit[0] & 0x1F: unit for unit in split_annex_b(extradata)}
    if 7 not in units or 8 not in units:
        raise ValueError("the encoder's header has no SPS or no PPS")
    return ParameterSets(units[7], units[8])


@attrs.frozen(kw_only=True)
class AvcConfig:
    """What an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1) holds."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    length_size: int

    @property
    def codec(self) -> str:
        """RFC 6381 name."""
        return f"avc1.{self.sps[0][1]:02x}{self.sps[0][2]:02x}{self.sps[0][3]:02x}"


def read_avc_config(record: bytes) -> AvcConfig | None:
    """None where it is none, or ends before its sets do."""
    if len(record) < 7 or record[0] != 1:
        return None
    groups: list[list[bytes]] = []
    at = 5
    for mask in (0x1F, 0xFF):
        if at >= len(record):
            return None
        count, units = record[at] & mask, list[bytes]()
        at += 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            unit = record[at + 2 : at + 2 + size]
            if size < 4 or len(unit) < size:
                return None
            units.append(unit)
            at += 2 + size
        groups.append(units)
    return AvcConfig(sps=tuple(groups[0]), pps=tuple(groups[1]), length_size=(record[4] & 3) + 1)


def brings_other_sets(head: bytes, config: AvcConfig) -> bool:
    """Whether parameter sets in the stream itself differ from those of its header: then something changes on the way.

    Args:
        head: the first bytes of a key frame, where such sets are.
    """
    known = {*config.sps, *config.pps}
    at = 0
    while at + config.length_size < len(head):
        size = int.from_bytes(head[at : at + config.length_size], "big")
        unit = head[at + config.length_size : at + config.length_size + size]
        if unit and unit[0] & 0x1F in (7, 8) and unit not in known:
            return True
        at += config.length_size + size
    return False


def begins_closed_group(codec: str, head: bytes, length_size: int) -> bool:
    """Whether a key frame's first slice is an IDR. Containers also mark open-GOP and refresh points as key frames.

    Args:
        codec: 'h264' or 'hevc'; of other codecs a key frame is taken at its word only where it always is closed.
        head: the first bytes of the packet (4 kB are enough).
        length_size: bytes of each NAL unit's length; 0 for start codes.
    """
    if codec not in ("h264", "hevc"):
        return codec in ("vp8", "vp9", "av1", "mjpeg", "ffv1", "prores", "dnxhd")
    for first_byte in _first_bytes(head, length_size):
        kind = first_byte & 0x1F if codec == "h264" else first_byte >> 1 & 0x3F
        if codec == "h264" and 1 <= kind <= 5:
            return kind == _H264_IDR
        if codec == "hevc" and kind < 32:
            return kind in _H265_IDR
    return False


def nal_length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of a NAL unit's length as avcC or hvcC say; 0 where the stream has start codes (or no NAL units)."""
    if not extradata or extradata[0] != 1:
        return 0
    if codec == "h264" and len(extradata) > 4:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 21:
        return (extradata[21] & 3) + 1
    return 0


def _first_bytes(head: bytes, length_size: int) -> Iterator[int]:
    if length_size == 0:
        for unit in split_annex_b(head):
            yield unit[0]
        return
    at = 0
    while at + length_size < len(head):
        size = int.from_bytes(head[at : at + length_size], "big")
        yield head[at + length_size]
        at += length_size + size
