"""What an animated WebP file says of itself: read with care, decoded never."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator

_ANIMATED, _HAS_ALPHA = 0x02, 0x10
_ALLOWED = frozenset((b"ANIM", b"ANMF"))
_ALLOWED_INSIDE = frozenset((b"ALPH", b"VP8 ", b"VP8L"))
_HEAD = struct.Struct("<4sI")
_CANVAS_BYTES, _PLACE_BYTES = 10, 16


def moving_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas in pixels.

    Raises:
        ValueError: it is no whole animated WebP file, or has more in it than pictures (metadata, colour profiles).
    """
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X" or len(data) < 30:
        raise ValueError("it does not begin as an animated WebP file does")
    said, canvas_bytes = (struct.unpack_from("<I", data, at)[0] for at in (4, 16))
    if (said, canvas_bytes) != (len(data) - 8, _CANVAS_BYTES):
        raise ValueError("it is not as long as it says")
    if not data[20] & _ANIMATED:
        raise ValueError("nothing moves in it")
    if data[20] & ~(_ANIMATED | _HAS_ALPHA):
        raise ValueError("it says that it has more than pictures")
    pictures = [(at, end) for kind, at, end in _chunks(data, 30, len(data), _ALLOWED) if kind == b"ANMF"]
    shown = [list(_chunks(data, at + _PLACE_BYTES, end, _ALLOWED_INSIDE)) for at, end in pictures]
    if len(shown) < 2 or not all(shown):
        raise ValueError("it has no two pictures, or an empty one")
    width, height = (1 + int.from_bytes(data[begin : begin + 3], "little") for begin in (24, 27))
    return width, height


def _chunks(data: bytes, at: int, end: int, allowed: Collection[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Of each its name, and where its bytes begin and end. Raises ValueError for any other, and for one cut off."""
    while at + _HEAD.size <= end:
        kind, length = _HEAD.unpack_from(data, at)
        if kind not in allowed:
            raise ValueError(f"it has a chunk {kind!r}")
        begins, ends = at + _HEAD.size, at + _HEAD.size + length
        if ends > end:
            break
        yield kind, begins, ends
        at = ends + length % 2
    if at != end:
        raise ValueError("it ends within a chunk")
