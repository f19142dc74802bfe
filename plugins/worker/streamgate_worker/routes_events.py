"""Events that a service has given up on, over HTTP: the bus' dead letters, for administrators."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from streamgate.bus.base import Bus, DeadLetter, StillDead
from streamgate.context import Actor
from streamgate.errors import NotFound, Unavailable
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.db import Database
from streamgate.settings import config_field
from streamgate.web.routes import ADMIN, Call, Route
from streamgate_worker.routes import PREFIX

PATH = f"{PREFIX}/dead/events"
SHOWN_BYTES = 64 * 1024


class EventNotFound(NotFound):
    code, title = "jobs.dead_event_not_found", "No such dead event"


class DeadEventsLeft(Unavailable):
    code, title = "jobs.dead_events", "There are events that nobody could handle"


@attrs.frozen(kw_only=True)
class DeadEvent:
    """`group` is the service that gave up on it, `reason` what it said last. `body` is null where it cannot be read or
    is larger than 64 KiB."""

    id: str
    group: str
    subject: str
    event_id: str
    reason: str
    deliveries: int
    died_at: str
    size_bytes: int
    body: dict[str, Any] | None


@attrs.frozen(kw_only=True)
class EventsQuery:
    limit: int = config_field(50, help="1 to 200.", validator=[attrs.validators.ge(1), attrs.validators.le(200)])
    cursor: str = ""


@attrs.frozen(kw_only=True)
class DeadEvents:
    items: tuple[DeadEvent, ...]
    next_cursor: str | None


@attrs.frozen(kw_only=True)
class EventId:
    id: str


class EventRoutes:
    def __init__(self, bus: Bus, db: Database) -> None:
        self._bus = bus
        self._db = db

    def routes(self) -> list[Route]:
        return [
            Route(
                "GET",
                PATH,
                self.list_dead,
                policy=ADMIN,
                query=EventsQuery,
                answer=DeadEvents,
                summary="Events that a service could not handle, oldest first",
                description="On NATS the last 30 days; on the bus in memory the last 1,000 since the start.",
            ),
            Route(
                "POST",
                f"{PATH}/replay",
                self.replay,
                policy=ADMIN,
                body=EventId,
                answer=EventId,
                summary="Have an event handled again, now, by the service that gave up on it",
                errors=(EventNotFound, StillDead),
                timeout_s=40,
            ),
            Route(
                "DELETE",
                f"{PATH}/{{id}}",
                self.discard,
                policy=ADMIN,
                query=EventId,
                summary="Forget a dead event",
                errors=(EventNotFound,),
            ),
        ]

    async def probe(self) -> str | None:
        """For readiness, where it is shown and stops nothing. Raises DeadEventsLeft."""
        counts = await self._bus.dead_letters()
        if counts:
            said = ", ".join(f"{group} {count}" for group, count in sorted(counts.items()))
            raise DeadEventsLeft(f"events that were given up on, by service: {said}; GET {PATH} lists them")
        return None

    async def list_dead(self, call: Call[None, EventsQuery]) -> DeadEvents:
        query = call.query
        letters = await self._bus.list_dead_letters(after=_number(query.cursor), limit=query.limit + 1)
        shown = letters[: query.limit]
        return DeadEvents(
            items=tuple(map(_to_event, shown)), next_cursor=shown[-1].id if len(letters) > query.limit else None
        )

    async def replay(self, call: Call[EventId, None]) -> EventId:
        if not await self._bus.replay_dead_letter(call.body.id):
            raise _not_found(call.body.id)
        await self._note(call.actor, "dead_event.replayed", call.body.id)
        return call.body

    async def discard(self, call: Call[None, EventId]) -> None:
        if not await self._bus.discard_dead_letter(call.query.id):
            raise _not_found(call.query.id)
        await self._note(call.actor, "dead_event.discarded", call.query.id)

    async def _note(self, actor: Actor, act: str, letter_id: str) -> None:
        await self._db.write(lambda session: audit(session, act, on=f"dead_event:{letter_id}", actor=actor))


def _number(cursor: str) -> str:
    """A cursor is the last letter's id; anything else is the beginning."""
    return cursor if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else ""


def _not_found(letter_id: str) -> EventNotFound:
    return EventNotFound(f"there is no dead event {letter_id[:40]}")


def _to_event(letter: DeadLetter) -> DeadEvent:
    return DeadEvent(
        id=letter.id,
        group=letter.group,
        subject=letter.subject,
        event_id=letter.message_id,
        reason=letter.reason,
        deliveries=letter.deliveries,
        died_at=rfc3339(letter.at_ms),
        size_bytes=len(letter.payload),
        body=_body_of(letter.payload),
    )


def _body_of(payload: bytes) -> dict[str, Any] | None:
    try:
        envelope = orjson.loads(payload) if len(payload) <= SHOWN_BYTES else None
    except orjson.JSONDecodeError:
        return None
    body = envelope.get("body") if isinstance(envelope, dict) else None
    return body if isinstance(body, dict) else None
