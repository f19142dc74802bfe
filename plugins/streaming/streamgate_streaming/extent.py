"""How much of a content a decision opens: all of it, what is not too high, or its beginning alone. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from streamgate.contracts.auth import Decision
from streamgate.contracts.gate import GateRefused
from streamgate.sdk.playlists.presentation import Presentation, Track
from streamgate.wire import to_plain

SOUND_BESIDE_S = 0.05
"""Sound is cut at its own frames (21 ms of AAC at 48 kHz), and may end so much later than the picture it belongs to; or
than the preview, where there is no picture."""


@attrs.frozen(kw_only=True)
class Extent:
    """Args:
    preview_s: the beginning alone, so long; 0: to the end.
    max_height_px: no rendition above it; None: all. Compared with a picture's shorter side, by which renditions are
        named (`720p`), so that a film that stands upright is not taken for a higher one.
    """

    preview_s: float = 0.0
    max_height_px: int | None = None


ALL = Extent()


def is_preview(decision: Decision) -> bool:
    """The gate does not open, but the first seconds are free all the same."""
    return decision.outcome == "does_not_hold" and decision.preview_s > 0


def extent_of(decision: Decision) -> Extent:
    """Of a decision that holds, or opens a preview."""
    preview_s = decision.preview_s if is_preview(decision) else 0.0
    return Extent(preview_s=preview_s, max_height_px=decision.max_height_px)


def narrower(one: Extent, other: Extent) -> Extent:
    """What both open."""
    previews = [each.preview_s for each in (one, other) if each.preview_s]
    heights = [each.max_height_px for each in (one, other) if each.max_height_px is not None]
    return Extent(preview_s=min(previews, default=0.0), max_height_px=min(heights, default=None))


def cut(presentation: Presentation, extent: Extent) -> Presentation | None:
    """What of it may be played; None where that is nothing. A picture whose renditions are all too high leaves
    nothing: its sound alone is not what was gated."""
    video = tuple(track for track in presentation.video if _is_low_enough(track, extent.max_height_px))
    audio, storyboard = presentation.audio, presentation.storyboard
    if extent.preview_s:
        storyboard = None  # a sheet shows more than the beginning
        video = _beginnings(video, extent.preview_s)
        ends_s = max((float(track.duration) for track in video), default=extent.preview_s)
        audio = _beginnings(audio, ends_s + SOUND_BESIDE_S)
    if (presentation.video and not video) or not (video or audio):
        return None
    return attrs.evolve(presentation, video=video, audio=audio, storyboard=storyboard)


def shut(content_id: str, extent: Extent, decision: Decision | None) -> GateRefused:
    """The answer to who asks for what is beyond the extent."""
    extra: dict[str, Any] = {} if decision is None else {"explanation": to_plain(decision.explanation)}
    if extent.max_height_px is not None:
        extra["max_height_px"] = extent.max_height_px
    if extent.preview_s:
        extra["preview_s"] = extent.preview_s
        height = "" if extent.max_height_px is None else f", up to {extent.max_height_px} lines"
        return GateRefused(
            f"the gate of content {content_id} does not open for you: its first {extent.preview_s:g} s are free"
            f"{height}, and nothing else is",
            extra=extra,
        )
    return GateRefused(
        f"of content {content_id} no rendition above {extent.max_height_px} lines is open to you; POST "
        f"/api/v1/content/{content_id}/gate/check says what would open it",
        extra=extra,
    )


def nothing_left(extent: Extent, decision: Decision | None, whole: Presentation) -> GateRefused:
    """The answer where `cut` leaves nothing of what there is."""
    refused = shut(whole.content_id, extent, decision)
    low = tuple(track for track in whole.video if _is_low_enough(track, extent.max_height_px))
    if not extent.preview_s:
        return refused
    closed = f"the gate of content {whole.content_id} does not open for you"
    if whole.video and not low:
        height = f"its first {extent.preview_s:g} s are free up to {extent.max_height_px} lines"
        return GateRefused(f"{closed}: {height}, and there is no rendition that low", extra=refused.extra)
    beginnings = (Fraction(track.segments[0].duration_ticks, track.timescale) for track in low or whole.audio)
    first_s = round(float(min(beginnings)), 3)
    return GateRefused(
        f"{closed}: a preview is of whole segments, and the first one is {first_s:g} s long, of which "
        f"{extent.preview_s:g} s are free",
        extra={**refused.extra, "first_segment_s": first_s},
    )


def _is_low_enough(track: Track, max_height_px: int | None) -> bool:
    return max_height_px is None or min(track.width_px, track.height_px) <= max_height_px


def _beginnings(tracks: tuple[Track, ...], ends_s: float) -> tuple[Track, ...]:
    """The tracks with the segments that end by then; without those that have none."""
    cut_tracks = []
    for track in tracks:
        last_ticks = track.segments[0].start_ticks + ends_s * track.timescale
        kept = tuple(each for each in track.segments if each.start_ticks + each.duration_ticks <= last_ticks)
        if kept:
            cut_tracks.append(attrs.evolve(track, segments=kept))
    return tuple(cut_tracks)
