"""Posters that creators give: kept as they came only until a child has made them anew."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.media import MediaSource
from streamgate.contracts.pictures import POSTER_KIND
from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.ids import uuid7

from . import garbage
from . import media_repository as media
from . import picture_repository as pictures
from .orders import order_poster
from .picture_repository import came_as
from .picturing import tell
from .tables import WorkRow


class OwnPosters:
    """The newest one given counts, in whichever order they are made."""

    def __init__(self, db: Database, blobs: BlobStore, clock: Clock) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock

    async def give(self, content_id: str, owner: str, data: bytes) -> None:
        """Keeps the picture and asks for the poster. What there is stays until it is made."""
        job_id, now_ms = uuid7(), self._clock.now_ms()
        source = MediaSource(key=came_as(content_id, job_id), size_bytes=len(data))

        def note(session: Session) -> None:
            """So that nothing is left of it where this process ends before the poster is asked for."""
            garbage.throw_away(session, [source.key], now_ms, after_ms=garbage.LOST_AFTER_MS)

        await self._db.write(note)
        await self._blobs.put_bytes(source.key, data)

        def order(session: Session) -> None:
            garbage.forget_garbage(session, [source.key])
            content = media.content_for_update(session, content_id)
            content.owner = content.owner or owner
            if content.is_deleted:
                garbage.throw_away(session, [source.key], now_ms)
                return
            leave_waiting(session, content_id, now_ms)
            order_poster(session, content, source, job_id)

        await self._db.write(order)

    async def take_back(self, content_id: str) -> None:
        """The poster that was made of the film, if any, is shown again. Harmless where there is none."""
        now_ms = self._clock.now_ms()

        def remove(session: Session) -> None:
            content = media.content_for_update(session, content_id)
            leave_waiting(session, content_id, now_ms)
            gone = pictures.store(session, content_id, pictures.OWN, None, None)
            garbage.throw_away(session, gone, now_ms)
            if gone:
                tell(session, content, pictures.OWN)

        await self._db.write(remove)


def leave_waiting(session: Session, content_id: str, now_ms: int) -> None:
    """Those that are being made count no more."""
    waiting = select(WorkRow).where(
        WorkRow.content_id == content_id, WorkRow.media_version == pictures.OWN, WorkRow.kind == POSTER_KIND
    )
    for work in session.scalars(waiting):
        garbage.throw_away(session, [came_as(content_id, work.job_id)], now_ms)
        garbage.throw_away_lost(session, content_id, now_ms, job_id=work.job_id)
        session.delete(work)
    session.flush()
