"""What a JPEG file says of itself: read with care, decoded never."""

from __future__ import annotations

import struct

BEGIN, END = b"\xff\xd8", b"\xff\xd9"
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the others of the row are tables
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        ValueError: it is no whole JPEG file.
    """
    if not data.startswith(BEGIN) or not data.endswith(END):
        raise ValueError("it does not begin and end as a JPEG file does")
    at, size = 2, None
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError(f"no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == _SCAN:
            break
        if marker in _FRAMES and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        at += 2 + length
    if size is None or 0 in size:
        raise ValueError("it has no frame header")
    return size
