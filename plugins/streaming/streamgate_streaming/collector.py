"""Deletes what nothing names any more: media versions that were replaced, and the blobs of all that is gone."""

from __future__ import annotations

from functools import partial

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database

from . import garbage
from . import media_repository as repository

_VERSIONS = 20
_BLOBS = 500


class Collector:
    """Blobs go first, their rows after: a crash in between deletes what is not there once more."""

    def __init__(self, db: Database, blobs: BlobStore, clock: Clock) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock

    async def collect(self) -> None:
        """One turn, until nothing is due. Sources are never touched: they are upload's."""
        now_ms = self._clock.now_ms()

        def drop_replaced(session: Session) -> int:
            replaced = repository.superseded(session, _VERSIONS)
            for media in replaced:
                repository.drop_version(session, media, now_ms)
            return len(replaced)

        while await self._db.write(drop_replaced):
            pass
        count = 0
        while due := await self._db.read(partial(_due, now_ms=now_ms)):
            keys, used = due
            for key in keys:
                if key not in used:
                    await self._blobs.delete(key)
            await self._db.write(partial(garbage.forget_garbage, keys=keys))
            count += len(keys) - len(used)
        if count:
            logger.bind(blobs=count).info("garbage collected")


def _due(session: Session, *, now_ms: int) -> tuple[list[str], set[str]] | None:
    """A page of what is due, and what of it is in use after all; None when nothing is."""
    keys = garbage.due_garbage(session, now_ms, _BLOBS)
    used = garbage.named_among(session, keys)
    if used:
        logger.bind(blobs=len(used)).warning("garbage that is in use was kept")
    return (keys, used) if keys else None
