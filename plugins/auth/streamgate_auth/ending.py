"""Ending sign-ins and API keys: in the transaction, then at once here, then everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy.orm import Session

from streamgate.contracts.auth import AUTH_REVOKED, Revoked
from streamgate.contracts.events import AUTH_SESSION_ENDED, SignInEnded
from streamgate.events import Events
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, emit
from streamgate.sdk.revocation import Revocations
from streamgate_auth import repository

Reason = Literal["logged_out", "revoked", "refresh_reused", "replaced"]
MARGIN_MS = 60_000  # clocks differ
MAX_TOLD = 5000  # so that the answer fits a message; more than that end within a token's life only by an attack
TOLD_AT_ONCE = 500


def note_ended(session: Session, credentials: Sequence[str], user_id: str, reason: Reason) -> None:
    """Says so durably: what was opened with them ends, too."""
    for credential in credentials:
        ended = SignInEnded(subject_id=credential, revision=1, user_id=user_id, reason=reason)
        emit(session, AUTH_SESSION_ENDED, ended)


class Ending:
    """Args:
    token_ttl_s: life of an access token; a key's answer is kept for less.
    """

    def __init__(
        self, db: Database, events: Events, revocations: Revocations, clock: Clock, *, token_ttl_s: float
    ) -> None:
        self._db = db
        self._events = events
        self._revocations = revocations
        self._clock = clock
        self._token_ttl_ms = int(token_ttl_s * 1000)

    async def tell(self, credentials: Sequence[str], *, people: Sequence[str] = ()) -> None:
        """After the commit: their tokens are refused here from now on, and elsewhere as soon as this is heard.

        Args:
            people: whose roles are others now; what is kept of their API keys is asked for anew.
        """
        for start in range(0, max(len(credentials), len(people)), TOLD_AT_ONCE):
            revoked = Revoked(
                credentials=tuple(credentials[start : start + TOLD_AT_ONCE]),
                until_ms=self._clock.now_ms() + self._token_ttl_ms + MARGIN_MS,
                people=tuple(people[start : start + TOLD_AT_ONCE]),
            )
            self._revocations.add(revoked)
            await self._events.broadcast(AUTH_REVOKED, revoked)

    async def recent(self) -> Revoked:
        now_ms = self._clock.now_ms()
        since_ms = now_ms - self._token_ttl_ms - MARGIN_MS
        found = await self._db.read(lambda session: repository.revoked_since(session, since_ms, limit=MAX_TOLD))
        return Revoked(credentials=tuple(found), until_ms=now_ms + self._token_ttl_ms + MARGIN_MS)
