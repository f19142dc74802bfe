"""What a source needs, tried out: a few moments of it are coded small, on one core, within a second or so."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import islice

import attrs
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter

from streamgate.contracts.media import MediaPlan, PlannedRendition

from .av1 import is_av1
from .coders import open_encoder
from .frame_feed import decoded_frames
from .info import MediaInfo, VideoTrack
from .limits import MediaLimits
from .profiles import Profile
from .source import RangedBytes
from .worth import Difficulty, Sample, of_samples

LEAST_S = 20.0
"""Of a shorter source all rungs are made sooner than it could be sampled."""
BUDGET_S = 1.5
"""Of processor time."""
_PLACES = (0.5, 0.15, 0.85)
"""One of them for each `LEAST_S` of the source, so that it is never much of the work."""
_FRAMES = 20
_LARGEST_PX = 500_000
"""Of a picture that is coded for it: 854 x 480 is the largest usual one."""


def difficulty_of(
    source: RangedBytes, info: MediaInfo, plan: MediaPlan, profile: Profile, limits: MediaLimits
) -> Difficulty | None:
    """Of a picture that is encoded at several heights; None where the profile decides alone."""
    video = info.video
    if video is None or not profile.per_title or len(_encoded(plan)) < 2 or video.end < LEAST_S * video.timescale:
        return None
    return of_samples(sample(source, video, plan, limits), float(video.average_fps), profile.segment_s)


def sample(
    source: RangedBytes,
    video: VideoTrack,
    plan: MediaPlan,
    limits: MediaLimits,
    *,
    spent_s: Callable[[], float] = time.process_time,
) -> tuple[Sample, ...]:
    """The middle first. Fewer places where the time is over, none where nothing can be decoded there."""
    rungs = _measured(plan)
    ends_s = spent_s() + BUDGET_S
    found: list[Sample] = []
    places = max(1, int(video.end / (LEAST_S * video.timescale)))
    for place in _PLACES[:places]:
        wanted = round(video.end * place)
        at = bisect_right(video.key_times, wanted)
        begins = video.key_times[at - 1] if at else 0
        tries = [_Try(rung, plan.timescale) for rung in rungs]
        frames = decoded_frames(source, plan, begins, begins, limits)
        for ticks, frame in islice(((ticks, frame) for ticks, frame in frames if ticks >= begins), _FRAMES):
            for each in tries:
                each.take(ticks, frame)
            if spent_s() > ends_s:
                return tuple(found)
        found += [made for each in tries if (made := each.result()) is not None]
    return tuple(found)


def _measured(plan: MediaPlan) -> list[PlannedRendition]:
    """Two sizes tell how the rate grows with them: the lowest, and the largest that is quickly coded."""
    encoded = [each for each in _encoded(plan) if not is_av1(each)]
    in_order = sorted(encoded, key=lambda each: each.width_px * each.height_px)
    quick = [each for each in in_order if each.width_px * each.height_px <= _LARGEST_PX]
    return [in_order[0], quick[-1]] if len(quick) > 1 else in_order[:1]


def _encoded(plan: MediaPlan) -> list[PlannedRendition]:
    return [each for each in plan.renditions if each.kind == "video" and each.mode == "encode"]


class _Try:
    def __init__(self, rendition: PlannedRendition, timescale: int) -> None:
        free = {name: value for name, value in rendition.settings.items() if name not in ("maxrate", "bufsize")}
        self._rendition = rendition
        self._encoder: VideoCodecContext = open_encoder(attrs.evolve(rendition, settings=free), timescale)
        self._reformatter = VideoReformatter()
        self._sizes: list[int] = []
        self._last = -1

    def take(self, ticks: int, frame: VideoFrame) -> None:
        if ticks <= self._last:
            return
        small = self._reformatter.reformat(
            frame, self._rendition.width_px, self._rendition.height_px, "yuv420p", threads=1
        )
        small.pts, small.time_base = ticks, self._encoder.time_base
        small.pict_type = PictureType.NONE if self._last >= 0 else PictureType.I
        self._last = ticks
        self._sizes += [packet.size for packet in self._encoder.encode(small)]

    def result(self) -> Sample | None:
        """None of fewer than two frames."""
        self._sizes += [packet.size for packet in self._encoder.encode(None)]
        if len(self._sizes) < 2:
            return None
        key_bytes, *others = self._sizes
        return Sample(
            width_px=self._rendition.width_px,
            height_px=self._rendition.height_px,
            key_bytes=key_bytes,
            other_bytes=sum(others) / len(others),
        )
