"""Filling the index: contents that are not in it, or were put there by an older way of cutting words.

After an upgrade a search finds what has been filled so far; a process that starts goes on where the last one ended.
"""

from __future__ import annotations

import asyncio

from loguru import logger
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_metadata import repository
from streamgate_metadata.search.contents import put
from streamgate_metadata.search.index import VERSION
from streamgate_metadata.tables import ContentRow, DocumentRow

AT_ONCE = 50
"""Contents a transaction takes: others wait for it on SQLite."""

PAUSE_S = 5.0


class Filling:
    """A unit: fills in the background, oldest first, and ends when there is nothing left to do."""

    name = "metadata.search-filling"
    needs = ("metadata.db",)

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self.run(), name=self.name)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def run(self) -> None:
        """Returns when every content is in the index."""
        filled = 0
        while True:
            try:
                missing = await self._db.read(_missing)
                if not missing:
                    break
                filled += await self._db.write(lambda session, ids=missing: _fill(session, ids))  # type: ignore[misc]
            except StreamgateError as fault:
                logger.bind(code=fault.code).warning("the search index waits for the database")
                await self._clock.sleep(PAUSE_S)
            except Exception:
                logger.exception("the search index cannot be filled")
                return
        if filled:
            logger.bind(contents=filled).info("the search index is filled")


def _missing(session: Session) -> list[str]:
    statement = (
        select(ContentRow.content_id)
        .outerjoin(DocumentRow, DocumentRow.content_id == ContentRow.content_id)
        .where(ContentRow.state != "deleted", or_(DocumentRow.doc_id.is_(None), DocumentRow.version < VERSION))
        .order_by(ContentRow.created_at_ms, ContentRow.content_id)
        .limit(AT_ONCE)
    )
    return list(session.scalars(statement))


def _fill(session: Session, content_ids: list[str]) -> int:
    for content_id in content_ids:
        row = repository.find_for_change(session, content_id)
        if row is not None:
            put(session, row)
    return len(content_ids)
