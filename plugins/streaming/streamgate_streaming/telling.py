"""Tells people who look: how the media of their contents come along, and that their playback has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from streamgate.contracts.events import (
    MEDIA_FAILED,
    MEDIA_PLAYABLE,
    MEDIA_READY,
    RENDITION_READY,
    SESSION_ENDED,
    MediaFailed,
    MediaPlayable,
    MediaReady,
    RenditionReady,
    SessionEndedEvent,
)
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.events import Events, EventSubscription, Received, on_group
from streamgate.sdk.db import Database

from . import media_repository, session_repository


class Telling:
    """Hears what streaming itself has said, once committed, and broadcasts it to the one person concerned.

    Args:
        on_playable: what follows from it; done once, and before anybody is told.
    """

    def __init__(
        self, db: Database, events: Events, *, on_playable: Callable[[Received[MediaPlayable]], Awaitable[None]]
    ) -> None:
        self._db = db
        self._events = events
        self._act_on_playable = on_playable

    def subscriptions(self, group: str) -> Sequence[EventSubscription]:
        return [
            on_group(MEDIA_PLAYABLE, self._on_playable, group=group),
            on_group(MEDIA_READY, self._on_ready, group=group),
            on_group(MEDIA_FAILED, self._on_failed, group=group),
            on_group(RENDITION_READY, self._on_rendition, group=group),
            on_group(SESSION_ENDED, self._on_session_ended, group=group),
        ]

    async def _on_playable(self, event: Received[MediaPlayable]) -> None:
        body = event.body
        await self._act_on_playable(event)
        await self._tell_owner(
            body.subject_id,
            "media.playable",
            {"media_version": body.media_version, "playable": True, "duration_s": body.duration_s, "kind": body.kind},
        )

    async def _on_ready(self, event: Received[MediaReady]) -> None:
        body = event.body
        data = {"media_version": body.media_version, "duration_s": body.duration_s, "warnings": list(body.warnings)}
        await self._tell_owner(body.subject_id, "media.ready", data)

    async def _on_failed(self, event: Received[MediaFailed]) -> None:
        body = event.body
        data = {"media_version": body.media_version, "code": body.code, "detail": body.detail}
        await self._tell_owner(body.subject_id, "media.failed", data)

    async def _on_rendition(self, event: Received[RenditionReady]) -> None:
        body = event.body
        data = {"media_version": body.media_version, "rendition": body.rendition_id}
        await self._tell_owner(body.subject_id, "rendition.ready", data)

    async def _on_session_ended(self, event: Received[SessionEndedEvent]) -> None:
        body = event.body
        stored = await self._db.read(lambda session: session_repository.find_session(session, body.subject_id))
        if stored is None or not stored.actor.user_id:
            return
        update = LiveUpdate(
            owner=stored.actor.user_id,
            kind="session",
            id=body.subject_id,
            content_id=body.content_id,
            event="session.ended",
            data={"reason": body.reason},
        )
        await self._events.broadcast(LIVE, update)

    async def _tell_owner(self, content_id: str, event: str, data: dict[str, Any]) -> None:
        def owner_of(session: Session) -> str:
            found = media_repository.find_content(session, content_id)
            return "" if found is None else found.owner

        owner = await self._db.read(owner_of)
        if owner:
            update = LiveUpdate(owner=owner, kind="media", id=content_id, content_id=content_id, event=event, data=data)
            await self._events.broadcast(LIVE, update)
