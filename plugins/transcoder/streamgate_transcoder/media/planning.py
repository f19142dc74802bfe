"""From what was found to how it is made: a pure function, so that the same source gives the same plan anywhere."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from math import ceil

import attrs

from streamgate.contracts.media import MediaPlan, MediaSource, NoPlayableTrack, PlannedChunk, PlannedRendition

from .copying import NotCopied, copy_audio, copy_video
from .grid import audio_grid_alone, audio_grid_beside, chunk_spans, longest_gap, video_grid
from .info import AudioTrack, MediaInfo, VideoTrack
from .ladder import choose_ladder, settings_sha256
from .profiles import Profile


def make_plan(
    info: MediaInfo,
    profile: Profile,
    content_id: str,
    media_version: int,
    source: MediaSource,
    *,
    copies_prefix: str = "",
) -> MediaPlan:
    """The plan of one media version: grid, ladder, chunks, all settings.

    Args:
        info: what the probe found.
        source: where the bytes are; copied into the plan.
        copies_prefix: where segments of the source itself may go; empty: it may not be a rendition.

    Raises:
        NoPlayableTrack: neither video nor audio (`media.no_playable_track`).
    """
    audio = info.main_audio
    if info.video is not None:
        plan = _video_plan(info, info.video, audio, profile, copies_prefix)
        return attrs.evolve(plan, content_id=content_id, media_version=media_version, source=source)
    if audio is None:
        raise NoPlayableTrack()
    rendition = _audio_rendition(audio, profile, is_base=True)
    rate = rendition.sample_rate_hz
    grid = audio_grid_alone(audio.end_s - audio.start_s, rate, profile.segment_s)
    return MediaPlan(
        content_id=content_id,
        media_version=media_version,
        source=source,
        timescale=rate,
        origin_ticks=round(audio.start_s * rate),
        duration_ticks=grid[-1],
        audio_grid=grid,
        target_duration_s=_target_duration(grid, rate),
        renditions=(rendition,),
        warnings=info.warnings,
    )


def _video_plan(
    info: MediaInfo, video: VideoTrack, audio: AudioTrack | None, profile: Profile, copies_prefix: str
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
    renditions = choose_ladder(video, profile, copied)
    audio_grid: tuple[int, ...] = ()
    if audio is not None:
        sound, audio_grid = _sound(audio, video, profile, grid, not_copied, may_copy=copied is not None)
        renditions = (*renditions, sound)
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
        audio_grid=audio_grid,
        target_duration_s=_target_duration(grid, video.timescale),
        chunks=_chunks(grid, video.key_times) if is_encoded else (),
        renditions=renditions,
        warnings=info.warnings,
        copies_prefix=copies_prefix if copied else "",
        not_copied=tuple(not_copied),
    )


def _sound(
    audio: AudioTrack,
    video: VideoTrack,
    profile: Profile,
    grid: tuple[int, ...],
    not_copied: list[str],
    *,
    may_copy: bool,
) -> tuple[PlannedRendition, tuple[int, ...]]:
    """The sound beside a picture, and its grid. Why it is not copied, where it may be, is added to `not_copied`."""
    if may_copy:
        try:
            copied = copy_audio(audio, profile, grid, video.timescale, Fraction(video.origin_ticks, video.timescale))
        except NotCopied as reason:
            not_copied.append(f"sound: {reason}")
        else:
            return copied.rendition, copied.grid
    encoded = _audio_rendition(audio, profile, is_base=False)
    return encoded, audio_grid_beside(grid, video.timescale, encoded.sample_rate_hz)


def _chunks(grid: tuple[int, ...], key_times: tuple[int, ...]) -> tuple[PlannedChunk, ...]:
    """Even pieces of the grid; each is decoded from the last key frame that is not after its beginning."""

    def decode_from(time: int) -> int:
        at = bisect_right(key_times, time)
        return key_times[at - 1] if at else 0

    return tuple(
        PlannedChunk(n=n, seg_from=first, seg_to=stop, decode_from_ticks=decode_from(grid[first]))
        for n, (first, stop) in enumerate(chunk_spans(len(grid) - 1))
    )


def _audio_rendition(audio: AudioTrack, profile: Profile, *, is_base: bool) -> PlannedRendition:
    """AAC-LC at 44.1 or 48 kHz, whichever the source is a multiple of; mono stays mono at half the rate."""
    channels = min(audio.channels, profile.audio_channels)
    bitrate_bps = profile.audio_bitrate_bps * channels // profile.audio_channels
    rendition = PlannedRendition(
        id=f"a{bitrate_bps // 1000}",
        kind="audio",
        mode="encode",
        base=is_base,
        codec="mp4a.40.2",
        profile="LC",
        bitrate_bps=bitrate_bps,
        sample_rate_hz=44_100 if audio.sample_rate_hz % 11_025 == 0 else 48_000,
        channels=channels,
    )
    return attrs.evolve(rendition, settings_sha256=settings_sha256(rendition))


def _target_duration(grid: tuple[int, ...], timescale: int) -> int:
    return ceil(Fraction(longest_gap(grid), timescale))
