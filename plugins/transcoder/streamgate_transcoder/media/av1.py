"""AV1 as our segments carry it (AV1 Codec ISO Media File Format Binding 1.2): temporal units without their delimiters,
and the configuration record that the sequence header tells."""

from __future__ import annotations

from collections.abc import Iterator

from streamgate.contracts.media import PlannedRendition

_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _PADDING = 1, 2, 15

# AV1 specification, annex A.3: samples of a picture, samples a second that are shown, and kbit/s of the main tier.
_LEVELS = (
    ("2.0", 147_456, 4_423_680, 1_500),
    ("2.1", 278_784, 8_363_520, 3_000),
    ("3.0", 665_856, 19_975_680, 6_000),
    ("3.1", 1_065_024, 31_950_720, 10_000),
    ("4.0", 2_359_296, 70_778_880, 12_000),
    ("4.1", 2_359_296, 141_557_760, 20_000),
    ("5.0", 8_912_896, 267_386_880, 30_000),
    ("5.1", 8_912_896, 534_773_760, 40_000),
    ("5.2", 8_912_896, 1_069_547_520, 60_000),
    ("6.0", 35_651_584, 1_069_547_520, 60_000),
    ("6.1", 35_651_584, 2_139_095_040, 100_000),
    ("6.2", 35_651_584, 4_278_190_080, 160_000),
)


class NotAv1(ValueError):
    """What came is no temporal unit of 8-bit AV1 of the main profile; the message says what is wrong."""


def is_av1(rendition: PlannedRendition) -> bool:
    return rendition.codec.startswith("av01")


def level_for(width_px: int, height_px: int, fps: float, maxrate_bps: int) -> str:
    """The lowest level that allows a size, frame rate and peak rate."""
    samples = width_px * height_px
    for level, of_picture, a_second, kbps in _LEVELS:
        if samples <= of_picture and samples * fps <= a_second and maxrate_bps <= kbps * 1000:
            return level
    return _LEVELS[-1][0]


def codec_of(level: str) -> str:
    """As in CODECS: main profile, main tier, 8 bit."""
    major, minor = level.split(".")
    return f"av01.0.{(int(major) - 2) * 4 + int(minor):02d}M.08"


def to_sample(unit: bytes) -> bytes:
    """A temporal unit as it lies in `mdat`. Raises NotAv1."""
    return b"".join(whole for kind, whole in _obus(unit) if kind not in (_TEMPORAL_DELIMITER, _PADDING))


def decoder_configuration(unit: bytes) -> tuple[str, bytes]:
    """Of a temporal unit that begins with a key frame: what CODECS must say, and an AV1CodecConfigurationRecord.

    Raises:
        NotAv1: it has no sequence header, or one of another profile than the encoder was told.
    """
    header = next((whole for kind, whole in _obus(unit) if kind == _SEQUENCE_HEADER), None)
    if header is None:
        raise NotAv1("no sequence header comes with a key frame")
    bits = int.from_bytes(_payload(header)[:5].ljust(5, b"\0"), "big")

    def read(at: int, length: int) -> int:
        return bits >> (40 - at - length) & (1 << length) - 1

    # seq_profile, still_picture, reduced_still_picture_header, timing_info_present_flag; then the first operating point
    if read(0, 6) or read(7, 5):
        raise NotAv1("its sequence header is of another profile, or of several layers")
    level_idx = read(24, 5)
    tier = read(29, 1) if level_idx > 7 else 0
    if tier:
        raise NotAv1("it is of the high tier")
    codec = f"av01.0.{level_idx:02d}M.08"
    subsampled_both_ways = 0b1100
    return codec, bytes((0x81, level_idx, subsampled_both_ways, 0)) + header


def _obus(unit: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each."""
    at = 0
    while at < len(unit):
        kind, extended, has_size = unit[at] >> 3 & 0xF, unit[at] >> 2 & 1, unit[at] >> 1 & 1
        if unit[at] & 0x81 or not has_size:
            raise NotAv1("an open bitstream unit has no size")
        size, begins = _leb128(unit, at + 1 + extended)
        if begins + size > len(unit):
            raise NotAv1("an open bitstream unit is cut off")
        yield kind, unit[at : begins + size]
        at = begins + size


def _payload(obu: bytes) -> bytes:
    return obu[_leb128(obu, 1 + (obu[0] >> 2 & 1))[1] :]


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where what follows begins."""
    value = 0
    for shift in range(8):
        if at + shift >= len(data):
            break
        value |= (data[at + shift] & 0x7F) << 7 * shift
        if not data[at + shift] & 0x80:
            return value, at + shift + 1
    raise NotAv1("a size does not end")
