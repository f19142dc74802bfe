"""The pictures of a media version: storyboard sheets, the poster and the moving one, from key frames alone; and single
pictures made posters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import sqrt
from typing import Protocol

import attrs
from av.video.frame import VideoFrame

from streamgate.contracts.media import MediaCorrupt, MediaPlan
from streamgate.contracts.pictures import MAX_MOVING_SIDE_PX, MAX_POSTER_SIDE_PX, Storyboard

from .covers import cover_of
from .key_frames import key_frames
from .limits import MediaLimits
from .moving import MovingPoster
from .source import RangedBytes
from .stills import Shaper, decode_still, jpeg_of, shown_size
from .storyboard import inside, poster_size, storyboard_of
from .task import MOVING, POSTER

_CANDIDATES = 12
_BEGIN, _END = Fraction(1, 20), Fraction(1, 2)
"""A poster is of what comes after the opening titles and gives no end away."""
_DARK, _BRIGHT = 32, 224


class PictureSink(Protocol):
    """Takes what is made, each under its name: JPEG files (`POSTER`, or the number of its sheet), a WebP (`MOVING`)."""

    def picture(self, name: str, data: bytes) -> None: ...

    def progress(self, share: float, frames: int = 0) -> None: ...


def make_pictures(source: RangedBytes, plan: MediaPlan, limits: MediaLimits, sink: PictureSink) -> None:
    """The sheets of the storyboard by their numbers, then the poster and, where there are pictures enough, the moving
    one; of sound alone the cover in its file, if any.

    Raises:
        MediaCorrupt: no key frame can be decoded.
    """
    board, size = storyboard_of(plan), poster_size(plan)
    if board is None or size is None:
        cover = cover_of(source, limits)
        if cover is not None:
            sink.picture(POSTER, as_poster(cover))
        return
    times = times_of(board, plan.timescale)
    looks = [_Look()] * board.tiles
    sheet = _Sheet(board)
    shaper = Shaper(board.tile_width_px, board.tile_height_px)
    moving = MovingPoster(inside(*size, MAX_MOVING_SIDE_PX), *first_half(board.tiles))
    last: VideoFrame | None = None
    tile: VideoFrame | None = None
    for n, frame in enumerate(key_frames(source, plan, times, limits, is_rough=True)):
        if frame is not None and frame is not last:
            last, tile = frame, shaper.shape(frame)
        if frame is not None:
            moving.see(n, frame)
        if tile is not None:
            sheet.put(n, tile)
            looks[n] = look_of(tile)
        if sheet.is_whole(n):
            sink.picture(str(sheet.number(n)), sheet.take(n))
            sink.progress((n + 1) / board.tiles)
    if last is None:
        raise MediaCorrupt("no key frame can be decoded")
    best = times[best_of(looks)]
    found = next(key_frames(source, plan, [best], limits, is_rough=False))
    sink.picture(POSTER, jpeg_of(Shaper(*size).shape(found if found is not None else last)))
    if (data := moving.file()) is not None:
        sink.picture(MOVING, data)


def make_poster(source: RangedBytes, limits: MediaLimits, sink: PictureSink) -> None:
    """A picture of the creator's own.

    Raises:
        NotMedia, MediaCorrupt, MediaTooLarge.
    """
    sink.picture(POSTER, as_poster(decode_still(source.read_at(0, source.size_bytes), limits)))


def as_poster(picture: VideoFrame) -> bytes:
    return jpeg_of(Shaper(*inside(*shown_size(picture), MAX_POSTER_SIDE_PX)).shape(picture))


def times_of(board: Storyboard, timescale: int) -> list[int]:
    """Ticks of each tile's beginning."""
    return [n * board.interval_ms * timescale // 1000 for n in range(board.tiles)]


def first_half(tiles: int) -> tuple[int, int]:
    """Of what may be shown to everybody: the first, and one past the last."""
    return int(tiles * _BEGIN), max(1, int(tiles * _END))


# --- choosing ---------------------------------------------------------------------------------------


@attrs.frozen
class _Look:
    """Luma of a picture: 0 to 255."""

    mean: float = 0.0
    deviation: float = 0.0

    @property
    def score(self) -> float:
        """Contrast; little of it counts where almost everything is black or white."""
        return self.deviation * (1.0 if _DARK <= self.mean <= _BRIGHT else 0.2)


def look_of(picture: VideoFrame) -> _Look:
    luma = b"".join(_lines(picture, 0))[::5]
    mean = sum(luma) / len(luma)
    return _Look(mean, sqrt(max(0.0, sum(value * value for value in luma) / len(luma) - mean * mean)))


def best_of(looks: Sequence[_Look]) -> int:
    """Which of a few pictures, evenly taken from the first half, shows most; any other where those show nothing."""
    begin, end = first_half(len(looks))
    step = max(1, (end - begin) // _CANDIDATES)
    few = max(range(begin, end, step), key=lambda n: looks[n].score)
    if looks[few].score > 1.0:
        return few
    return max(range(len(looks)), key=lambda n: looks[n].score)


# --- sheets -----------------------------------------------------------------------------------------


class _Sheet:
    """The sheet that is being filled, as the three planes of one picture."""

    def __init__(self, board: Storyboard) -> None:
        self._board = board
        self._each = board.columns * board.rows
        self._frame: VideoFrame | None = None
        self._planes: list[bytearray] = []

    def number(self, n: int) -> int:
        return n // self._each

    def is_whole(self, n: int) -> bool:
        return (n + 1) % self._each == 0 or n + 1 == self._board.tiles

    def put(self, n: int, tile: VideoFrame) -> None:
        if self._frame is None:
            self._frame = VideoFrame(*self._board.sheet_size(self.number(n)), "yuvj420p")
            sizes = [plane.line_size * plane.height for plane in self._frame.planes]
            self._planes = [bytearray(b"\x80" if at else b"\0") * size for at, size in enumerate(sizes)]
        row, column = divmod(n % self._each, self._board.columns)
        for number, (plane, into) in enumerate(zip(self._frame.planes, self._planes, strict=True)):
            width, height = tile.planes[number].width, tile.planes[number].height
            at = row * height * plane.line_size + column * width
            for line in _lines(tile, number):
                into[at : at + width] = line
                at += plane.line_size

    def take(self, n: int) -> bytes:
        """The file of the sheet that tile `n` is on; the next one begins empty."""
        frame = self._frame or VideoFrame(*self._board.sheet_size(self.number(n)), "yuvj420p")
        for plane, data in zip(frame.planes, self._planes, strict=True):
            plane.update(bytes(data))
        self._frame = None
        return jpeg_of(frame)


def _lines(picture: VideoFrame, number: int) -> Iterator[bytes]:
    plane = picture.planes[number]
    data = bytes(plane)
    for at in range(0, plane.height * plane.line_size, plane.line_size):
        yield data[at : at + plane.width]
