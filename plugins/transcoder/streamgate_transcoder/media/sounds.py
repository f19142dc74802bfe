"""Which renditions of sound a source has: of each of its tracks one that plays everywhere, and its 5.1. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import attrs

from streamgate.contracts.media import PlannedRendition

from .copying import CopiedSound, NotCopied, copy_audio
from .grid import audio_grid_alone, audio_grid_beside
from .info import AudioTrack, VideoTrack
from .ladder import settings_sha256
from .profiles import Profile

SURROUND_CHANNELS = 6
_MOST_COPIED_SEGMENTS = 40_000
"""Of all copied sounds together: a plan names the size of each, and has to fit into a message."""


_Make = Callable[[AudioTrack, int, int], CopiedSound]
"""Of a track, its number and how many channels are wanted."""


@attrs.frozen
class Sounds:
    """Main sound first. `grid`: the first one's, which the others share where they carry none of their own."""

    renditions: tuple[PlannedRendition, ...]
    grid: tuple[int, ...]


def sounds_beside(
    tracks: Sequence[AudioTrack],
    video: VideoTrack,
    profile: Profile,
    grid: Sequence[int],
    not_copied: list[str],
    *,
    may_copy: bool,
) -> Sounds:
    """The sound beside a picture. Why it is not copied, where it may be, is added to `not_copied`."""
    left = _MOST_COPIED_SEGMENTS

    def made(track: AudioTrack, number: int, channels: int) -> CopiedSound:
        nonlocal left
        if may_copy:
            try:
                copied = _copied(track, channels, video, profile, grid)
                if len(grid) > left:
                    raise NotCopied("there are too many segments of sound to copy")
            except NotCopied as reason:
                not_copied.append(f"sound{f' {number}' if number > 1 else ''}: {reason}")
            else:
                left -= len(grid)
                return copied
        encoded = _encoded(track, channels, profile)
        return CopiedSound(encoded, audio_grid_beside(grid, video.timescale, encoded.sample_rate_hz))

    return _all_of(tracks, profile, made)


def sounds_alone(tracks: Sequence[AudioTrack], profile: Profile) -> Sounds:
    """Of a source without picture: all as long as its main track, and cut with it."""
    main = tracks[0]
    rate_hz = _rate_of(main)
    grid = audio_grid_alone(main.end_s - main.start_s, rate_hz, profile.segment_s)

    def made(track: AudioTrack, number: int, channels: int) -> CopiedSound:
        encoded = _encoded(track, channels, profile)
        is_alike = encoded.sample_rate_hz == rate_hz
        return CopiedSound(encoded, grid if is_alike else audio_grid_beside(grid, rate_hz, encoded.sample_rate_hz))

    return _all_of(tracks, profile, made)


def _copied(track: AudioTrack, channels: int, video: VideoTrack, profile: Profile, grid: Sequence[int]) -> CopiedSound:
    if profile.loudness_lufs is not None:
        raise NotCopied(f"it is brought to {profile.loudness_lufs:g} LUFS")
    allowed = (channels,) if channels == SURROUND_CHANNELS else range(1, profile.audio_channels + 1)
    return copy_audio(track, allowed, grid, video.timescale, Fraction(video.origin_ticks, video.timescale))


def _all_of(tracks: Sequence[AudioTrack], profile: Profile, made: _Make) -> Sounds:
    found: list[PlannedRendition] = []
    shared: tuple[int, ...] = ()
    for number, track in enumerate(tracks, 1):
        wanted = [min(track.channels, profile.audio_channels)]
        if track.channels >= SURROUND_CHANNELS and profile.surround_bitrate_bps:
            wanted.append(SURROUND_CHANNELS)
        for channels in wanted:
            sound = made(track, number, channels)
            shared = shared or sound.grid
            letter = "s" if channels == SURROUND_CHANNELS else "a"
            rendition = attrs.evolve(
                sound.rendition,
                id=f"{letter}{sound.rendition.bitrate_bps // 1000}" + (f"-{number}" if number > 1 else ""),
                language=track.language,
                title=track.title,
                source_track=track.index,
                grid=() if sound.grid == shared else sound.grid,
            )
            found.append(attrs.evolve(rendition, settings_sha256=settings_sha256(rendition)))
    return Sounds(tuple(found), shared)


def _rate_of(track: AudioTrack) -> int:
    """44.1 or 48 kHz, whichever the source is a multiple of."""
    return 44_100 if track.sample_rate_hz % 11_025 == 0 else 48_000


def _encoded(track: AudioTrack, channels: int, profile: Profile) -> PlannedRendition:
    """AAC-LC; mono stays mono at half the rate."""
    if channels == SURROUND_CHANNELS:
        bitrate_bps = profile.surround_bitrate_bps
    else:
        bitrate_bps = profile.audio_bitrate_bps * channels // profile.audio_channels
    loudness = profile.loudness_lufs
    return PlannedRendition(
        id="",
        kind="audio",
        mode="encode",
        codec="mp4a.40.2",
        profile="LC",
        bitrate_bps=bitrate_bps,
        sample_rate_hz=_rate_of(track),
        channels=channels,
        settings={} if loudness is None else {"loudness_lufs": f"{loudness:g}"},
    )
