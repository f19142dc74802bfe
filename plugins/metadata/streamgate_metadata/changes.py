"""The one way a content changes: a transaction, and what follows from it whether or not its caller still waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs
from loguru import logger
from prometheus_client import Counter
from sqlalchemy.orm import Session

from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.contracts.metadata import Content, Facets
from streamgate.events import Events
from streamgate.sdk.cache import Cached
from streamgate.sdk.db import Database

CHANGES = Counter("streamgate_metadata_changes_total", "Changes of contents that were committed.")

SHOWN = (
    "state",
    "playable",
    "title",
    "visibility",
    "kind",
    "duration_s",
    "media_version",
    "poster_url",
    "moving_poster_url",
    "failure",
    "published_at",
)
"""Fields that a person who watches is told."""


@attrs.frozen
class Changed:
    """A content after a transaction. `is_new` False: the transaction left it as it was."""

    content: Content
    is_new: bool = True


class Changes:
    """Writes contents, drops the copies of what it wrote, and tells its owner."""

    def __init__(self, db: Database, events: Events, contents: Cached[Content], facets: Cached[Facets]) -> None:
        self._db = db
        self._events = events
        self._contents = contents
        self._facets = facets
        self._running: set[asyncio.Task[Changed | None]] = set()

    async def write(self, content_id: str, fn: Callable[[Session], Changed | None]) -> Changed | None:
        """Runs `fn` in a transaction. When this returns, nobody in this process reads what was before.

        A caller that is cancelled leaves it running: a commit that nobody waits for has its copies dropped too.
        """
        task = asyncio.create_task(self._write(content_id, fn), name=f"change {content_id}")
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def settled(self) -> None:
        """Returns when nothing is being written."""
        while self._running:
            await asyncio.wait(self._running)

    async def _write(self, content_id: str, fn: Callable[[Session], Changed | None]) -> Changed | None:
        changed: Changed | None = None
        try:
            changed = await self._db.write(fn)
        finally:  # one that failed may have been committed all the same (a connection lost at COMMIT)
            await self._contents.drop(content_id)
        if changed is not None and changed.is_new:
            CHANGES.inc()
            await self._facets.clear()
            await self._tell(changed.content)
        return changed

    async def _tell(self, content: Content) -> None:
        update = LiveUpdate(
            owner=content.owner,
            kind="content",
            id=content.content_id,
            content_id=content.content_id,
            event="content.changed",
            data={name: getattr(content, name) for name in SHOWN},
        )
        await self._events.broadcast(LIVE, update)

    def _done(self, task: asyncio.Task[Changed | None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.bind(change=task.get_name()).debug("change not made")
