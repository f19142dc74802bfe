"""How the pictures of a media version are laid out: pure, from its plan, so that whoever checks them knows it too."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from streamgate.contracts.media import MediaPlan, PlannedRendition
from streamgate.contracts.pictures import (
    MAX_COLUMNS,
    MAX_POSTER_SIDE_PX,
    MAX_ROWS,
    MAX_TILES,
    TILE_SIDE_PX,
    Storyboard,
)

_LEAST_MS, _MOST_MS = 2_000, 10_000
_AIMED_AT = 150
"""Pictures, as long as that is one for each 2 to 10 s."""


def storyboard_of(plan: MediaPlan) -> Storyboard | None:
    """Without its sheets; None where there is nothing to see."""
    shown = largest_picture(plan)
    if shown is None:
        return None
    duration_ms = ceil(plan.duration_ticks * 1000 / plan.timescale)
    interval_ms = min(_MOST_MS, max(_LEAST_MS, _whole_tenths(duration_ms, _AIMED_AT)))
    interval_ms = max(interval_ms, _whole_tenths(duration_ms, MAX_TILES))
    tiles = max(1, ceil(duration_ms / interval_ms))
    columns = min(MAX_COLUMNS, tiles)
    width_px, height_px = inside(shown.width_px, shown.height_px, TILE_SIDE_PX)
    return Storyboard(
        tile_width_px=width_px,
        tile_height_px=height_px,
        columns=columns,
        rows=min(MAX_ROWS, ceil(tiles / columns)),
        tiles=tiles,
        interval_ms=interval_ms,
    )


def poster_size(plan: MediaPlan) -> tuple[int, int] | None:
    """Upright, with square pixels, never larger than the largest rendition."""
    shown = largest_picture(plan)
    return None if shown is None else inside(shown.width_px, shown.height_px, MAX_POSTER_SIDE_PX)


def largest_picture(plan: MediaPlan) -> PlannedRendition | None:
    videos = [each for each in plan.renditions if each.kind == "video"]
    return max(videos, key=lambda each: each.width_px * each.height_px, default=None)


def inside(width_px: int, height_px: int, side_px: int) -> tuple[int, int]:
    """The same form, no side longer than that and none enlarged, even (4:2:0 has one colour sample for two pixels)."""
    scale = min(Fraction(1), Fraction(side_px, max(width_px, height_px)))
    return _even(width_px * scale, side_px), _even(height_px * scale, side_px)


def _even(length: Fraction, most: int) -> int:
    return max(2, min(2 * round(length / 2), most))


def _whole_tenths(duration_ms: int, count: int) -> int:
    """Milliseconds a piece where so many pieces are made, in whole tenths of a second, rounded up."""
    return -(-duration_ms // (100 * count)) * 100
