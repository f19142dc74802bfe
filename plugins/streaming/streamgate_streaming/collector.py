"""Deletes what nothing names any more: media versions that were replaced, and the blobs of all that is gone."""

from __future__ import annotations

from collections.abc import Sequence
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
        while noted := await self._db.read(lambda session: garbage.due_garbage(session, now_ms, _BLOBS)):
            count += await self._delete_unnamed([key for key in noted if not key.endswith("/")])
            for prefix in noted:
                if prefix.endswith("/"):
                    count += await self._sweep(prefix)
            await self._db.write(partial(garbage.forget_garbage, keys=noted))
        if count:
            logger.bind(blobs=count).info("garbage collected")

    async def _sweep(self, prefix: str) -> int:
        """Deletes what is below a prefix, a page at a time; returns how many there were."""
        count, page = 0, list[str]()
        try:
            async for found in self._blobs.list(prefix):
                page.append(found.key)
                if len(page) == _BLOBS:
                    count += await self._delete_unnamed(page)
                    page = []
        except ValueError:  # it can have nothing below it
            logger.bind(prefix=prefix).warning("prefix of garbage is none")
        return count + await self._delete_unnamed(page)

    async def _delete_unnamed(self, keys: Sequence[str]) -> int:
        """Deletes those that the index does not name, and returns how many that were."""
        named = await self._db.read(partial(garbage.named_among, keys=keys)) if keys else set()
        for key in keys:
            if key not in named:
                await self._blobs.delete(key)
        return len(keys) - len(named)
