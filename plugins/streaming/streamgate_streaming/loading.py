"""What can be played of a media version, read from the database: whole renditions, and those that are promised.

The base is listed whole from the plan on, with the sound that is heard first: the source itself, or a picture that is
made before the others. Lazy rungs are listed with what plays. What of these is not made yet has no key, and is made
when somebody asks for it. Everything else is listed when it is whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import attrs
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from streamgate.contracts.media import AAC_FRAME_SAMPLES, MediaPlan, PlannedRendition
from streamgate.sdk.playlists.presentation import HasInit, Presentation, Segment, Track

from . import media_repository as repository
from .tables import RenditionRow, SegmentRow
from .verify import base_of, grid_of, main_sound_of, timescale_of

_AROUND = 1.03
"""What is encoded with what stands around it, to its planned rate."""
_ROW_BITS = 16 * 8
"""Of a packet, in the `trun` of its fragment."""
_BY_PIXELS = 0.75
"""Bits per pixel grow as pictures shrink: so does the rate with the number of pixels."""

INIT = -1
"""In place of a segment's number: the rendition's init segment."""

_SEGMENTS = select(
    SegmentRow.n,
    SegmentRow.key,
    SegmentRow.size_bytes,
    SegmentRow.sha256,
    SegmentRow.start_ticks,
    SegmentRow.duration_ticks,
    SegmentRow.first_frame_bytes,
)


@attrs.frozen(kw_only=True)
class Loaded:
    """`plan`: where something of the presentation is not made yet. `is_complete`: nothing will be listed that is not
    now, though some of it be made when somebody asks."""

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
    tracks = (
        _track(plan, each, listed[each.id], made[each.id], _estimate_bps(plan, each, rows))
        for each in plan.renditions
        if each.id in listed
    )
    presentation = Presentation.of(plan, tracks)
    return Loaded(presentation=presentation, plan=plan if promised else None, is_complete=media.state == "ready")


def promised_of(plan: MediaPlan, rows: Mapping[str, RenditionRow]) -> set[str]:
    """The base and what else is copied, what is heard first beside it, and lazy rungs, as far as they are not whole
    yet."""
    lazy = [each for each in plan.renditions if each.policy == "lazy"]
    main_sound = main_sound_of(plan)
    wanted = [*lazy, *(each for each in plan.renditions if each.base or each.mode == "copy" or each == main_sound)]
    if base_of(plan).mode == "copy":
        wanted += _lowest(plan) if lazy else []
    return {each.id for each in wanted if rows[each.id].status in ("planned", "running")}


def made_segment(session: Session, content_id: str, media_version: int, rendition_id: str, n: int) -> Segment | None:
    """One, by its number; None where it is not indexed."""
    asked = _SEGMENTS.where(*_of(content_id, media_version), SegmentRow.rendition_id == rendition_id, SegmentRow.n == n)
    row = session.execute(asked).first()
    return None if row is None else Segment(**row._mapping)


def made_init(session: Session, content_id: str, media_version: int, rendition_id: str) -> Segment | None:
    """The head of a rendition; None where nothing of it is indexed."""
    row = session.get(RenditionRow, (content_id, media_version, rendition_id))
    return None if row is None or not row.init_key else init_of(row)


def init_of(made: HasInit) -> Segment:
    """The head of a rendition, as a segment of no duration."""
    return Segment(
        n=INIT,
        key=made.init_key,
        size_bytes=made.init_size_bytes,
        sha256=made.init_sha256,
        start_ticks=0,
        duration_ticks=0,
    )


def _made(
    session: Session, content_id: str, media_version: int, rendition_ids: list[str]
) -> defaultdict[str, dict[int, Segment]]:
    found: defaultdict[str, dict[int, Segment]] = defaultdict(dict)
    asked = _SEGMENTS.add_columns(SegmentRow.rendition_id).where(
        *_of(content_id, media_version), SegmentRow.rendition_id.in_(rendition_ids)
    )
    for n, key, size_bytes, sha256, start, duration, frame, of in session.execute(asked.order_by(SegmentRow.n)):
        found[of][n] = Segment(
            n=n,
            key=key,
            size_bytes=size_bytes,
            sha256=sha256,
            start_ticks=start,
            duration_ticks=duration,
            first_frame_bytes=frame,
        )
    return found


def _of(content_id: str, media_version: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SegmentRow.content_id == content_id, SegmentRow.media_version == media_version


def _lowest(plan: MediaPlan) -> list[PlannedRendition]:
    """The rung that is made in advance, where no other is: its jobs are short enough to be waited for."""
    eager = [each for each in plan.renditions if (each.kind, each.mode, each.policy) == ("video", "encode", "eager")]
    return eager if len(eager) == 1 else []


def _track(
    plan: MediaPlan, rendition: PlannedRendition, row: RenditionRow, made: Mapping[int, Segment], estimate_bps: float
) -> Track:
    """All of a rendition, the planned segments where there are no made ones."""
    numbers = range(len(grid_of(plan, rendition)) - 1)
    segments = tuple(made.get(n) or _to_be_made(plan, rendition, n, estimate_bps) for n in numbers)
    track = Track.of(plan, rendition, row, segments)
    if not (rendition.kind == "video" and rendition.mode == "encode" and len(made) < len(segments)):
        return track
    most = tuple(_at_most(each, rendition, plan.timescale) for each in segments)
    return attrs.evolve(track, most_bps=attrs.evolve(track, segments=most).peak_bps)


def _at_most(segment: Segment, rendition: PlannedRendition, timescale: int) -> Segment:
    """What the encoder's rate control allows a segment: what flows in meanwhile, and a full buffer."""
    duration_s = segment.duration_ticks / timescale
    most_bits = (rendition.maxrate_bps * duration_s + rendition.bufsize_bits) * _AROUND
    return attrs.evolve(segment, size_bytes=max(segment.size_bytes, round(most_bits / 8)))


def _estimate_bps(plan: MediaPlan, rendition: PlannedRendition, rows: Mapping[str, RenditionRow]) -> float:
    """The average rate of what is not made yet. Of sound it is what was planned; of a picture the base's, which is
    known, made as much smaller as pictures need for fewer pixels, and no more than the cap."""
    base = base_of(plan)
    is_made = rows[base.id].status == "ready"
    base_bytes = sum(base.segment_bytes) or (rows[base.id].made_bytes if is_made else 0)
    if rendition.kind == "audio":
        return sound_bps(rendition)
    if base.kind == "audio" or not base_bytes:
        return rendition.maxrate_bps * _AROUND
    base_bps = base_bytes * 8 * plan.timescale / plan.video_grid[-1]
    share = (rendition.width_px * rendition.height_px) / (base.width_px * base.height_px)
    return float(min(base_bps * share**_BY_PIXELS, rendition.maxrate_bps * _AROUND))


def sound_bps(rendition: PlannedRendition) -> float:
    """What encoded sound takes at most: the encoder is near its rate, and each packet has a row in its fragment."""
    return rendition.bitrate_bps * _AROUND + rendition.sample_rate_hz / AAC_FRAME_SAMPLES * _ROW_BITS


def _to_be_made(plan: MediaPlan, rendition: PlannedRendition, n: int, estimate_bps: float) -> Segment:
    """Without a key. What is copied has its size from the source's index."""
    grid = grid_of(plan, rendition)
    duration_ticks = grid[n + 1] - grid[n]
    if rendition.segment_bytes:
        size_bytes = rendition.segment_bytes[n]
    else:
        size_bytes = round(estimate_bps * duration_ticks / timescale_of(plan, rendition) / 8)
    return Segment(n=n, key="", size_bytes=size_bytes, sha256="", start_ticks=grid[n], duration_ticks=duration_ticks)
