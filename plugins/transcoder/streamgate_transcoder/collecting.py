"""What a child sends, written below the lease's prefix and held against the plan once more.

The child is in a stranger's hands for as long as it decodes: names and numbers it sends are believed only where
the plan has them, and times only as read back from the bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import attrs

from streamgate.contracts.hooks import JobRun
from streamgate.contracts.media import MadePart, MadeResult, MadeSegment, MediaOutputInvalid
from streamgate.contracts.transcode import Step
from streamgate.sdk.blobs import BlobStore

from .media.channel import Frame
from .media.fragments import SegmentFacts, read_segment
from .progress import Watch, nobody

CHECKPOINT_EVERY_S = 1.0


@attrs.define
class _Rendition:
    init_key: str = ""
    init_sha256: str = ""
    init_size_bytes: int = 0
    segments: dict[int, MadeSegment] = attrs.field(factory=dict)
    frames: int = 0  # in these segments, counted


class Collector:
    """Takes the frames of one child. Keys: `<prefix>/<rendition id>/init.mp4` and `<prefix>/<rendition id>/<n>.m4s`.

    Args:
        run: of the job it belongs to; None of a call that somebody waits for.
        grids: the whole grid of each of these renditions (`MediaPlan.grid_of`).
        seg_from, seg_to: segments this job makes.
        prefix: where they go; empty: below the lease's own.
        stage: what the job is said to do.
        watch: hears how far it is, several times a second.
    """

    def __init__(
        self,
        blobs: BlobStore,
        run: JobRun | None,
        grids: Mapping[str, Sequence[int]],
        seg_from: int,
        seg_to: int,
        *,
        prefix: str = "",
        stage: str = "encoding",
        watch: Watch = nobody,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._blobs = blobs
        self._run = run
        self._prefix = (prefix or (run.blob_prefix if run is not None else "")).rstrip("/")
        self._stage = stage
        self._made = {rendition_id: _Rendition() for rendition_id in grids}
        self._grids = grids
        self._seg_from, self._seg_to = seg_from, seg_to
        self._watch = watch
        self._monotonic_s = monotonic_s
        self._checkpoint_at_s = monotonic_s()
        self._kept = 0  # segments in the last checkpoint
        self._share = 0.0  # of the frames that were decoded: the encoder gives out whole segments later
        self._given = 0  # frames that the child says its encoders were given
        self._handed_in = dict.fromkeys(self._made, 0)  # frames in the last checkpoint

    async def take(self, frame: Frame) -> None:
        """Raises MediaOutputInvalid: nothing the plan knows of."""
        match frame.kind:
            case "progress":
                self._share = max(self._share, float(frame.head["share"]))
                self._given = max(self._given, int(frame.head.get("frames", 0)))
                if self._run is not None:
                    self._run.report(self._share, self._stage)
                self._tell()
            case "init":
                await self._take_init(frame)
            case "segment":
                await self._take_segment(frame)
                self._tell()
                await self._checkpoint()
            case other:
                raise MediaOutputInvalid(f"a frame of kind {other[:40]!r} came")

    def result(self) -> MadeResult:
        """All parts.

        Raises:
            MediaOutputInvalid: a segment is missing.
        """
        for rendition_id, made in self._made.items():
            if list(made.segments) != list(range(self._seg_from, self._seg_to)) or not made.init_key:
                raise MediaOutputInvalid(
                    f"{rendition_id}: {len(made.segments)} of {self._seg_to - self._seg_from} segments came"
                )
        self._handed_in = {rendition_id: made.frames for rendition_id, made in self._made.items()}
        self._tell()
        return self._so_far()

    async def _take_init(self, frame: Frame) -> None:
        made = self._rendition(frame)
        key = f"{self._prefix}/{frame.head['rendition_id']}/init.mp4"
        info = await self._blobs.put_bytes(key, frame.data)
        made.init_key, made.init_sha256, made.init_size_bytes = key, info.sha256, info.size_bytes

    async def _take_segment(self, frame: Frame) -> None:
        made = self._rendition(frame)
        n = int(frame.head["n"])
        if n != self._seg_from + len(made.segments) or n >= self._seg_to:
            raise MediaOutputInvalid(f"segment {n} came out of turn")
        facts = _read_back(frame.data, n)
        grid = self._grids[str(frame.head["rendition_id"])]
        start, end = grid[n], grid[n + 1]
        if (facts.decode_time_ticks, facts.duration_ticks) != (start, end - start):
            raise MediaOutputInvalid(f"segment {n} is not on the grid")
        made.frames += len(facts.pts_ticks)
        key = f"{self._prefix}/{frame.head['rendition_id']}/{n}.m4s"
        info = await self._blobs.put_bytes(key, frame.data)
        made.segments[n] = MadeSegment(
            n=n,
            key=key,
            size_bytes=info.size_bytes,
            sha256=info.sha256,
            decode_time_ticks=start,
            duration_ticks=end - start,
            first_frame_bytes=facts.first_frame_bytes,
        )

    def _rendition(self, frame: Frame) -> _Rendition:
        made = self._made.get(str(frame.head.get("rendition_id")))
        if made is None:
            raise MediaOutputInvalid("output of a rendition that is not in this job")
        return made

    def _tell(self) -> None:
        run, kept = self._run, self._handed_in
        if run is None:
            return
        frames = {rendition_id: max(made.frames, self._given) for rendition_id, made in self._made.items()}
        self._watch(Step(job_id=run.job_id, content_id=run.subject_id, owner=run.owner, frames=frames, kept=kept))

    async def _checkpoint(self) -> None:
        """Now and then, and only where all renditions have got as far: others may show what is kept."""
        whole = min(len(made.segments) for made in self._made.values())
        now = self._monotonic_s()
        if self._run is None or whole <= self._kept or now - self._checkpoint_at_s < CHECKPOINT_EVERY_S:
            return
        self._kept, self._checkpoint_at_s = whole, now
        self._share = max(self._share, whole / (self._seg_to - self._seg_from))
        handed_in = {rendition_id: made.frames for rendition_id, made in self._made.items()}
        await self._run.checkpoint(self._so_far(), self._share)
        self._handed_in = handed_in

    def _so_far(self) -> MadeResult:
        return MadeResult(
            parts=tuple(
                MadePart(
                    rendition_id=rendition_id,
                    init_key=made.init_key,
                    init_sha256=made.init_sha256,
                    init_size_bytes=made.init_size_bytes,
                    segments=tuple(made.segments.values()),
                )
                for rendition_id, made in self._made.items()
            )
        )


def _read_back(data: bytes, n: int) -> SegmentFacts:
    try:
        return read_segment(data)
    except ValueError as error:
        raise MediaOutputInvalid(f"segment {n} is no segment of ours: {error}") from error
