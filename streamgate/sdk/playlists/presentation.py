"""What can be played of one media version: tracks that are whole, with the segments they are made of.

HLS and DASH are two texts about the same `Presentation`; both name the same files, by relative URLs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cached_property
from typing import Literal, Protocol

import attrs

from streamgate.contracts.media import MadeSegment, MediaPlan, PlannedRendition
from streamgate.contracts.pictures import Storyboard
from streamgate.sdk.playlists.captions import CaptionTrack

_PQ, _HLG = 16, 18  # SMPTE ST 2084, ARIB STD-B67


@attrs.frozen(kw_only=True)
class Segment:
    """A media segment. Times are ticks of its track's time scale (audio: samples)."""

    n: int
    key: str  # in the blob store
    size_bytes: int
    sha256: str
    start_ticks: int
    duration_ticks: int
    first_frame_bytes: int = 0  # of a picture: up to the end of its key frame; 0: not known, or not made yet

    @classmethod
    def of(cls, made: MadeSegment) -> Segment:
        return cls(
            n=made.n,
            key=made.key,
            size_bytes=made.size_bytes,
            sha256=made.sha256,
            start_ticks=made.decode_time_ticks,
            duration_ticks=made.duration_ticks,
            first_frame_bytes=made.first_frame_bytes,
        )


class HasInit(Protocol):
    """Whatever says where a rendition's init segment is: a made part, or a row about one."""

    @property
    def init_key(self) -> str: ...
    @property
    def init_sha256(self) -> str: ...
    @property
    def init_size_bytes(self) -> int: ...


@attrs.frozen
class Colour:
    """Code points of ITU-T H.273; 2: not told."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2

    @classmethod
    def of(cls, rendition: PlannedRendition) -> Colour:
        said = (rendition.settings.get(name, "") for name in ("color_primaries", "color_trc", "colorspace"))
        return cls(*(int(code) if code.isdecimal() else 2 for code in said))

    @property
    def video_range(self) -> Literal["SDR", "PQ", "HLG"]:
        """As VIDEO-RANGE has it (RFC 8216bis section 4.4.6.2): what is not told is of standard range."""
        if self.transfer == _PQ:
            return "PQ"
        return "HLG" if self.transfer == _HLG else "SDR"


@attrs.define(kw_only=True, slots=False, frozen=True)  # a dictionary for the cached figures
class Track:
    """One whole rendition: all its segments are there, end to end."""

    id: str
    kind: Literal["video", "audio"]
    codec: str  # RFC 6381
    timescale: int
    init_key: str
    init_sha256: str
    init_size_bytes: int
    segments: tuple[Segment, ...]
    target_duration_s: int
    width_px: int = 0
    height_px: int = 0
    fps_num: int = 0  # 0: varies, or audio
    fps_den: int = 1
    colour: Colour = Colour()
    sample_rate_hz: int = 0
    channels: int = 0
    language: str = ""  # BCP 47
    title: str = ""
    source_track: int = -1  # tracks of one sound have it in common; -1: with no other
    most_bps: int = 0  # no run of segments has a larger rate, also of those to be made; 0: all are made

    @classmethod
    def of(cls, plan: MediaPlan, rendition: PlannedRendition, init: HasInit, segments: tuple[Segment, ...]) -> Track:
        """A planned rendition with what was made of it."""
        return cls(
            id=rendition.id,
            kind=rendition.kind,
            codec=rendition.codec,
            timescale=plan.timescale if rendition.kind == "video" else rendition.sample_rate_hz,
            init_key=init.init_key,
            init_sha256=init.init_sha256,
            init_size_bytes=init.init_size_bytes,
            segments=segments,
            target_duration_s=plan.target_duration_s,
            width_px=rendition.width_px,
            height_px=rendition.height_px,
            fps_num=rendition.fps_num,
            fps_den=rendition.fps_den,
            colour=Colour.of(rendition),
            sample_rate_hz=rendition.sample_rate_hz,
            channels=rendition.channels,
            language=rendition.language,
            title=rendition.title,
            source_track=rendition.source_track,
        )

    @cached_property
    def duration(self) -> Fraction:
        """Seconds from the first segment's start to the last one's end."""
        last = self.segments[-1]
        return Fraction(last.start_ticks + last.duration_ticks - self.segments[0].start_ticks, self.timescale)

    @cached_property
    def longest(self) -> Fraction:
        """Seconds of the longest segment."""
        return Fraction(max(segment.duration_ticks for segment in self.segments), self.timescale)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Beginning and end of each segment, in microseconds: edges are rounded once, so that nothing drifts."""
        edges = ((segment.start_ticks, segment.start_ticks + segment.duration_ticks) for segment in self.segments)
        return tuple(
            (_microseconds(first, self.timescale), _microseconds(last, self.timescale)) for first, last in edges
        )

    @cached_property
    def average_bps(self) -> int:
        """Mean rate of the media bytes, rounded up."""
        size_bytes = sum(segment.size_bytes for segment in self.segments)
        return _rate(size_bytes, sum(segment.duration_ticks for segment in self.segments), self.timescale)

    @cached_property
    def peak_bps(self) -> int:
        """The largest rate of any run of segments that lasts 0.5 to 1.5 times the target duration.

        Source: RFC 8216 section 4.1, "peak segment bit rate". A track too short to have such a run peaks at
        its average. Of segments that are not made yet the plan knows no more than what it may become.
        """
        target_ticks = self.target_duration_s * self.timescale
        peak = max(self.average_bps, self.most_bps)
        for first in range(len(self.segments)):
            size_bytes = duration_ticks = 0
            for segment in self.segments[first:]:
                size_bytes += segment.size_bytes
                duration_ticks += segment.duration_ticks
                if 2 * duration_ticks > 3 * target_ticks:
                    break
                if 2 * duration_ticks >= target_ticks:
                    peak = max(peak, _rate(size_bytes, duration_ticks, self.timescale))
        return peak


@attrs.frozen(kw_only=True)
class Presentation:
    """At least one track; `video` in rising order of rate, of `audio` first what is heard first."""

    content_id: str
    media_version: int
    target_duration_s: int
    video: tuple[Track, ...]
    audio: tuple[Track, ...]
    captions: tuple[CaptionTrack, ...] = ()
    storyboard: Storyboard | None = None

    @classmethod
    def of(cls, plan: MediaPlan, tracks: Iterable[Track]) -> Presentation:
        planned = tuple(tracks)
        in_order = sorted(planned, key=lambda track: (track.average_bps, track.height_px))
        return cls(
            content_id=plan.content_id,
            media_version=plan.media_version,
            target_duration_s=plan.target_duration_s,
            video=tuple(track for track in in_order if track.kind == "video"),
            audio=tuple(track for track in planned if track.kind == "audio"),
        )

    @property
    def tracks(self) -> tuple[Track, ...]:
        return (*self.video, *self.audio)

    @property
    def duration(self) -> Fraction:
        """The picture's where there is one: sound may end a few milliseconds beside it."""
        return (self.video or self.audio)[0].duration

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Beginning and end of each segment of the picture (or sound), in microseconds."""
        return (self.video or self.audio)[0].spans

    def with_tracks(self, change: Callable[[Track], Track]) -> Presentation:
        video, audio = (tuple(change(track) for track in tracks) for tracks in (self.video, self.audio))
        return attrs.evolve(self, video=video, audio=audio)

    def track(self, track_id: str) -> Track | None:
        return next((track for track in self.tracks if track.id == track_id), None)


def _microseconds(ticks: int, timescale: int) -> int:
    return (2 * ticks * 1_000_000 + timescale) // (2 * timescale)


def _rate(size_bytes: int, duration_ticks: int, timescale: int) -> int:
    """Bits a second, rounded up."""
    return -(-size_bytes * 8 * timescale // duration_ticks)
