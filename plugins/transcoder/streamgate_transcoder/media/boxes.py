"""ISO base media boxes: writing them, and walking the ones a file has (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import attrs


def box(kind: bytes, *payload: bytes) -> bytes:
    """size u32 ‖ kind ‖ payload. No box of ours comes near 4 GiB."""
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A box whose payload begins with version u8 ‖ flags u24."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


@attrs.frozen
class FoundBox:
    """Where a box's payload lies: data[start:end]."""

    kind: bytes
    start: int
    end: int


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[FoundBox]:
    """The boxes side by side in data[start:end]; stops at the first that does not fit."""
    stop = len(data) if end is None else end
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1 and start + 16 <= stop:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        elif size == 0:
            size = stop - start
        if size < header or start + size > stop:
            return
        yield FoundBox(kind, start + header, start + size)
        start += size


def find(data: bytes, *path: bytes, start: int = 0, end: int | None = None) -> FoundBox | None:
    """The first box at a path such as b"moof", b"traf", b"tfdt"; None where there is none."""
    found: FoundBox | None = None
    for kind in path:
        found = next((item for item in walk(data, start, end) if item.kind == kind), None)
        if found is None:
            return None
        start, end = found.start, found.end
    return found
