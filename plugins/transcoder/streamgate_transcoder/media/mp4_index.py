"""What an mp4's header alone tells: libav's index has decode times, `ctts` the offsets to display; of sound, all."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import attrs

from .boxes import find, walk
from .source import RangedBytes

_LARGEST_HEADER_BYTES = 256 << 20


@attrs.frozen(kw_only=True)
class TrackTables:
    """What libav does not show of one track's header."""

    offsets: tuple[tuple[int, int], ...]  # ctts: runs of (samples, pts - dts)
    last_duration: int  # of the last sample, in the track's ticks
    durations: tuple[tuple[int, int], ...]  # stts: runs of (samples, ticks each)
    sizes: Sequence[int]  # stsz: bytes of each sample; empty where they are told in another form
    descriptions: int  # stsd: more than one where the coding changes on the way


def read_tables(source: RangedBytes, track_id: int) -> TrackTables | None:
    """The tables of a plain track; None for what a packet scan must sort out.

    That is: fragments, more than one edit or an empty one, a header that is missing or damaged.
    """
    moov = _read_moov(source)
    if moov is None or find(moov, b"mvex") is not None:
        return None
    for trak in walk(moov):
        if trak.kind != b"trak":
            continue
        tkhd = find(moov, b"tkhd", start=trak.start, end=trak.end)
        if tkhd is None or tkhd.end - tkhd.start < 24:
            continue
        at = tkhd.start + (20 if moov[tkhd.start] == 1 else 12)
        if struct.unpack_from(">I", moov, at)[0] == track_id:
            return _tables(moov, trak.start, trak.end) if _has_plain_edit(moov, trak.start, trak.end) else None
    return None


def _tables(moov: bytes, start: int, end: int) -> TrackTables | None:
    stbl = find(moov, b"mdia", b"minf", b"stbl", start=start, end=end)
    stts = find(moov, b"stts", start=stbl.start, end=stbl.end) if stbl else None
    if stbl is None or stts is None:
        return None
    ctts = find(moov, b"ctts", start=stbl.start, end=stbl.end)
    durations = _runs(moov[stts.start : stts.end], ">II")
    # Version 0 is unsigned by the book, and written signed by many.
    offsets = _runs(moov[ctts.start : ctts.end], ">Ii") if ctts else []
    stsd = find(moov, b"stsd", start=stbl.start, end=stbl.end)
    stsz = find(moov, b"stsz", start=stbl.start, end=stbl.end)
    return TrackTables(
        offsets=tuple(offsets),
        last_duration=durations[-1][1] if durations else 0,
        durations=tuple(durations),
        sizes=_sizes(moov[stsz.start : stsz.end]) if stsz else (),
        descriptions=struct.unpack_from(">I", moov, stsd.start + 4)[0] if stsd and stsd.end - stsd.start >= 8 else 0,
    )


def _sizes(table: bytes) -> Sequence[int]:
    """ISO/IEC 14496-12 8.7.3.2: one size for all, or one each."""
    if len(table) < 12:
        return ()
    alike, count = struct.unpack_from(">II", table, 4)
    if alike:
        return ()
    return struct.unpack_from(f">{count}I", table, 12) if len(table) >= 12 + 4 * count else ()


def _runs(table: bytes, form: str) -> list[tuple[int, int]]:
    if len(table) < 8:
        return []
    (count,) = struct.unpack_from(">I", table, 4)
    rows = table[8 : 8 + 8 * min(count, (len(table) - 8) // 8)]
    return list(struct.iter_unpack(form, rows))


def expand_offsets(runs: Sequence[tuple[int, int]], samples: int) -> list[int] | None:
    """One offset a sample; None unless the runs cover exactly that many (no runs: all zero)."""
    if not runs:
        return [0] * samples
    if sum(count for count, _ in runs) != samples:
        return None
    return [offset for count, offset in runs for _ in range(count)]


def _has_plain_edit(moov: bytes, start: int, end: int) -> bool:
    elst = find(moov, b"edts", b"elst", start=start, end=end)
    if elst is None:
        return True
    if elst.end - elst.start < 8:
        return False
    version, (count,) = moov[elst.start], struct.unpack_from(">I", moov, elst.start + 4)
    if count != 1 or elst.end - elst.start < (28 if version == 1 else 20):
        return bool(count == 0)
    form, at = (">q", elst.start + 16) if version == 1 else (">i", elst.start + 12)
    (media_time,) = struct.unpack_from(form, moov, at)
    return int(media_time) >= 0


def _read_moov(source: RangedBytes) -> bytes | None:
    """The payload of the first `moov`, found by walking the top level with small reads."""
    for kind, start, size in _top_level(source):
        if kind == b"moov":
            return source.read_at(start, size) if size <= _LARGEST_HEADER_BYTES else None
    return None


def _top_level(source: RangedBytes) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    for _ in range(10_000):
        head = source.read_at(at, 16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        header = 8
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
            header = 16
        elif size == 0:
            size = source.size_bytes - at
        if size < header or (at + size > source.size_bytes and kind == b"moov"):
            return
        yield kind, at + header, size - header
        at += size
