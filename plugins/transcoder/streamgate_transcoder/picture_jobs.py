"""The jobs that make still pictures: they wait until no encoder wants the place, and stand back behind all others."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.media import MediaOutputInvalid, NotMedia
from streamgate.contracts.pictures import (
    MAX_GIVEN_BYTES,
    MAX_MOVING_BYTES,
    MAX_PICTURE_BYTES,
    PICTURES_KIND,
    POSTER_KIND,
    MadePicture,
    PicturesPayload,
    PicturesResult,
    PosterPayload,
    Storyboard,
)
from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.jpeg import jpeg_size
from streamgate.sdk.webp import moving_size

from .blob_source import open_blob_source
from .config import TranscoderConfig
from .media.channel import Frame
from .media.storyboard import storyboard_of
from .media.task import MOVING, POSTER, ChildTask, PicturesTask
from .media_jobs import MediaJobs
from .pool import ChildPool

_NICENESS = 19


class PictureJobs:
    """Handlers. A fault of the file ends a job for good, and nothing but the pictures is missing."""

    def __init__(self, pool: ChildPool, blobs: BlobStore, config: TranscoderConfig, media: MediaJobs) -> None:
        self._pool = pool
        self._blobs = blobs
        self._media = media
        self._config = config

    def kinds(self) -> Sequence[JobKind]:
        return (
            JobKind(
                name=PICTURES_KIND,
                summary="Makes the posters and the storyboard of a media version from its key frames.",
                payload=PicturesPayload,
                result=PicturesResult,
                handler=self.make_pictures,
                places=self._places,
            ),
            JobKind(
                name=POSTER_KIND,
                summary="Makes a poster of a creator's own picture.",
                payload=PosterPayload,
                result=PicturesResult,
                handler=self.make_poster,
            ),
        )

    def _places(self) -> int:
        return 1 if self._pool.busy < self._config.encoder_count else 0

    async def make_pictures(self, payload: PicturesPayload, run: JobRun) -> PicturesResult:
        plan = await self._media.plans.of(payload)
        board = storyboard_of(plan)
        collector = PictureCollector(self._blobs, run, board)
        run.report(0.0, "pictures")
        async with open_blob_source(self._blobs, plan.source.key) as source:
            task = _standing_back(self._media.task(PICTURES_KIND, PicturesTask(plan=plan), source))
            await self._pool.run(task, source, collector.take, self._config.encode_wall_s)
        return collector.result()

    async def make_poster(self, payload: PosterPayload, run: JobRun) -> PicturesResult:
        collector = PictureCollector(self._blobs, run, None)
        async with open_blob_source(self._blobs, payload.source.key) as source:
            if source.size_bytes > MAX_GIVEN_BYTES:
                raise NotMedia(f"a poster has at most {MAX_GIVEN_BYTES} bytes")
            task = self._media.task(POSTER_KIND, payload, source)
            await self._pool.run(task, source, collector.take, self._config.probe_wall_s)
        made = collector.result()
        if made.poster is None:
            raise MediaOutputInvalid("no poster came")
        return made


def _standing_back(task: ChildTask) -> ChildTask:
    return attrs.evolve(task, sandbox=attrs.evolve(task.sandbox, niceness=_NICENESS))


class PictureCollector:
    """Takes what a child sends below the lease's prefix: `poster.jpg`, `moving.webp`, and sheets `<n>.jpg` in their
    order. Names and sizes are believed where they are those that were asked for, as read back from the bytes.

    Args:
        board: the storyboard that is to come; None for none.
    """

    def __init__(self, blobs: BlobStore, run: JobRun, board: Storyboard | None) -> None:
        self._blobs = blobs
        self._run = run
        self._board = board
        self._sheets: list[MadePicture] = []
        self._poster: MadePicture | None = None
        self._moving: MadePicture | None = None

    async def take(self, frame: Frame) -> None:
        """Raises MediaOutputInvalid: nothing that was asked for."""
        if frame.kind == "progress":
            self._run.report(float(frame.head["share"]), "pictures")
            return
        name = str(frame.head.get("name"))
        if frame.kind != "picture":
            raise MediaOutputInvalid(f"a frame of kind {frame.kind[:40]!r} came")
        if name == POSTER and self._poster is None:
            self._poster = await self._keep(name, frame.data)
        elif name == MOVING and self._board is not None and self._moving is None:
            self._moving = await self._keep_moving(frame.data)
        elif self._board is not None and name == str(len(self._sheets)) and len(self._sheets) < self._board.sheet_count:
            made = await self._keep(name, frame.data)
            if (made.width_px, made.height_px) != self._board.sheet_size(len(self._sheets)):
                raise MediaOutputInvalid(f"sheet {name} has another size than planned")
            self._sheets.append(made)
        else:
            raise MediaOutputInvalid("a picture came that was not asked for")

    def result(self) -> PicturesResult:
        """Raises MediaOutputInvalid: a sheet is missing."""
        if self._board is None:
            return PicturesResult(poster=self._poster)
        if len(self._sheets) != self._board.sheet_count:
            raise MediaOutputInvalid(f"{len(self._sheets)} of {self._board.sheet_count} sheets came")
        board = attrs.evolve(self._board, sheets=tuple(self._sheets))
        return PicturesResult(poster=self._poster, storyboard=board, moving=self._moving)

    async def _keep(self, name: str, data: bytes) -> MadePicture:
        if len(data) > MAX_PICTURE_BYTES:
            raise MediaOutputInvalid(f"{name} has more than {MAX_PICTURE_BYTES} bytes")
        try:
            width_px, height_px = jpeg_size(data)
        except ValueError as fault:
            raise MediaOutputInvalid(f"{name} is no JPEG file: {fault}") from fault
        return await self._stored(f"{name}.jpg", data, width_px, height_px)

    async def _keep_moving(self, data: bytes) -> MadePicture:
        if len(data) > MAX_MOVING_BYTES:
            raise MediaOutputInvalid(f"the moving poster has more than {MAX_MOVING_BYTES} bytes")
        try:
            width_px, height_px = moving_size(data)
        except ValueError as fault:
            raise MediaOutputInvalid(f"the moving poster is no animated WebP file: {fault}") from fault
        return await self._stored(f"{MOVING}.webp", data, width_px, height_px)

    async def _stored(self, file: str, data: bytes, width_px: int, height_px: int) -> MadePicture:
        key = f"{self._run.blob_prefix.rstrip('/')}/{file}"
        info = await self._blobs.put_bytes(key, data)
        return MadePicture(
            key=key, size_bytes=info.size_bytes, sha256=info.sha256, width_px=width_px, height_px=height_px
        )
