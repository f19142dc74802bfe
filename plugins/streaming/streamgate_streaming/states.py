"""A media version in the words of the contract: pure, from rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from streamgate.contracts.media import AAC_FRAME_SAMPLES, MediaPlan, PlannedRendition
from streamgate.contracts.streaming import MediaStage, MediaState, RenditionState, RenditionStatus

from .tables import MediaRow, RenditionRow
from .verify import grid_of, timescale_of


def no_media(content_id: str) -> MediaState:
    return MediaState(content_id=content_id, media_version=0, state="none", playable=False, duration_s=0.0, root_id="")


def media_state(
    media: MediaRow, plan: MediaPlan | None, rows: Mapping[str, RenditionRow], *, is_playable: bool
) -> MediaState:
    """The newest version as it is. `is_playable`: any version of the content can be watched."""
    if media.state not in get_args(MediaStage):
        raise ValueError(f"unknown media state {media.state!r}")
    renditions = plan.renditions if plan is not None else ()
    return MediaState(
        content_id=media.content_id,
        media_version=media.media_version,
        state=cast(MediaStage, media.state),
        playable=is_playable,
        duration_s=media.duration_s,
        root_id=media.root_id,
        renditions=tuple(
            _rendition_state(plan, each, rows[each.id]) for each in renditions if plan and each.id in rows
        ),
        warnings=tuple(media.warnings),
        error_code=media.error_code if media.state == "failed" else "",
        error_detail=media.error_detail if media.state == "failed" else "",
    )


def _rendition_state(plan: MediaPlan, planned: PlannedRendition, row: RenditionRow) -> RenditionState:
    is_video = planned.kind == "video"
    bitrate_bps = planned.bitrate_bps or planned.maxrate_bps
    frames = plan.frames if is_video else grid_of(plan, planned)[-1] // AAC_FRAME_SAMPLES
    size_bytes = row.made_bytes if row.status == "ready" else sum(planned.segment_bytes)
    if size_bytes:
        bitrate_bps = size_bytes * 8 * timescale_of(plan, planned) // grid_of(plan, planned)[-1]
    return RenditionState(
        id=planned.id,
        name=planned.name,
        kind=planned.kind,
        width_px=planned.width_px,
        height_px=planned.height_px,
        codec=planned.codec,
        bitrate_bps=bitrate_bps,
        status=cast(RenditionStatus, row.status),
        progress=row.segments_made / row.segments_planned,
        frames=frames * row.segments_made // row.segments_planned,
        frames_planned=frames,
        policy=planned.policy,
    )
