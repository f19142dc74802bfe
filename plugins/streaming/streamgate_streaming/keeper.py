"""Keeps memory and rows of sessions together: ends at once, notes of use now and then, what time alone does.

The database is not on the path of a segment; what happens in memory is written down in batches, half a minute apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.events import SessionEndedEvent
from streamgate.errors import StreamgateError
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database

from . import session_repository as repository
from .config import StreamingConfig
from .live import LiveSession, LiveSessions
from .resting import Resting
from .revocation_repository import forget_past

REFUSED = "refused"
SIGNED_OUT = "signed_out"
_FORGET_ENDED_AFTER_S = 7 * 86_400


class Keeper:
    """Owns what this process knows of sessions; `live` is for reading."""

    def __init__(self, db: Database, clock: Clock, config: StreamingConfig) -> None:
        self.live = LiveSessions()
        self.resting = Resting(db, clock, config, self.live)
        self._db = db
        self._clock = clock
        self._config = config
        self._unsaved_ends: dict[str, str] = {}

    async def end(self, session_ids: Sequence[str], reason: str) -> None:
        """In memory at once; in the database, and so in every replica, as soon as that can be written.

        Raises:
            DatabaseUnavailable: they are over here; the next flush tells the others.
        """
        for session_id in session_ids:
            self.live.end(session_id, reason)
            self._unsaved_ends[session_id] = reason
        logger.bind(sessions=len(session_ids), reason=reason).info("playback sessions ended")
        await self._save_ends()

    async def end_refused(self, refused: Sequence[LiveSession]) -> None:
        """As `end`, for the decider: a database that is away stops nothing here."""
        try:
            await self.end([live.session_id for live in refused], REFUSED)
        except StreamgateError as fault:
            logger.bind(sessions=len(refused), code=fault.code).warning("ends could not be saved yet")

    async def on_session_ended(self, event: Received[SessionEndedEvent]) -> None:
        """From any replica, this one too."""
        self.live.end(event.body.subject_id, event.body.reason)

    async def resync(self) -> None:
        """Ends may have been missed: asks the rows of all sessions in memory."""
        known = [live.session_id for live in self.live]
        if known:
            ended = await self._db.read(lambda session: repository.ended_among(session, known))
            for session_id, reason in ended.items():
                self.live.end(session_id, reason)

    async def flush(self) -> None:
        """Writes down what changed in memory, in one transaction, hears of ends whose event was lost, and forgets
        sessions nobody uses."""
        await self._save_ends()
        await self.resync()
        used = [live for live in self.live if live.seen_at_s > live.noted_at_s]
        seen = {live.session_id: round(live.seen_at_s * 1000) for live in used}
        if seen:
            await self._db.write(lambda session: repository.note_seen(session, seen))
        await self.resting.flush()
        now_s = self._clock.now_s()
        for live in used:
            live.noted_at_s = seen[live.session_id] / 1000
        unused_s = self._config.idle_after_s
        self.live.leave(live for live in self.live if not live.deciding and now_s - live.seen_at_s > unused_s)

    async def sweep(self) -> None:
        """Idle, abandoned, expired, forgotten: what time alone does to sessions. Any replica may do it."""
        now_ms = self._clock.now_ms()

        def save(session: Session) -> int:
            repository.mark_idle(session, seen_before_ms=now_ms - round(self._config.idle_after_s * 1000))
            forget_past(session, now_ms)
            repository.forget_ended(session, ended_before_ms=now_ms - _FORGET_ENDED_AFTER_S * 1000)
            return repository.end_old(
                session,
                created_before_ms=now_ms - round(self._config.max_session_s * 1000),
                seen_before_ms=now_ms - round(self._config.end_idle_after_s * 1000),
                now_ms=now_ms,
            )

        ended = await self._db.write(save)
        if ended:
            logger.bind(sessions=ended).info("old playback sessions ended")

    async def _save_ends(self) -> None:
        ends, now_ms = dict(self._unsaved_ends), self._clock.now_ms()
        if not ends:
            return

        def save(session: Session) -> None:
            for reason in sorted(set(ends.values())):
                repository.end_sessions(session, [key for key, why in ends.items() if why == reason], reason, now_ms)

        await self._db.write(save)
        for session_id in ends:
            self._unsaved_ends.pop(session_id, None)
