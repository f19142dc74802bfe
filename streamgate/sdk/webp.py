"""What an animated WebP file says of itself: read with care, decoded never."""

from __future__ import annotations

import struct

_ANIMATED = 0x02
_ALLOWED = frozenset((b"ANIM", b"ANMF"))
_HEAD = struct.Struct("<4sI")


def moving_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas in pixels.

    Raises:
        ValueError: it is no whole animated WebP file, or has more in it than pictures (metadata, colour profiles).
    """
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X" or len(data) < 30:
        raise ValueError("it does not begin as an animated WebP file does")
    if struct.unpack_from("<I", data, 4)[0] != len(data) - 8:
        raise ValueError("it is not as long as it says")
    if not data[20] & _ANIMATED:
        raise ValueError("nothing moves in it")
    at, pictures = 30, 0
    while at + _HEAD.size <= len(data):
        kind, length = _HEAD.unpack_from(data, at)
        if kind not in _ALLOWED:
            raise ValueError(f"it has a chunk {kind!r}")
        pictures += kind == b"ANMF"
        at += _HEAD.size + length + length % 2
    if at != len(data) or pictures < 2:
        raise ValueError("it has no two pictures, or ends within one")
    width, height = (1 + int.from_bytes(data[begin : begin + 3], "little") for begin in (24, 27))
    return width, height
