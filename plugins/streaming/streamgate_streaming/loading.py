"""What can be played of a media version, read from the database: whole renditions, and those that are promised.

Where the source itself is the base, it is listed whole from the plan on, with its sound; what of them is not made yet
has no key, and is made when somebody asks for it. Everything else is listed when it is whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import attrs
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.media import MediaPlan, PlannedRendition
from streamgate.sdk.playlists.presentation import Presentation, Segment, Track

from . import media_repository as repository
from .tables import RenditionRow, SegmentRow
from .verify import base_of, grid_of, timescale_of

_AROUND = 1.03
"""Encoded sound with what stands around it, to its planned rate."""


@attrs.frozen(kw_only=True)
class Loaded:
    """`plan`: where something of the presentation is not made yet."""

    presentation: Presentation
    plan: MediaPlan | None
    is_complete: bool


def load_presentation(session: Session, content_id: str, media_version: int) -> Loaded | None:
    """All that is listed of a playable version; None for any other."""
    media = repository.find_media(session, content_id, media_version)
    plan = repository.plan_of(media) if media is not None and media.playable else None
    if media is None or plan is None:
        return None
    rows = repository.renditions_of(session, media)
    promised = promised_of(plan, rows)
    listed = {key: row for key, row in rows.items() if row.status == "ready" or key in promised}
    made = _made(session, content_id, media_version, list(listed))
    tracks = [_track(plan, each, listed[each.id], made[each.id]) for each in plan.renditions if each.id in listed]
    tracks.sort(key=lambda track: (track.average_bps, track.height_px))
    presentation = Presentation(
        content_id=content_id,
        media_version=media_version,
        target_duration_s=plan.target_duration_s,
        video=tuple(track for track in tracks if track.kind == "video"),
        audio=tuple(track for track in tracks if track.kind == "audio"),
    )
    return Loaded(presentation=presentation, plan=plan if promised else None, is_complete=media.state == "ready")


def promised_of(plan: MediaPlan, rows: Mapping[str, RenditionRow]) -> set[str]:
    """The source itself, where it is the base, and the sound beside it, as far as they are not whole yet."""
    if base_of(plan).mode != "copy":
        return set()
    wanted = [each for each in plan.renditions if each.base or (each.kind == "audio" and each.policy == "eager")]
    return {each.id for each in wanted if rows[each.id].status in ("planned", "running")}


def made_segment(session: Session, content_id: str, media_version: int, rendition_id: str, n: int) -> Segment | None:
    """One, by its number; None where it is not indexed."""
    row = session.get(SegmentRow, (content_id, media_version, rendition_id, n))
    return None if row is None else _segment(row)


def made_init(session: Session, content_id: str, media_version: int, rendition_id: str) -> Segment | None:
    """The head of a rendition, as a segment of no duration; None where nothing of it is indexed."""
    row = session.get(RenditionRow, (content_id, media_version, rendition_id))
    if row is None or not row.init_key:
        return None
    return Segment(
        n=-1,
        key=row.init_key,
        size_bytes=row.init_size_bytes,
        sha256=row.init_sha256,
        start_ticks=0,
        duration_ticks=0,
    )


def _made(
    session: Session, content_id: str, media_version: int, rendition_ids: list[str]
) -> defaultdict[str, dict[int, Segment]]:
    found: defaultdict[str, dict[int, Segment]] = defaultdict(dict)
    columns = (SegmentRow.n, SegmentRow.key, SegmentRow.size_bytes, SegmentRow.sha256)
    times = (SegmentRow.start_ticks, SegmentRow.duration_ticks)
    in_order = (
        select(SegmentRow.rendition_id, *columns, *times)
        .where(
            SegmentRow.content_id == content_id,
            SegmentRow.media_version == media_version,
            SegmentRow.rendition_id.in_(rendition_ids),
        )
        .order_by(SegmentRow.rendition_id, SegmentRow.n)
    )
    for rendition_id, n, key, size_bytes, sha256, start_ticks, duration_ticks in session.execute(in_order):
        found[rendition_id][n] = Segment(
            n=n,
            key=key,
            size_bytes=size_bytes,
            sha256=sha256,
            start_ticks=start_ticks,
            duration_ticks=duration_ticks,
        )
    return found


def _segment(row: SegmentRow) -> Segment:
    return Segment(
        n=row.n,
        key=row.key,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        start_ticks=row.start_ticks,
        duration_ticks=row.duration_ticks,
    )


def _track(plan: MediaPlan, rendition: PlannedRendition, row: RenditionRow, made: Mapping[int, Segment]) -> Track:
    grid = grid_of(plan, rendition)
    segments = tuple(made.get(n) or _to_be_made(plan, rendition, n) for n in range(len(grid) - 1))
    return Track(
        id=rendition.id,
        kind=rendition.kind,
        codec=rendition.codec,
        timescale=timescale_of(plan, rendition),
        init_key=row.init_key,
        init_sha256=row.init_sha256,
        init_size_bytes=row.init_size_bytes,
        segments=segments,
        target_duration_s=plan.target_duration_s,
        width_px=rendition.width_px,
        height_px=rendition.height_px,
        fps_num=rendition.fps_num,
        fps_den=rendition.fps_den,
        sample_rate_hz=rendition.sample_rate_hz,
        channels=rendition.channels,
    )


def _to_be_made(plan: MediaPlan, rendition: PlannedRendition, n: int) -> Segment:
    """Without a key. What is copied has its size from the source's index; of encoded sound it is what was planned."""
    grid = grid_of(plan, rendition)
    duration_ticks = grid[n + 1] - grid[n]
    if rendition.segment_bytes:
        size_bytes = rendition.segment_bytes[n]
    else:
        size_bytes = round(rendition.bitrate_bps * _AROUND * duration_ticks / timescale_of(plan, rendition) / 8)
    return Segment(n=n, key="", size_bytes=size_bytes, sha256="", start_ticks=grid[n], duration_ticks=duration_ticks)
