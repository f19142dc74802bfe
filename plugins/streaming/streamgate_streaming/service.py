"""The service others call: what the media of a content is, and making it anew."""

from __future__ import annotations

from sqlalchemy.orm import Session

from streamgate.contracts.jobs import JobNotFound
from streamgate.contracts.streaming import (
    ContentStats,
    MediaQuery,
    MediaState,
    RetryRendition,
    StatsQuery,
    TaskQuery,
    Transcode,
    TranscodeStarted,
)
from streamgate.sdk.db import Database

from . import media_repository as repository
from .orchestration import Orchestration
from .retrying import Retrying
from .session_repository import count_active
from .states import media_state, no_media
from .tables import MediaRow


class StreamingService:
    """Implements `contracts.streaming.Streaming`."""

    def __init__(self, db: Database, orchestration: Orchestration, retrying: Retrying) -> None:
        self._db = db
        self._retrying = retrying
        self._orchestration = orchestration

    async def media(self, query: MediaQuery) -> MediaState:
        def read(session: Session) -> MediaState:
            versions = repository.media_versions(session, query.content_id)
            playing = next((version for version in versions if version.playable), None) if query.playing else None
            found = playing or next(iter(versions), None)
            return no_media(query.content_id) if found is None else _state(session, found)

        return await self._db.read(read)

    async def media_of_task(self, query: TaskQuery) -> MediaState:
        def read(session: Session) -> MediaState:
            found = repository.media_of_root(session, query.task_id)
            if found is None:
                raise JobNotFound(f"no task {query.task_id}")
            return _state(session, found)

        return await self._db.read(read)

    async def stats(self, query: StatsQuery) -> ContentStats:
        sessions, viewers = await self._db.read(lambda session: count_active(session, query.content_id))
        return ContentStats(content_id=query.content_id, sessions_active=sessions, viewers_active=viewers)

    async def transcode(self, wanted: Transcode) -> TranscodeStarted:
        return await self._orchestration.transcode(wanted)

    async def retry(self, wanted: RetryRendition) -> None:
        await self._retrying.retry(wanted)


def _state(session: Session, media: MediaRow) -> MediaState:
    return media_state(
        media,
        repository.plan_of(media),
        repository.renditions_of(session, media),
        is_playable=repository.active_version(session, media.content_id) is not None,
    )
