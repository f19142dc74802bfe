"""When a content is encrypted, is encrypted no more, or gets new keys: what plays then ends, and is opened anew.

protection   metadata's; heard as an event, and read whenever a session is opened: the newer revision counts
rekey        the same media under another number, with another secret: nothing is made again, no blob moves
"""

from __future__ import annotations

from functools import partial

from loguru import logger
from sqlalchemy import update
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.events import MEDIA_READY, MediaReady, ProtectionChanged
from streamgate.contracts.metadata import AccessQuery, Metadata, Protection
from streamgate.contracts.streaming import NotEncrypted, NotPlayable, StillMade
from streamgate.events import Received
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, emit, first_time

from .. import garbage
from .. import media_repository as repository
from .. import session_repository as sessions
from ..orders import next_revision
from ..plans import plans_prefix
from ..tables import TABLES, ContentRow, MediaRow, SecretRow, SessionRow
from .secrets import Secrets, forget

GROUP = "streaming"
CHANGED = "version_changed"
"""Why a session ends that played what is no longer served so."""

_STAY = frozenset({SecretRow.__tablename__, SessionRow.__tablename__})
"""What is of one number, and does not go with the media."""


def settle(session: Session, content_id: str, protection: Protection, revision: int, now_ms: int) -> bool:
    """Whether the content is encrypted, by this revision of it or a newer one that was heard of; it stays so while the
    transaction lasts. Where it has changed, everything that plays ends."""
    known = repository.find_content(session, content_id)
    if known is not None and revision > known.protection_revision and protection != known.protection:
        known = repository.content_for_update(session, content_id)
        if revision > known.protection_revision:
            known.protection_revision = revision
            if protection != known.protection:
                known.protection = protection
                ended = sessions.end_all_of(session, content_id, CHANGED, now_ms)
                about = {"content_id": content_id, "protection": protection, "sessions": ended}
                logger.bind(**about).info("protection changed")
            session.flush()
    else:
        known = repository.settled_content(session, content_id)
    return known is not None and known.protection == "encrypted"


class Changing:
    def __init__(self, db: Database, metadata: Metadata, secrets: Secrets, clock: Clock) -> None:
        self._db = db
        self._metadata = metadata
        self._secrets = secrets
        self._clock = clock

    async def on_protection_changed(self, event: Received[ProtectionChanged]) -> None:
        body, now_ms = event.body, self._clock.now_ms()

        def take(session: Session) -> None:
            if first_time(session, event.event_id, group=GROUP):
                settle(session, body.subject_id, body.protection, body.revision, now_ms)

        await self._db.write(take)

    async def rekey(self, actor: Actor, content_id: str) -> tuple[int, int]:
        """New keys for a content: its new media version, and how many sessions that has ended.

        Raises:
            ContentNotFound, Forbidden: it is not theirs to change.
            NotEncrypted, NotPlayable, StillMade.
        """
        content = await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want="change"))
        now_ms = self._clock.now_ms()
        settled = partial(settle, protection=content.protection, revision=content.revision, now_ms=now_ms)

        def change(session: Session) -> tuple[int, int]:
            if repository.find_content(session, content_id) is None:
                raise NotPlayable(f"content {content_id} has no media yet")
            row = repository.content_for_update(session, content_id)
            if not settled(session, content_id):
                raise NotEncrypted(f"content {content_id} is not encrypted: it has no keys that could be renewed")
            version = repository.active_version(session, content_id)
            media = None if version is None else repository.find_media(session, content_id, version)
            if media is None:
                raise NotPlayable(f"content {content_id} is not playable yet, so nobody has a key of it")
            _raise_if_made(session, row, media)
            before = media.media_version
            ended = sessions.end_all_of(session, content_id, CHANGED, now_ms, media_version=before)
            after = _renumber(session, row, media, now_ms)
            self._secrets.ensure(session, content_id, after, now_ms)
            audit(session, "stream.rekeyed", on=f"content:{content_id}", actor=actor)
            return after, ended

        version, ended = await self._db.write(change)
        logger.bind(content_id=content_id, media_version=version, sessions=ended).info("content has new keys")
        return version, ended


def _raise_if_made(session: Session, content: ContentRow, media: MediaRow) -> None:
    """What jobs are at work on keeps its number: they name it. (Pictures that are still to come have a note that moves
    along; stretches that somebody asks for are over before anybody misses the plan they name.)

    Raises:
        StillMade.
    """
    newest = repository.find_media(session, content.content_id, content.newest_version)
    is_made = newest is not None and newest.state in ("planning", "encoding")
    if media.state != "ready" or is_made or repository.has_open_jobs(session, media):
        raise StillMade("its media are being made; ask again when the content is ready")


def _renumber(session: Session, content: ContentRow, media: MediaRow, now_ms: int) -> int:
    """The version under the next number: rows move, blobs stay where they are and are named as before."""
    before = media.media_version
    content.newest_version += 1
    after = content.newest_version
    forget(session, content.content_id, before)
    plan = {**(media.plan or {}), "media_version": after}
    session.flush()
    for table in TABLES.sorted_tables:
        if {"content_id", "media_version"} <= set(table.columns.keys()) and table.name not in _STAY:
            moved = update(table).where(table.c.content_id == content.content_id, table.c.media_version == before)
            session.execute(moved.values(media_version=after))
    session.expire_all()
    moved_media = repository.find_media(session, content.content_id, after)
    assert moved_media is not None
    moved_media.plan = plan
    garbage.throw_away_below(session, plans_prefix(content.content_id, before), now_ms, after_ms=garbage.LOST_AFTER_MS)
    body = MediaReady(
        subject_id=content.content_id,
        revision=next_revision(content),
        media_version=after,
        duration_s=moved_media.duration_s,
        kind="audio" if moved_media.kind == "audio" else "video",
        warnings=tuple(moved_media.warnings),
    )
    emit(session, MEDIA_READY, body)
    return after
