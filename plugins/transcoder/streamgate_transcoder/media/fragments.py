"""Our own CMAF media segments: styp + moof + mdat, one fragment each (ISO/IEC 14496-12, 23000-19)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import attrs

from .boxes import box, find, full_box
from .decode_times import spread_decode_times

# ISO/IEC 14496-12 8.8.3.1: depends on no other sample / depends on others and is no sync sample.
SYNC_SAMPLE = 0x0200_0000
OTHER_SAMPLE = 0x0101_0000

_STYP = box(b"styp", b"cmfs", struct.pack(">I", 0), b"cmfs", b"msdh")
_DEFAULT_BASE_IS_MOOF = 0x02_0000
_AROUND_BYTES = 120  # styp 24, moof and traf 16, mfhd 16, tfhd 16, tfdt 20, trun 20, mdat 8
_TRUN_FLAGS = 0x1 | 0x100 | 0x200 | 0x400 | 0x800  # data offset; duration, size, flags, composition offset


@attrs.frozen
class Sample:
    """One coded frame as it lies in `mdat`: for H.264, NAL units with four-byte lengths."""

    pts_ticks: int
    data: bytes
    is_sync: bool = True


@attrs.frozen(kw_only=True)
class SegmentFacts:
    """What a written segment says of itself, read back from its bytes."""

    sequence: int
    decode_time_ticks: int
    duration_ticks: int
    pts_ticks: tuple[int, ...]  # in decoding order
    begins_with_sync: bool
    data_bytes: int
    first_frame_bytes: int  # from the beginning of the segment to the end of its first frame


def write_segment(sequence: int, samples: Sequence[Sample], end_ticks: int) -> bytes:
    """One segment of samples in decoding order; `sequence` counts from 1.

    Its `tfdt` is the first sample's pts and its durations sum to `end_ticks` minus that, so consecutive
    segments have neither gap nor overlap, whatever the frame rate does.

    Raises:
        NotAClosedSegment: the samples do not begin with the one shown first.
    """
    pts = [sample.pts_ticks for sample in samples]
    decode_times = spread_decode_times(pts, end_ticks)
    following = (*decode_times[1:], end_ticks)
    rows = b"".join(
        struct.pack(
            ">IIII",
            after - time,
            len(sample.data),
            SYNC_SAMPLE if sample.is_sync else OTHER_SAMPLE,
            sample.pts_ticks - time,
        )
        for sample, time, after in zip(samples, decode_times, following, strict=True)
    )
    moof = _moof(sequence, decode_times[0], len(samples), rows, data_offset=0)
    moof = _moof(sequence, decode_times[0], len(samples), rows, data_offset=len(moof) + 8)
    return b"".join((_STYP, moof, box(b"mdat", *(sample.data for sample in samples))))


def segment_size(samples: int, data_bytes: int) -> int:
    """Bytes of a segment before it is written: what stands around so many samples is always as long."""
    return _AROUND_BYTES + 16 * samples + data_bytes


def _moof(sequence: int, decode_time: int, count: int, rows: bytes, *, data_offset: int) -> bytes:
    return box(
        b"moof",
        full_box(b"mfhd", 0, 0, struct.pack(">I", sequence)),
        box(
            b"traf",
            full_box(b"tfhd", 0, _DEFAULT_BASE_IS_MOOF, struct.pack(">I", 1)),
            full_box(b"tfdt", 1, 0, struct.pack(">Q", decode_time)),
            full_box(b"trun", 0, _TRUN_FLAGS, struct.pack(">Ii", count, data_offset), rows),
        ),
    )


def read_segment(data: bytes) -> SegmentFacts:
    """Reads back a segment of ours; `ValueError` where a box is missing or sizes disagree."""
    mfhd = find(data, b"moof", b"mfhd")
    tfdt = find(data, b"moof", b"traf", b"tfdt")
    trun = find(data, b"moof", b"traf", b"trun")
    mdat = find(data, b"mdat")
    if mfhd is None or tfdt is None or trun is None or mdat is None:
        raise ValueError("a segment needs mfhd, tfdt, trun and mdat")
    (sequence,) = struct.unpack_from(">I", data, mfhd.start + 4)
    (decode_time,) = struct.unpack_from(">Q", data, tfdt.start + 4)
    flags, count = struct.unpack_from(">II", data, trun.start)
    if flags != _TRUN_FLAGS or trun.end - trun.start != 12 + 16 * count or count == 0:
        raise ValueError("trun has another form or length than ours")
    rows = list(struct.iter_unpack(">IIII", data[trun.start + 12 : trun.end]))
    time, pts = decode_time, []
    for duration, _, _, offset in rows:
        pts.append(time + offset)
        time += duration
    size_bytes = sum(row[1] for row in rows)
    if size_bytes != mdat.end - mdat.start:
        raise ValueError("sample sizes do not fill mdat")
    return SegmentFacts(
        sequence=sequence,
        decode_time_ticks=decode_time,
        duration_ticks=time - decode_time,
        pts_ticks=tuple(pts),
        begins_with_sync=rows[0][2] == SYNC_SAMPLE,
        data_bytes=size_bytes,
        first_frame_bytes=mdat.start + rows[0][1],
    )
