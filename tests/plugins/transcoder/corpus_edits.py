"""Files changed byte by byte: edit lists that muxers do not write, and claims that no muxer would make."""

from __future__ import annotations

import struct
from collections.abc import Iterator


def box(kind: bytes, *payload: bytes) -> bytes:
    body = b"".join(payload)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and payload of each box, 32-bit sizes alone."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def rewrite(data: bytes, path: str, payload: bytes | None, track: int = 0) -> bytes:
    """Another payload for the box at `path` ('moov/trak/tkhd'), of the trak numbered `track`; None removes it.

    The media must stand before the header (as muxers leave it by default): offsets into it stay right.
    """
    first, _, rest = path.partition("/")
    made, traks = [], 0
    for kind, body in boxes(data):
        is_wanted = kind == first.encode()
        if kind == b"trak":
            is_wanted, traks = is_wanted and traks == track, traks + 1
        if not is_wanted:
            made.append(box(kind, body))
        elif rest:
            made.append(box(kind, rewrite(body, rest, payload, track)))
        elif payload is not None:
            made.append(box(kind, payload))
    return b"".join(made)


def payload_at(data: bytes, path: str, track: int = 0) -> bytes:
    first, _, rest = path.partition("/")
    found = [body for kind, body in boxes(data) if kind == first.encode()]
    body = found[track if first == "trak" else 0]
    return payload_at(body, rest, track) if rest else body


def with_edits(data: bytes, track: int, *edits: tuple[int, int]) -> bytes:
    """An edit list: of each edit its length in milliseconds, and where in the track's media it begins (its ticks; -1:
    nothing is shown)."""
    entries = b"".join(struct.pack(">IiHH", length_ms, media_time, 1, 0) for length_ms, media_time in edits)
    edts = box(b"edts", box(b"elst", struct.pack(">II", 0, len(edits)), entries))
    without = rewrite(data, "moov/trak/edts", None, track)
    header = payload_at(without, "moov/trak/tkhd", track)
    trak = payload_at(without, "moov/trak", track)
    at = len(box(b"tkhd", header))
    return rewrite(without, "moov/trak", trak[:at] + edts + trak[at:], track)


def ticks_a_second(data: bytes, track: int) -> int:
    """Of the track's own clock."""
    (found,) = struct.unpack_from(">I", payload_at(data, "moov/trak/mdia/mdhd", track), 12)
    return int(found)
