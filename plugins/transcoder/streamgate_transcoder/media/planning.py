"""From what was found to how it is made: a pure function, so that the same source gives the same plan anywhere."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from math import ceil

import attrs

from streamgate.contracts.media import MediaPlan, MediaSource, NoPlayableTrack, PlannedChunk

from .copying import NotCopied, copy_video
from .grid import chunk_spans, longest_gap, video_grid
from .info import MediaInfo, VideoTrack
from .ladder import choose_ladder
from .profiles import Profile
from .sounds import sounds_alone, sounds_beside
from .worth import Difficulty


def make_plan(
    info: MediaInfo,
    profile: Profile,
    content_id: str,
    media_version: int,
    source: MediaSource,
    *,
    copies_prefix: str = "",
    difficulty: Difficulty | None = None,
) -> MediaPlan:
    """The plan of one media version: grid, ladder, chunks, all settings.

    Args:
        info: what the probe found.
        source: where the bytes are; copied into the plan.
        difficulty: what the picture was found to need; None: the profile decides alone.
        copies_prefix: where segments of the source itself may go; empty: it may not be a rendition.

    Raises:
        NoPlayableTrack: neither video nor audio (`media.no_playable_track`).
    """
    if info.video is not None:
        plan = _video_plan(info, info.video, profile, copies_prefix, difficulty)
        return attrs.evolve(plan, content_id=content_id, media_version=media_version, source=source)
    if info.main_audio is None:
        raise NoPlayableTrack()
    sounds = sounds_alone(info.sounds, profile)
    base, *others = sounds.renditions
    rate, grid = base.sample_rate_hz, sounds.grid
    return MediaPlan(
        content_id=content_id,
        media_version=media_version,
        source=source,
        timescale=rate,
        origin_ticks=round(info.main_audio.start_s * rate),
        duration_ticks=grid[-1],
        audio_grid=grid,
        target_duration_s=_target_duration(grid, rate),
        renditions=(attrs.evolve(base, base=True), *others),
        warnings=info.warnings,
        captions=info.captions,
        chapters=info.chapters,
    )


def _video_plan(
    info: MediaInfo, video: VideoTrack, profile: Profile, copies_prefix: str, difficulty: Difficulty | None
) -> MediaPlan:
    """Without saying of what it is the plan."""
    grid = video_grid(
        video.times,
        video.end,
        video.cut_times,
        video.timescale,
        segment_s=profile.segment_s,
        max_gap_s=profile.max_source_gap_s,
    )
    copied, not_copied = None, list[str]()
    if copies_prefix:
        try:
            copied = copy_video(video, profile, grid)
        except NotCopied as reason:
            not_copied.append(f"picture: {reason}")
    renditions = choose_ladder(video, profile, copied, difficulty)
    sounds = sounds_beside(info.sounds, video, profile, grid, not_copied, may_copy=copied is not None)
    renditions = (*renditions, *sounds.renditions)
    is_encoded = any(each.kind == "video" and each.mode == "encode" for each in renditions)
    return MediaPlan(
        content_id="",
        media_version=0,
        source=MediaSource(key="", size_bytes=0),
        timescale=video.timescale,
        origin_ticks=video.origin_ticks,
        duration_ticks=grid[-1],
        frames=len(video.times),
        video_grid=grid,
        audio_grid=sounds.grid,
        target_duration_s=_target_duration(grid, video.timescale),
        chunks=_chunks(grid, video.key_times) if is_encoded else (),
        renditions=renditions,
        warnings=info.warnings,
        captions=info.captions,
        chapters=info.chapters,
        copies_prefix=copies_prefix if copied else "",
        not_copied=tuple(not_copied),
        base_first=copied is None,
    )


def _chunks(grid: tuple[int, ...], key_times: tuple[int, ...]) -> tuple[PlannedChunk, ...]:
    """Even pieces of the grid; each is decoded from the last key frame that is not after its beginning."""

    def decode_from(time: int) -> int:
        at = bisect_right(key_times, time)
        return key_times[at - 1] if at else 0

    return tuple(
        PlannedChunk(n=n, seg_from=first, seg_to=stop, decode_from_ticks=decode_from(grid[first]))
        for n, (first, stop) in enumerate(chunk_spans(len(grid) - 1))
    )


def _target_duration(grid: tuple[int, ...], timescale: int) -> int:
    return ceil(Fraction(longest_gap(grid), timescale))
