"""Playback sessions: opened by a decision, kept by decisions, never served past the last one.

The path of a segment is `admit`: one look-up in memory, no database, no call. Everything else serves that this
look-up is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import Auth, DecideMany, DecideQuery, Decision
from streamgate.contracts.events import GateChanged, SignInEnded
from streamgate.contracts.gate import GateRefused, GateUnknown
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.contracts.streaming import NotPlayable, SessionEnded, SessionUnknown
from streamgate.errors import Forbidden, TokenInvalid, Unauthorized
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate.sdk.revocation import Revocations
from streamgate.wire import to_plain

from . import media_repository as media
from . import session_repository as repository
from .config import StreamingConfig
from .decider import BATCH, Decider
from .keeper import REFUSED, SIGNED_OUT, Keeper
from .lease import NO_LEASE, Moment, after_decision, decision_for
from .live import LiveSession
from .session_repository import NewSession, StoredSession

_UNGUESSABLE_CHARS = 16


class Sessions:
    """Owns the playback sessions. `decider` is a unit that must run.

    Args:
        revoked: credentials that are over, as this process has heard.
    """

    def __init__(
        self,
        db: Database,
        auth: Auth,
        metadata: Metadata,
        clock: Clock,
        config: StreamingConfig,
        keeper: Keeper,
        revoked: Revocations,
    ) -> None:
        self._db = db
        self._auth = auth
        self._metadata = metadata
        self._clock = clock
        self._config = config
        self._keeper = keeper
        self._revoked = revoked
        self._live = keeper.live
        self.decider = Decider(
            auth,
            clock,
            lease_s=config.lease_s,
            wait_s=config.decide_wait_s,
            on_refused=keeper.end_refused,
            on_gate=keeper.note_gate,
        )

    # --- what people ask ----------------------------------------------------------------------------

    async def open(self, actor: Actor, content_id: str, client_id: str) -> LiveSession:
        """The session of this person, client and content: the one they have, or a new one.

        Without sign-in a session is found again only by a `client_id` of 16 characters or more, which nobody
        guesses.

        Raises:
            ContentNotFound, Unauthorized (not public, and nobody signed in), GateRefused, GateUnknown, NotPlayable,
            TooManySessions, TokenInvalid (the sign-in has ended meanwhile).
        """
        await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want="see"))
        decision = await self._auth.decide(DecideQuery(content_id=content_id, actor=actor))
        arrived = Moment.now(self._clock)
        _raise_unless_open(actor, content_id, decision)
        lease, _ = after_decision(NO_LEASE, decision, at=arrived, lease_s=self._config.lease_s)
        if not lease.holds(arrived.mono_s):
            raise GateUnknown("the latest reading of the chain is too old", retry_after_s=1)
        session_id = new_id("s")
        if not actor.user_id and len(client_id) < _UNGUESSABLE_CHARS:
            client_id = session_id
        now_ms = self._clock.now_ms()
        idle_before_ms = now_ms - round(self._config.idle_after_s * 1000)

        def store(session: Session) -> StoredSession:
            version = media.active_version(session, content_id)
            if version is None:
                raise NotPlayable(f"content {content_id} is not playable yet; its state is in /api/v1/stream/info")
            wanted = NewSession(
                session_id=session_id,
                content_id=content_id,
                media_version=version,
                actor=actor,
                client_id=client_id,
                gate_revision=decision.gate_revision,
                leaf_keys=decision.leaf_keys,
                now_ms=now_ms,
            )
            return repository.open_session(
                session,
                wanted,
                limit=self._config.max_sessions,
                anonymous_limit=self._config.max_anonymous_sessions,
                idle_before_ms=idle_before_ms,
            )

        stored = await self._db.write(store)
        reason = self._live.ended(stored.session_id)
        if reason:  # meanwhile
            raise _over(reason)
        if actor.credential in self._revoked:  # its end found no session yet that it would have ended
            await self._keeper.end([stored.session_id], SIGNED_OUT)
            raise TokenInvalid("this sign-in is over; sign in again")
        live = self._live.add(stored, self._clock.now_s())
        self.decider.apply(live, decision, arrived)
        logger.bind(session_id=live.session_id, content_id=content_id).info("playback session open")
        return live

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
                await self.decider.decide(live)
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
                self.decider.want(live)
            return live
        if live.lease.is_due(now_s):
            await self.decider.decide(live)
        return self._serving(live)

    def expires_at_ms(self, live: LiveSession) -> int:
        """When the session's lease runs out, in wall time: for people to read, never to compare."""
        left_s = live.lease.until_s - self._clock.monotonic_s()
        return self._clock.now_ms() + int(left_s * 1000)

    def _serving(self, live: LiveSession) -> LiveSession:
        if live.ended:
            raise _over(live.ended)
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
        raise _over(reason)

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

    # --- what is heard ------------------------------------------------------------------------------

    async def on_gate_changed(self, event: Received[GateChanged]) -> None:
        """Every running session of the content is decided again by its new rule, wherever it is served."""
        content_id, after_id = event.body.subject_id, ""
        while page := await self._db.read(
            partial(repository.running_of_content, content_id=content_id, after_id=after_id, limit=BATCH)
        ):
            queries = tuple(DecideQuery(content_id=content_id, actor=stored.actor) for stored in page)
            answered = await self._auth.decide_many(DecideMany(queries=queries))
            arrived = Moment.now(self._clock)
            pairs = zip(page, answered.decisions, strict=True)
            decided = [(stored, decision_for(stored.actor, answer)) for stored, answer in pairs]
            await self._take_decisions(decided, arrived)
            after_id = page[-1].session_id

    async def on_sign_in_ended(self, event: Received[SignInEnded]) -> None:
        """What was opened with a sign-in or an API key ends with it."""
        opened = await self._db.read(lambda session: repository.running_by(session, event.body.subject_id))
        if opened:
            await self._keeper.end(opened, SIGNED_OUT)

    async def _take_decisions(self, decided: Sequence[tuple[StoredSession, Decision]], arrived: Moment) -> None:
        for stored, decision in decided:
            live = self._live.get(stored.session_id)
            if live is not None:
                self.decider.apply(live, decision, arrived)
        holding = [(stored, decision) for stored, decision in decided if decision.outcome == "holds"]

        def note(session: Session) -> None:
            for stored, decision in holding:
                repository.set_decision(session, stored.session_id, decision.gate_revision, decision.leaf_keys)

        if holding:
            await self._db.write(note)
        refused = [stored.session_id for stored, decision in decided if decision.outcome == "does_not_hold"]
        if refused:
            await self._keeper.end(refused, REFUSED)


def _raise_unless_open(actor: Actor, content_id: str, decision: Decision) -> None:
    told = {"explanation": to_plain(decision.explanation)}
    if not actor.is_signed_in and not decision.is_public:
        raise Unauthorized(f"content {content_id} is not public: sign in to watch it", extra=told)
    if decision.outcome == "does_not_hold":
        raise GateRefused(f"the gate of content {content_id} does not open for you", extra=told)
    if decision.outcome == "unknown":
        raise GateUnknown(f"the gate of content {content_id} cannot be decided now", retry_after_s=2, extra=told)


def _over(reason: str) -> SessionEnded:
    return SessionEnded("the playback session has ended; open another one", extra={"reason": reason})
