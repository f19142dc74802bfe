"""Whole pictures from interlaced ones: one for two fields, at the times they had (libavfilter's bwdif)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av.filter
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as AllGiven
from av.video.frame import VideoFrame

TimedFrame = tuple[int, VideoFrame]


def deinterlaced(frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
    """Frames with their times. From the first interlaced one on each comes one later, for what is between its lines
    is told from the frames around it; those that are whole already stay as they are."""
    filtered: _Filter | None = None
    for ticks, frame in frames:
        if filtered is not None and not filtered.fits(frame):
            yield from filtered.finish()
            filtered = None
        if filtered is None:
            if not frame.interlaced_frame:
                yield ticks, frame
                continue
            filtered = _Filter(frame)
        yield from filtered.take(ticks, frame)
    if filtered is not None:
        yield from filtered.finish()


class _Filter:
    def __init__(self, frame: VideoFrame) -> None:
        self._form = (frame.width, frame.height, frame.format.name)
        self._waiting: deque[tuple[int, int | None, Fraction | None]] = deque()
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        self._graph.link_nodes(
            self._graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base or Fraction(1, 1000),
            ),
            self._graph.add("bwdif", mode="send_frame", parity="auto", deint="interlaced"),
            self._graph.add("buffersink"),
        ).configure()

    def fits(self, frame: VideoFrame) -> bool:
        return self._form == (frame.width, frame.height, frame.format.name)

    def take(self, ticks: int, frame: VideoFrame) -> Iterator[TimedFrame]:
        self._waiting.append((ticks, frame.pts, frame.time_base))
        self._graph.vpush(frame)
        return self._ready()

    def finish(self) -> Iterator[TimedFrame]:
        self._graph.vpush(None)
        return self._ready()

    def _ready(self) -> Iterator[TimedFrame]:
        """It gives as many frames as it got, in order, with times of its own clock: theirs are put back."""
        while self._waiting:
            try:
                whole = self._graph.vpull()
            except (NothingYet, AllGiven):
                return
            ticks, whole.pts, whole.time_base = self._waiting.popleft()
            yield ticks, whole
