"""Posters and storyboards: asked for once something plays, looked at closely when they come, and kept.

Nothing waits for them: a content is ready without, and where they fail it says so among its warnings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.events import PICTURES_CHANGED, JobFinished, MediaPlayable, PicturesChanged
from streamgate.contracts.pictures import (
    MAX_COLUMNS,
    MAX_MOVING_BYTES,
    MAX_MOVING_SIDE_PX,
    MAX_PICTURE_BYTES,
    MAX_POSTER_SIDE_PX,
    MAX_ROWS,
    MAX_TILES,
    PICTURES_KIND,
    POSTER_KIND,
    TILE_SIDE_PX,
    MadePicture,
    PicturesResult,
    Storyboard,
)
from streamgate.events import Received
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, emit, first_time
from streamgate.sdk.jpeg import jpeg_size
from streamgate.sdk.webp import moving_size

from . import garbage
from . import media_repository as media
from . import picture_repository as pictures
from .orders import next_revision, order_captions, order_pictures
from .picture_repository import came_as
from .results import RESULT_INVALID, fault_of, structured
from .tables import ContentRow, MediaRow, WorkRow

GROUP = "streaming"
PICTURE_KINDS = frozenset({PICTURES_KIND, POSTER_KIND})


class PictureRefused(Exception):
    """It is not what was asked for; the message says why."""


class Picturing:
    """Owns the pictures."""

    def __init__(self, db: Database, blobs: BlobStore, clock: Clock) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock

    async def on_media_playable(self, event: Received[MediaPlayable]) -> None:
        body = event.body

        def order(session: Session) -> None:
            content = media.content_for_update(session, body.subject_id)
            if not first_time(session, event.event_id, group=GROUP):
                return
            version = media.find_media(session, body.subject_id, body.media_version)
            plan = media.plan_of(version) if version is not None and version.playable else None
            if version is not None and plan is not None:
                order_captions(session, content, version, plan)
                order_pictures(session, content, version, plan)

        await self._db.write(order)

    async def on_job_finished(self, event: Received[JobFinished], work: WorkRow) -> None:
        body, now_ms = event.body, self._clock.now_ms()
        code, detail = fault_of(body)
        result = None if code else structured(PicturesResult, body.result)
        try:
            if result is None and not code:
                raise PictureRefused("the job's answer cannot be read")
            if result is not None:
                await self._check(result, work)
        except PictureRefused as fault:
            code, detail, result = RESULT_INVALID, str(fault), None

        def take(session: Session) -> None:
            content = media.content_for_update(session, work.content_id)
            known = media.reread_work(session, work.job_id)
            if known is None or not first_time(session, event.event_id, group=GROUP):
                return
            if known.kind == POSTER_KIND:
                self._take_own(session, content, result, (code, detail), now_ms)
                garbage.throw_away(session, [came_as(known.content_id, known.job_id)], now_ms)
            else:
                version = media.find_media(session, known.content_id, known.media_version)
                if version is not None and version.state != "failed":
                    self._take(session, content, version, result, (code, detail), now_ms)
            garbage.throw_away_lost(session, known.content_id, now_ms, job_id=known.job_id)
            session.delete(known)

        await self._db.write(take)

    def _take(
        self,
        session: Session,
        content: ContentRow,
        version: MediaRow,
        result: PicturesResult | None,
        fault: tuple[str, str],
        now_ms: int,
    ) -> None:
        if result is None:
            version.warnings = [*version.warnings, f"pictures: {fault[0]}: {fault[1]}"]
            logger.bind(content_id=version.content_id, code=fault[0]).warning("no pictures were made")
            return
        made = (result.poster, result.storyboard, result.moving)
        replaced = pictures.store(session, version.content_id, version.media_version, *made)
        garbage.throw_away(session, replaced, now_ms)
        tell(session, content, version.media_version)

    def _take_own(
        self,
        session: Session,
        content: ContentRow,
        result: PicturesResult | None,
        fault: tuple[str, str],
        now_ms: int,
    ) -> None:
        """Where it fails, what was shown before is shown on, and the newest version says so."""
        if content.is_deleted:
            return
        if result is None or result.poster is None:
            newest = media.find_media(session, content.content_id, content.newest_version)
            if newest is not None:
                newest.warnings = [*newest.warnings, f"poster: {fault[0]}: {fault[1]}"]
            logger.bind(content_id=content.content_id, code=fault[0]).warning("no poster was made")
            return
        replaced = pictures.store(session, content.content_id, pictures.OWN, result.poster, None)
        garbage.throw_away(session, replaced, now_ms)
        tell(session, content, pictures.OWN)

    async def _check(self, result: PicturesResult, work: WorkRow) -> None:
        """Raises PictureRefused."""
        if result.poster is not None:
            await self._check_file(result.poster)
            if max(result.poster.width_px, result.poster.height_px) > MAX_POSTER_SIDE_PX:
                raise PictureRefused("the poster is too large")
        if result.moving is not None:
            await self._check_file(result.moving, MAX_MOVING_BYTES, moving_size)
            if max(result.moving.width_px, result.moving.height_px) > MAX_MOVING_SIDE_PX:
                raise PictureRefused("the moving poster is too large")
        if result.storyboard is not None:
            check_layout(result.storyboard)
            for n, sheet in enumerate(result.storyboard.sheets):
                if (sheet.width_px, sheet.height_px) != result.storyboard.sheet_size(n):
                    raise PictureRefused(f"sheet {n} has another size than its pictures need")
                await self._check_file(sheet)

    async def _check_file(
        self,
        made: MadePicture,
        most_bytes: int = MAX_PICTURE_BYTES,
        size_of: Callable[[bytes], tuple[int, int]] = jpeg_size,
    ) -> None:
        try:
            data = await self._blobs.read(made.key, 0, most_bytes + 1)
        except (BlobMissing, ValueError) as fault:
            raise PictureRefused("a picture is not there as told") from fault
        told = (made.size_bytes, made.sha256)
        if len(data) > most_bytes or (len(data), hashlib.sha256(data).hexdigest()) != told:
            raise PictureRefused("a picture has other bytes than told")
        try:
            size = size_of(data)
        except ValueError as fault:
            raise PictureRefused(f"a picture is of another kind than told: {fault}") from fault
        if size != (made.width_px, made.height_px):
            raise PictureRefused("a picture has another size than told")


def check_layout(board: Storyboard) -> None:
    """Raises PictureRefused: its numbers make no sense together."""
    within = (
        2 <= board.tile_width_px <= TILE_SIDE_PX
        and 2 <= board.tile_height_px <= TILE_SIDE_PX
        and 1 <= board.columns <= MAX_COLUMNS
        and 1 <= board.rows <= MAX_ROWS
        and 1 <= board.tiles <= MAX_TILES
        and board.interval_ms >= 1
    )
    if not within or len(board.sheets) != board.sheet_count:
        raise PictureRefused("the storyboard is laid out as none can be")


def tell(session: Session, content: ContentRow, media_version: int) -> None:
    """Says what there is now."""
    changed = PicturesChanged(
        subject_id=content.content_id,
        revision=next_revision(content),
        media_version=media_version,
        has_poster=pictures.poster_of(session, content.content_id) is not None,
        has_moving_poster=pictures.moving_poster_of(session, content.content_id) is not None,
    )
    emit(session, PICTURES_CHANGED, changed)
