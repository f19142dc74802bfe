"""Pictures are turned as their display matrix says."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.video.frame import VideoFrame

from streamgate.testing.clips import ClipSpec
from streamgate_transcoder.media.orientation import Orientation, Turner

WIDTH, HEIGHT = 64, 32


def numbered() -> VideoFrame:
    """A grey frame whose pixel at (x, y) is x + 4 y (below 256)."""
    frame = VideoFrame(WIDTH, HEIGHT, "gray")
    filling = bytes(frame.planes[0].line_size - WIDTH)
    frame.planes[0].update(b"".join(bytes(x + 4 * y for x in range(WIDTH)) + filling for y in range(HEIGHT)))
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    return frame


def rows(frame: VideoFrame) -> list[list[int]]:
    plane = frame.planes[0]
    data = memoryview(plane)
    return [list(data[y * plane.line_size : y * plane.line_size + frame.width]) for y in range(frame.height)]


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("flips_x", [False, True])
@pytest.mark.parametrize("flips_y", [False, True])
def test_all_eight(is_transposed: bool, flips_x: bool, flips_y: bool) -> None:
    expected = rows(numbered())
    if is_transposed:
        expected = [list(column) for column in zip(*expected, strict=True)]
    if flips_x:
        expected = [row[::-1] for row in expected]
    if flips_y:
        expected = expected[::-1]
    orientation = Orientation(is_transposed=is_transposed, flips_x=flips_x, flips_y=flips_y)
    turned = Turner().turn(numbered(), orientation)
    assert rows(turned) == expected
    assert turned.pts == 7


@pytest.mark.parametrize(
    ("degrees", "corners"),  # where the source's top-left, top-right, bottom-right, bottom-left must be found
    [(0, (0, 1, 2, 3)), (-90, (1, 2, 3, 0)), (180, (2, 3, 0, 1)), (90, (3, 0, 1, 2))],
)
def test_the_encoded_picture_is_upright(
    degrees: int, corners: tuple[int, ...], clips: Callable[..., Path], make_media: Callable[..., Any]
) -> None:
    """FFmpeg's -90 is a phone held upright: shown after a quarter turn clockwise."""
    spec = ClipSpec(width_px=160, height_px=90, frames=10, key_frames=(0,), rotation_deg=degrees)
    path = clips(f"corner{degrees}.mp4", spec)
    made = make_media(path)
    rendition = made.plan.renditions[0]
    expected_size = (160, 90) if degrees in (0, 180) else (90, 160)
    assert (rendition.width_px, rendition.height_px) == expected_size
    with av.open(str(path)) as source, av.open(io.BytesIO(made.file(rendition.id)), "r") as rung:
        stored, shown = next(source.decode(video=0)), next(rung.decode(video=0))
    theirs, ours = corner_lumas(stored), corner_lumas(shown)
    assert max(theirs) - min(theirs) > 30, "the corners must differ for this to tell anything"
    assert all(abs(theirs[n] - ours[corners[n]]) < 8 for n in range(4))


def corner_lumas(frame: VideoFrame) -> list[float]:
    """Mean luma of the four corners, clockwise from the top left."""
    pixels = rows(frame)
    size = 24
    left, right = slice(0, size), slice(frame.width - size, frame.width)
    top, bottom = slice(0, size), slice(frame.height - size, frame.height)

    def mean(y: slice, x: slice) -> float:
        values = [value for row in pixels[y] for value in row[x]]
        return sum(values) / len(values)

    return [mean(top, left), mean(top, right), mean(bottom, right), mean(bottom, left)]
