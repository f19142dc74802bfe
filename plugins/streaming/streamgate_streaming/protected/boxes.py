"""ISO base media boxes of our own segments, as far as encryption has to know them (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Callable

HEADER_BYTES = 8


class UnknownLayout(ValueError):
    """It is no segment of ours."""


def box(kind: bytes, *payload: bytes) -> bytes:
    """size u32 ‖ kind ‖ payload."""
    body = b"".join(payload)
    return struct.pack(">I4s", HEADER_BYTES + len(body), kind) + body


def full_box(kind: bytes, flags: int, *payload: bytes) -> bytes:
    """A box of version 0: its payload begins with version u8 ‖ flags u24."""
    return box(kind, struct.pack(">I", flags), *payload)


def children(data: bytes, start: int, end: int) -> list[tuple[bytes, int, int]]:
    """(kind, start, end) of the boxes side by side in data[start:end], headers included.

    Raises:
        UnknownLayout: they do not fill it.
    """
    found = []
    while start < end:
        if start + HEADER_BYTES > end:
            raise UnknownLayout("a box is cut off")
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < HEADER_BYTES or start + size > end:
            raise UnknownLayout("a box is longer than what it is in")
        found.append((kind, start, start + size))
        start += size
    return found


def child(data: bytes, kind: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the only child of a kind is, its header included.

    Raises:
        UnknownLayout: there is none, or more than one.
    """
    found = [(at, until) for name, at, until in children(data, start, end) if name == kind]
    if len(found) != 1:
        raise UnknownLayout(f"{len(found)} boxes of kind {kind!r}")
    return found[0]


def rewritten(data: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """Boxes side by side, with the payload of the one at a path changed, and all around it as long as it must be.

    Raises:
        UnknownLayout: there is no such box.
    """
    start, end = child(data, path[0], 0, len(data))
    payload = data[start + HEADER_BYTES : end]
    new = change(payload) if len(path) == 1 else rewritten(payload, path[1:], change)
    return data[:start] + box(path[0], new) + data[end:]
