"""What metadata hears of uploads, media and gates, and how each event moves its content. Repeats are harmless."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.events import (
    GATE_CHANGED,
    MEDIA_FAILED,
    MEDIA_PLANNED,
    MEDIA_PLAYABLE,
    MEDIA_READY,
    PICTURES_CHANGED,
    UPLOAD_FAILED,
    UPLOAD_FINISHED,
    GateChanged,
    PicturesChanged,
)
from streamgate.events import EventBody, EventSubscription, Received, on_group
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import first_time
from streamgate_metadata import repository, states
from streamgate_metadata.changes import Changed, Changes
from streamgate_metadata.states import Course

GROUP = "metadata"

B = TypeVar("B", bound=EventBody)


class Hearing:
    """Applies events to contents."""

    def __init__(self, changes: Changes, clock: Clock) -> None:
        self._changes = changes
        self._clock = clock

    def subscriptions(self) -> Sequence[EventSubscription]:
        return [
            on_group(UPLOAD_FINISHED, self._applies("upload", states.upload_finished), group=GROUP),
            on_group(UPLOAD_FAILED, self._applies("upload", states.upload_failed), group=GROUP),
            on_group(MEDIA_PLANNED, self._applies("streaming", states.media_planned), group=GROUP),
            on_group(MEDIA_PLAYABLE, self._applies("streaming", states.media_playable), group=GROUP),
            on_group(MEDIA_READY, self._applies("streaming", states.media_ready), group=GROUP),
            on_group(MEDIA_FAILED, self._applies("streaming", states.media_failed), group=GROUP),
            on_group(GATE_CHANGED, self._on_gate_changed, group=GROUP),
            on_group(PICTURES_CHANGED, self._on_pictures_changed, group=GROUP),
        ]

    async def _on_pictures_changed(self, event: Received[PicturesChanged]) -> None:
        body = event.body

        def run(session: Session) -> Changed | None:
            if not first_time(session, event.event_id, group=GROUP):
                return None
            row = repository.find_for_change(session, body.subject_id)
            if row is None or row.state == "deleted":
                return None
            is_new = repository.set_posters(session, row, body, self._clock.now_ms())
            return Changed(repository.to_content(row), is_new)

        await self._changes.write(body.subject_id, run)

    async def _on_gate_changed(self, event: Received[GateChanged]) -> None:
        """Published while it has a gate. Auth calls `publish` too; this is for when that call is lost."""

        def run(session: Session) -> Changed | None:
            if not first_time(session, event.event_id, group=GROUP):
                return None
            body = event.body
            row = repository.find_for_change(session, body.subject_id)
            if row is None or row.state == "deleted":
                return None
            is_new = repository.set_published(session, row, body.revision, body.has_gate, self._clock.now_ms())
            return Changed(repository.to_content(row), is_new)

        await self._changes.write(event.body.subject_id, run)

    def _applies(self, producer: str, step: Callable[[Course, B], Course]) -> Callable[[Received[B]], Awaitable[None]]:
        async def handle(event: Received[B]) -> None:
            content_id = event.body.subject_id
            changed = await self._changes.write(content_id, lambda session: self._apply(session, event, producer, step))
            if changed is not None:
                logger.bind(content_id=content_id, event=event.name, state=changed.content.state).info("content moved")

        return handle

    def _apply(
        self, session: Session, event: Received[B], producer: str, step: Callable[[Course, B], Course]
    ) -> Changed | None:
        """The content when the event changed something."""
        if not first_time(session, event.event_id, group=GROUP):
            return None
        body = event.body
        row = repository.find_for_change(session, body.subject_id)
        if (
            row is None
            or row.state == "deleted"
            or not repository.heard(session, row.content_id, producer, body.revision)
        ):
            return None
        course = repository.course_of(row)
        moved = step(course, body)
        if moved == course:
            return None
        repository.move(session, row, moved, self._clock.now_ms())
        return Changed(repository.to_content(row))
