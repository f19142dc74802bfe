"""Shared by the transcoder's tests: clips that cost time are made once, and a shortcut from a file to segments."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import attrs
import av
import pytest

from streamgate.contracts.media import MediaPlan, MediaSource
from streamgate.testing.clips import ClipSpec, make_clip, one_minute_clip
from streamgate_transcoder.media.audio import encode_audio
from streamgate_transcoder.media.info import MediaInfo
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.output import SegmentOut
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.profiles import WEB, Profile, Rung
from streamgate_transcoder.media.source import DescriptorBytes
from streamgate_transcoder.media.video import encode_chunk

# Two small rungs at x264's fastest: what is tested is the cutting, not the picture.
QUICK = attrs.evolve(
    WEB,
    preset="ultrafast",
    rungs=(
        Rung(long_px=160, short_px=90, maxrate_bps=300_000, bufsize_bits=400_000),
        Rung(long_px=128, short_px=72, maxrate_bps=200_000, bufsize_bits=300_000),
    ),
)


@attrs.define
class Made:
    """A `Sink` that keeps everything, and what can be asked of it."""

    plan: MediaPlan
    inits: dict[str, bytes] = attrs.field(factory=dict)
    segments: dict[str, dict[int, SegmentOut]] = attrs.field(factory=dict)
    shares: list[float] = attrs.field(factory=list)

    def init(self, rendition_id: str, data: bytes) -> None:
        assert self.inits.setdefault(rendition_id, data) == data, "chunks disagree about the init segment"

    def segment(self, segment: SegmentOut) -> None:
        self.segments.setdefault(segment.rendition_id, {})[segment.n] = segment

    def progress(self, share: float, frames: int = 0) -> None:
        self.shares.append(share)

    def file(self, rendition_id: str, only: int | None = None) -> bytes:
        """Init and all segments (or one) in order: what a player has at the end."""
        parts = self.segments[rendition_id]
        wanted = sorted(parts) if only is None else [only]
        return self.inits[rendition_id] + b"".join(parts[n].data for n in wanted)

    def shown_ticks(self, rendition_id: str, only: int | None = None) -> list[int]:
        """Times of all frames that a decoder gives, in ticks of the plan."""
        with av.open(io.BytesIO(self.file(rendition_id, only)), "r") as container:
            return [
                round((frame.pts or 0) * (frame.time_base or Fraction(1)) * self.plan.timescale)
                for frame in container.decode(video=0)
            ]

    @property
    def video_ids(self) -> list[str]:
        return [item.id for item in self.plan.renditions if item.kind == "video"]

    @property
    def audio_ids(self) -> list[str]:
        return [item.id for item in self.plan.renditions if item.kind == "audio"]


@pytest.fixture
def open_bytes() -> Iterator[Callable[[Path], DescriptorBytes]]:
    opened: list[int] = []

    def open_path(path: Path) -> DescriptorBytes:
        opened.append(os.open(path, os.O_RDONLY))
        return DescriptorBytes(opened[-1])

    yield open_path
    for descriptor in opened:
        os.close(descriptor)


@pytest.fixture
def probe_path(open_bytes: Callable[[Path], DescriptorBytes]) -> Callable[[Path], MediaInfo]:
    return lambda path: probe(open_bytes(path), MediaLimits(), lambda share: None)


@pytest.fixture
def plan_of(probe_path: Callable[[Path], MediaInfo]) -> Callable[..., MediaPlan]:
    def plan(path: Path, profile: Profile = QUICK) -> MediaPlan:
        source = MediaSource(key="sources/x", size_bytes=path.stat().st_size)
        return make_plan(probe_path(path), profile, "c_1", 1, source)

    return plan


@pytest.fixture
def make_media(open_bytes: Callable[[Path], DescriptorBytes], plan_of: Callable[..., MediaPlan]) -> Callable[..., Made]:
    """Probe, plan and encode a file in this process, chunks in reverse order (any order must do)."""

    def make(path: Path, profile: Profile = QUICK) -> Made:
        made = Made(plan_of(path, profile))
        for chunk in reversed(made.plan.chunks):
            encode_chunk(open_bytes(path), made.plan, chunk.n, MediaLimits(), made)
        for rendition_id in made.audio_ids:
            encode_audio(open_bytes(path), made.plan, rendition_id, MediaLimits(), made)
        return made

    return make


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, ClipSpec], Path]:
    """Makes a clip once a session, by its name."""
    folder = tmp_path_factory.mktemp("clips")

    def clip(name: str, spec: ClipSpec) -> Path:
        path = folder / name
        return path if path.exists() else make_clip(path, spec)

    return clip


@pytest.fixture(scope="session")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("minute") / "minute.mp4"
    one_minute_clip(path)
    return path


@pytest.fixture
def source_ticks() -> Callable[[Path, MediaPlan], list[int]]:
    """Times of all frames as libav shows them when it opens the file itself, in ticks from the plan's origin."""

    def ticks(path: Path, plan: MediaPlan) -> list[int]:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stamps = [frame.pts for frame in container.decode(stream) if frame.pts is not None]
            time_base = stream.time_base or Fraction(1)
            return [round(stamp * time_base * plan.timescale) - plan.origin_ticks for stamp in stamps]

    return ticks
