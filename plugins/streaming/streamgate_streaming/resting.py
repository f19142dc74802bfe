"""What running sessions rest on, written down: the gate's revision, its contracts, the token each plays by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.auth import Decision
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database

from . import session_repository as repository
from .config import StreamingConfig
from .live import LiveSession, LiveSessions
from .token_repository import TokenLimit, leave, lock_tokens, take

TAKEN = "token_in_use"
_PAGE = 200


@attrs.frozen
class _Saved:
    """`ended`: gave way to others; `crowded`: wants a token that others have."""

    ended: tuple[str, ...]
    crowded: tuple[str, ...]


class Resting:
    """A session that plays by a token it has no more takes another. Where others have that one it is given until the
    next flush, for two who change tokens are decided one after the other; then it ends."""

    def __init__(self, db: Database, clock: Clock, config: StreamingConfig, live: LiveSessions) -> None:
        self._db = db
        self._clock = clock
        self._config = config
        self._live = live
        self._unsaved: dict[str, Decision] = {}
        self._crowded: dict[str, Decision] = {}

    def note(self, live: LiveSession, decision: Decision) -> None:
        """The next flush writes it down."""
        self._unsaved[live.session_id] = decision

    async def flush(self) -> None:
        unsaved, crowded = dict(self._unsaved), dict(self._crowded)
        await self.save({**crowded, **unsaved}, waited=crowded)
        for session_id, decision in unsaved.items():
            if self._unsaved.get(session_id) is decision:
                del self._unsaved[session_id]

    async def save(self, decisions: Mapping[str, Decision], waited: Mapping[str, Decision] | None = None) -> None:
        """Args:
        decisions: by session id.
        waited: those of them that wanted a token of others the last time, too.
        """
        ids = sorted(decisions)
        for at in range(0, len(ids), _PAGE):
            page = {session_id: decisions[session_id] for session_id in ids[at : at + _PAGE]}
            saved = await self._db.write(partial(self._save, decisions=page, waited=waited or {}))
            for session_id in saved.ended:
                self._live.end(session_id, TAKEN)
            for session_id in page:
                self._crowded.pop(session_id, None)
            self._crowded.update({session_id: page[session_id] for session_id in saved.crowded})

    def _save(self, session: Session, decisions: Mapping[str, Decision], waited: Mapping[str, Decision]) -> _Saved:
        now_ms = self._clock.now_ms()
        limit = TokenLimit(
            people=self._config.max_sessions_per_token,
            idle_before_ms=now_ms - round(self._config.idle_after_s * 1000),
        )
        lock_tokens(session, (token for decision in decisions.values() for token in decision.tokens))
        running = [
            stored
            for stored in repository.running_among(session, list(decisions))
            if repository.set_decision(session, stored.session_id, decisions[stored.session_id])
        ]
        for stored in running:
            leave(session, stored.session_id, but=decisions[stored.session_id].tokens)
        over: list[str] = []
        crowded: list[str] = []
        for stored in running:
            taken, idle = take(
                session,
                session_id=stored.session_id,
                user_id=stored.actor.user_id,
                tokens=decisions[stored.session_id].tokens,
                limit=limit,
            )
            over += idle
            if taken is not None:
                (over if stored.session_id in waited else crowded).append(stored.session_id)
        repository.end_sessions(session, over, TAKEN, now_ms)
        return _Saved(tuple(over), tuple(crowded))
