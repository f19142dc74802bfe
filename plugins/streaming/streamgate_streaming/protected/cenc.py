"""Common Encryption of our own fragments, scheme `cenc`: AES-128 in counter mode (ISO/IEC 23001-7).

Pictures are encrypted in their slices, sound in whole samples. Each sample has an IV of 8 bytes of its own, counted up
from the rendition's; 2^24 samples a segment and 2^40 segments have room before one would come again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import partial

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR

from .boxes import HEADER_BYTES, UnknownLayout, box, child, children, full_box, rewritten
from .content_keys import CTR_IV_BYTES
from .subsamples import Subsample, subsamples_of

_STSD = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_ENTRIES = {b"avc1": b"encv", b"mp4a": b"enca"}
_SCHEME_VERSION = 0x0001_0000
_SAMPLES_OF_SEGMENT_BITS = 24
_TRUN_FLAGS = 0x1 | 0x100 | 0x200 | 0x400 | 0x800  # as our writer has them: offset; duration, size, flags, composition
_ROW_BYTES = 16
_HAS_SUBSAMPLES = 2


def encrypted_init(init: bytes, kid: bytes) -> bytes:
    """An init segment that says that its samples are encrypted, by the key of this name.

    Raises:
        UnknownLayout.
    """
    return rewritten(init, _STSD, partial(_protected_entry, kid=kid))


def encrypted_segment(segment: bytes, *, key: bytes, first_counter: int, n: int, is_video: bool) -> bytes:
    """A media segment with its samples encrypted, and told how (senc, saiz, saio).

    Args:
        first_counter: the rendition's, from which the IVs count.
        n: the segment's number.

    Raises:
        UnknownLayout.
    """
    (styp, moof, mdat), sizes = _parts(segment)
    data = bytearray(segment[mdat[0] + HEADER_BYTES : mdat[1]])
    if sum(sizes) != len(data):
        raise UnknownLayout("samples do not fill mdat")
    counter = first_counter + (n << _SAMPLES_OF_SEGMENT_BITS)
    ivs, maps, at = [], list[list[Subsample]](), 0
    view = memoryview(data)
    for position, size in enumerate(sizes):
        sample = view[at : at + size]
        iv = ((counter + position) % (1 << 8 * CTR_IV_BYTES)).to_bytes(CTR_IV_BYTES, "big")
        runs = subsamples_of(sample) if is_video else [(0, size)]
        _encrypt(sample, key, iv, runs)
        ivs.append(iv)
        maps.append(runs)
        at += size
    fragment = _described(segment[moof[0] : moof[1]], ivs, maps if is_video else [])
    return b"".join((segment[styp[0] : styp[1]], fragment, box(b"mdat", bytes(data))))


def _encrypt(sample: memoryview, key: bytes, iv: bytes, runs: Iterable[Subsample]) -> None:
    """In place: one key stream runs through all encrypted bytes of a sample."""
    encryptor = Cipher(AES128(key), CTR(iv + bytes(CTR_IV_BYTES))).encryptor()
    at = 0
    for clear, encrypted in runs:
        at += clear
        if encrypted:
            sample[at : at + encrypted] = encryptor.update(sample[at : at + encrypted])
        at += encrypted


def _described(moof: bytes, ivs: list[bytes], maps: list[list[Subsample]]) -> bytes:
    """The moof with what decryption needs, at the end of its traf. `maps` is empty where whole samples are
    encrypted."""
    info = [_told(runs) for runs in maps]
    entries = b"".join(iv + told for iv, told in zip(ivs, info or [b""] * len(ivs), strict=True))
    senc = full_box(b"senc", _HAS_SUBSAMPLES if maps else 0, struct.pack(">I", len(ivs)), entries)
    if info:
        sizes = bytes(CTR_IV_BYTES + len(told) for told in info)
        saiz = full_box(b"saiz", 0, struct.pack(">BI", 0, len(ivs)), sizes)
    else:
        saiz = full_box(b"saiz", 0, struct.pack(">BI", CTR_IV_BYTES, len(ivs)))
    saio_bytes = len(_saio(0))
    longer = len(saiz) + saio_bytes + len(senc)
    begin = len(moof) + len(saiz) + saio_bytes + HEADER_BYTES + 8  # of the first IV, after senc's flags and count
    added = saiz + _saio(begin) + senc
    return box(b"moof", rewritten(moof[HEADER_BYTES:], (b"traf",), lambda traf: _moved(traf, longer) + added))


def _moved(traf: bytes, longer: int) -> bytes:
    """The track fragment, its data so much further on."""

    def move(trun: bytes) -> bytes:
        (offset,) = struct.unpack_from(">i", trun, 8)
        return trun[:8] + struct.pack(">i", offset + longer) + trun[12:]

    return rewritten(traf, (b"trun",), move)


def _told(runs: list[Subsample]) -> bytes:
    return struct.pack(">H", len(runs)) + b"".join(struct.pack(">HI", clear, count) for clear, count in runs)


def _saio(offset: int) -> bytes:
    return full_box(b"saio", 0, struct.pack(">II", 1, offset))


def _parts(segment: bytes) -> tuple[list[tuple[int, int]], list[int]]:
    """Where styp, moof and mdat are, and the sizes of the samples."""
    found = children(segment, 0, len(segment))
    if [kind for kind, _, _ in found] != [b"styp", b"moof", b"mdat"]:
        raise UnknownLayout("a segment is styp, moof and mdat")
    parts = [(start, end) for _, start, end in found]
    start, end = child(segment, b"traf", parts[1][0] + HEADER_BYTES, parts[1][1])
    start, end = child(segment, b"trun", start + HEADER_BYTES, end)
    flags, count, offset = struct.unpack_from(">IIi", segment, start + HEADER_BYTES)
    rows = start + HEADER_BYTES + 12
    if flags != _TRUN_FLAGS or end - rows != count * _ROW_BYTES or offset != parts[1][1] - parts[1][0] + HEADER_BYTES:
        raise UnknownLayout("trun has another form than ours")
    return parts, [size for _, size, _, _ in struct.iter_unpack(">IIII", segment[rows:end])]


def _protected_entry(stsd: bytes, *, kid: bytes) -> bytes:
    """The payload of stsd, its one entry as a protected one."""
    found = children(stsd, 8, len(stsd))  # after version, flags and count
    if len(found) != 1 or found[0][0] not in _ENTRIES:
        raise UnknownLayout("one sample entry is wanted, of H.264 or AAC")
    kind, start, end = found[0]
    sinf = box(
        b"sinf",
        box(b"frma", kind),
        full_box(b"schm", 0, b"cenc", struct.pack(">I", _SCHEME_VERSION)),
        box(b"schi", full_box(b"tenc", 0, struct.pack(">BBBB", 0, 0, 1, CTR_IV_BYTES), kid)),
    )
    return stsd[:8] + box(_ENTRIES[kind], stsd[start + HEADER_BYTES : end], sinf)
