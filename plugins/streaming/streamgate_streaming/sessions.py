"""Playback sessions: opened by a decision, kept by decisions, never served past the last one.

The path of a segment is `admit`: one look-up in memory, no database, no call. Everything else serves that this
look-up is right.
"""

from __future__ import annotations

from functools import partial

from loguru import logger

from streamgate.context import Actor
from streamgate.contracts.gate import GateUnknown
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.contracts.streaming import SessionEnded, SessionUnknown
from streamgate.errors import Forbidden
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database

from . import session_repository as repository
from .decider import Decider
from .keeper import Keeper
from .live import LiveSession


class Sessions:
    """Keeps the sessions that `Opening` has made."""

    def __init__(self, db: Database, metadata: Metadata, clock: Clock, keeper: Keeper, decider: Decider) -> None:
        self._db = db
        self._metadata = metadata
        self._clock = clock
        self._keeper = keeper
        self._decider = decider
        self._live = keeper.live

    async def renew(self, actor: Actor, session_id: str, content_id: str = "") -> LiveSession:
        """Keeps a session alive, and decides it again when that is due.

        Raises:
            SessionUnknown (also for somebody else's, and another content's where one is named), SessionEnded,
            GateUnknown.
            DatabaseUnavailable: another sign-in than before renews it, which cannot be written down.
        """
        live = await self._of(actor, session_id, content_id)
        if actor.user_id and actor.user_id == live.actor.user_id:
            if actor.credential != live.actor.credential:  # from now on it ends with this one
                await self._db.write(
                    partial(repository.set_credential, session_id=session_id, held_by=actor.credential)
                )
            live.actor = actor
        live.seen_at_s = self._clock.now_s()
        if live.lease.is_due(self._clock.monotonic_s()):
            try:
                await self._decider.decide(live)
            except GateUnknown:
                logger.bind(session_id=session_id).info("renewed without a decision")
        return self._serving(live)

    async def close(self, actor: Actor, session_id: str, content_id: str = "") -> None:
        """Ends a session; ending it again is harmless.

        Raises:
            SessionUnknown: unknown, somebody else's, or another content's where one is named.
        """
        try:
            await self._of(actor, session_id, content_id)
        except SessionEnded:
            return
        await self._keeper.end([session_id], "closed")

    async def admit(self, session_id: str) -> LiveSession:
        """The session, when bytes may be served now. Traffic keeps it alive and has it decided again in good time.

        Raises:
            SessionEnded: 410.
            GateUnknown: 503, the gate cannot be decided and the lease has run out.
        """
        live = self._live.get(session_id) or await self._load(session_id)
        live.seen_at_s = self._clock.now_s()
        now_s = self._clock.monotonic_s()
        if live.lease.holds(now_s):
            if live.lease.is_due(now_s):
                self._decider.want(live)
            return live
        if live.lease.is_due(now_s):
            await self._decider.decide(live)
        return self._serving(live)

    def expires_at_ms(self, live: LiveSession) -> int:
        """When the session's lease runs out, in wall time: for people to read, never to compare."""
        left_s = live.lease.until_s - self._clock.monotonic_s()
        return self._clock.now_ms() + int(left_s * 1000)

    def _serving(self, live: LiveSession) -> LiveSession:
        if live.ended:
            raise over(live.ended)
        now_s = self._clock.monotonic_s()
        if not live.lease.holds(now_s):
            raise GateUnknown("the gate cannot be decided now", retry_after_s=max(1.0, live.lease.ask_from_s - now_s))
        return live

    async def _load(self, session_id: str) -> LiveSession:
        """Raises SessionEnded, also for one whose row is gone."""
        reason = self._live.ended(session_id)
        if not reason:
            stored = await self._db.read(lambda session: repository.find_session(session, session_id))
            reason = self._live.ended(session_id)  # it may have ended while its row was read
            if not reason and stored is not None and not stored.is_ended:
                return self._live.add(stored, self._clock.now_s())
            if not reason:
                reason = stored.reason if stored is not None else "forgotten"
                self._live.end(session_id, reason)
        raise over(reason)

    async def _of(self, actor: Actor, session_id: str, content_id: str) -> LiveSession:
        """The running session, for its subject, the content's owner or a moderator. Whoever knows the id of a
        session without a person is its subject."""
        live = self._live.get(session_id)
        stored = None if live else await self._db.read(lambda session: repository.find_session(session, session_id))
        found = live or stored
        if found is None or content_id not in ("", found.content_id):
            raise SessionUnknown(f"no playback session {session_id}")
        if found.actor.user_id and found.actor.user_id != actor.user_id:
            try:
                await self._metadata.get(AccessQuery(content_id=found.content_id, actor=actor, want="change"))
            except (ContentNotFound, Forbidden) as fault:
                raise SessionUnknown(f"no playback session {session_id}") from fault
        return live or await self._load(session_id)


def over(reason: str) -> SessionEnded:
    return SessionEnded("the playback session has ended; open another one", extra={"reason": reason})
