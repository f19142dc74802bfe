"""Telling that auth knows something else of people: `people.changed`, in the transaction of its cause; and hearing it,
for what this process has kept of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from sqlalchemy.orm import Session

from streamgate.contracts.events import PEOPLE_CHANGED, PeopleChanged
from streamgate.events import EventSubscription, Received, on_everyone
from streamgate.sdk.db import emit
from streamgate_auth.moved import MAX_PEOPLE_PER_EVENT


def tell_changed(session: Session, subject_id: str, user_ids: Collection[str], *, now_ms: int) -> None:
    """In as many events as it takes.

    Args:
        subject_id: as in `PeopleChanged`.
    """
    people = sorted(user_ids)
    for start in range(0, len(people), MAX_PEOPLE_PER_EVENT):
        some = tuple(people[start : start + MAX_PEOPLE_PER_EVENT])
        emit(session, PEOPLE_CHANGED, PeopleChanged(subject_id=subject_id, revision=now_ms, user_ids=some))


class ChangedElsewhere:
    """Args:
    forget: what is kept of a person; it is kept for a second only, so that a missed event costs no more.
    read: what is remembered of them for longer.
    """

    def __init__(self, forget: Callable[[str], None], read: Callable[[], Awaitable[None]]) -> None:
        self._forget = forget
        self._read = read

    @property
    def subscriptions(self) -> list[EventSubscription]:
        return [on_everyone(PEOPLE_CHANGED, self._on_people_changed, resync=self._read)]

    async def _on_people_changed(self, event: Received[PeopleChanged]) -> None:
        for user_id in event.body.user_ids:
            self._forget(user_id)
        await self._read()
