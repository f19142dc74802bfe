"""The moving poster: a few of the storyboard's key frames one after the other, as an animated WebP file."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.frame import VideoFrame

from .stills import Shaper

_PICTURES = 8
_EACH_MS = 600
_QUALITY, _EFFORT = "60", "4"  # of libwebp's 100 and 6


class MovingPoster:
    """Is shown the frames of a storyboard as they come, and keeps those of a few places.

    Args:
        size: width and height.
        begin, end: the first tile that may be taken, and one past the last.
    """

    def __init__(self, size: tuple[int, int], begin: int, end: int) -> None:
        wanted = min(_PICTURES, end - begin)
        self._wanted = {begin + (end - begin) * at // wanted for at in range(wanted)}
        self._shaper = Shaper(*size, "yuv420p")
        self._last: VideoFrame | None = None
        self._shaped: list[VideoFrame] = []

    def see(self, n: int, frame: VideoFrame) -> None:
        """The frame that is shown at tile `n`; one that is shown there still is not taken twice."""
        if n not in self._wanted or frame is self._last:
            return
        self._shaped.append(self._shaper.shape(frame))
        self._last = frame

    def file(self) -> bytes | None:
        """None where there are no two pictures."""
        if len(self._shaped) < 2:
            return None
        first = self._shaped[0]
        encoder = av.CodecContext.create("libwebp_anim", "w")
        encoder.width, encoder.height, encoder.pix_fmt = first.width, first.height, "yuv420p"
        encoder.time_base = Fraction(1, 1000)
        encoder.framerate = Fraction(1000, _EACH_MS)  # how long the last one stays
        encoder.thread_count = 1
        encoder.options = {"quality": _QUALITY, "compression_level": _EFFORT}
        packets = []
        for number, picture in enumerate(self._shaped):
            picture.pts, picture.time_base = number * _EACH_MS, Fraction(1, 1000)
            packets += encoder.encode(picture)
        packets += encoder.encode(None)
        return b"".join(bytes(packet) for packet in packets)
