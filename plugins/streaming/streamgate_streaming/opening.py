"""How a playback session begins: metadata says that the content may be seen, auth what of it opens, the rows that
there is room for one more."""

from __future__ import annotations

from functools import partial

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import Auth, DecideQuery, Decision
from streamgate.contracts.gate import GateRefused, GateUnknown
from streamgate.contracts.metadata import AccessQuery, Content, Metadata
from streamgate.contracts.streaming import NotPlayable, TooManySessions
from streamgate.errors import TokenInvalid, Unauthorized
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate.sdk.revocation import Revocations
from streamgate.wire import to_plain

from . import media_repository as media
from . import session_opening as rows
from .catalogue import Catalogue
from .config import StreamingConfig
from .decider import Decider, blocks_of
from .extent import ALL, extent_of, is_preview, nothing_left
from .hearing import Hearing
from .keeper import SIGNED_OUT, Keeper
from .lease import NO_LEASE, Moment, after_decision, decision_for
from .live import LiveSession
from .protected.changing import settle
from .protected.secrets import Secrets
from .revocation_repository import Viewer, WalletsWanted
from .revoking import Revoking, raise_if_revoked
from .session_repository import StoredSession
from .sessions import over
from .transfers import Transfers

_UNGUESSABLE_CHARS = 16
_RETRY_AFTER_S = 2


@attrs.frozen
class _Request:
    actor: Actor
    content: Content
    client_id: str
    session_id: str
    decision: Decision


class Opening:
    """Args:
    revoked: credentials that are over, as this process has heard.
    """

    def __init__(
        self,
        db: Database,
        auth: Auth,
        metadata: Metadata,
        catalogue: Catalogue,
        clock: Clock,
        config: StreamingConfig,
        keeper: Keeper,
        decider: Decider,
        hearing: Hearing,
        revoking: Revoking,
        transfers: Transfers,
        revoked: Revocations,
        secrets: Secrets,
    ) -> None:
        self._db = db
        self._auth = auth
        self._metadata = metadata
        self._catalogue = catalogue
        self._clock = clock
        self._config = config
        self._keeper = keeper
        self._decider = decider
        self._hearing = hearing
        self._revoking = revoking
        self._transfers = transfers
        self._revoked = revoked
        self._secrets = secrets

    async def open(self, actor: Actor, content_id: str, client_id: str) -> LiveSession:
        """The session of this person, client and content: the one they have, or a new one.

        Without sign-in a session is found again only by a `client_id` of 16 characters or more, which nobody
        guesses. Where the gate cannot be decided no session is made, but one that runs is found again.

        Raises:
            ContentNotFound, Unauthorized (not public, and nobody signed in), GateRefused, GateUnknown, NotPlayable,
            PlaybackRevoked, TooManySessions, TokenInvalid (the sign-in has ended meanwhile).
        """
        content = await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want="see"))
        session_id = new_id("s")
        if not actor.user_id and len(client_id) < _UNGUESSABLE_CHARS:
            client_id = session_id
        change = self._hearing.latest_change(actor.user_id)
        query, decision, arrived = await self._ask(content_id, actor)
        _raise_unless_open(actor, content_id, decision)
        if decision.outcome == "unknown":
            return await self._running(actor, content, client_id, decision, arrived)
        lease, _ = after_decision(NO_LEASE, decision, at=arrived, lease_s=self._config.lease_s, may_preview=True)
        if not lease.holds(arrived.mono_s):
            raise GateUnknown("the latest reading of the chain is too old", retry_after_s=1)
        await self._raise_if_nothing_is_left(content_id, decision)
        request = _Request(actor, content, client_id, session_id, decision)
        stored = await self._store_or_take_over(request)
        live = await self._enter(actor, stored)
        self._decider.apply(live, decision, arrived)
        has_changed = self._hearing.latest_change(actor.user_id) != change
        if has_changed or self._transfers.question(content_id, actor) != query:  # and no row was found yet
            await self._decider.decide(live)
            if live.ended:
                raise over(live.ended)
            if not live.lease.holds(self._clock.monotonic_s()):
                raise GateUnknown("the gate has been changed, and cannot be decided now", retry_after_s=_RETRY_AFTER_S)
        logger.bind(session_id=live.session_id, content_id=content_id).info("playback session open")
        return live

    async def _ask(self, content_id: str, actor: Actor) -> tuple[DecideQuery, Decision, Moment]:
        query = self._transfers.question(content_id, actor)
        answer = await self._auth.decide(query)
        return query, decision_for(actor, answer), Moment.now(self._clock)

    async def _raise_if_nothing_is_left(self, content_id: str, decision: Decision) -> None:
        """Raises NotPlayable, or GateRefused where all that can be played is beyond what is open."""
        extent = extent_of(decision)
        if extent == ALL:
            return
        version = await self._db.read(lambda session: media.active_version(session, content_id))
        listing = None if version is None else await self._catalogue.listing(content_id, version)
        if listing is None:
            raise _not_playable(content_id)
        if listing.within(extent) is None:
            raise nothing_left(extent, decision, listing.whole.presentation)

    async def _store_or_take_over(self, request: _Request) -> StoredSession:
        """Whoever has got a token takes the place of who had it: where others play by it they are decided again, by
        answers as new as this one.

        Raises:
            TooManySessions: they hold it still, too (a delegate, a wallet that several people use).
        """
        try:
            return await self._store(request)
        except rows.TokenInUse as fault:
            await self._hearing.decide_again(fault.taken.by, blocks_of(request.decision))
        try:
            return await self._store(request)
        except rows.TokenInUse as fault:
            limit, (token, place, _) = self._config.max_sessions_per_token, fault.taken.token.partition("@")
            what = f"what one wallet holds of {token}" if place else f"token {token}"  # whose is not theirs to know
            raise TooManySessions(
                f"{limit} {'person watches' if limit == 1 else 'people watch'} by {what} already: it is free "
                f"when they stop, {self._config.idle_after_s:g} s after they pause, or when they hold it no more",
                extra={"token": token, "limit": limit, "free_after_s": self._config.idle_after_s},
            ) from fault

    async def _store(self, request: _Request) -> StoredSession:
        actor, content_id = request.actor, request.content.content_id
        now_ms = self._clock.now_ms()
        limits = rows.Limits(
            person=self._config.max_sessions,
            anonymous=self._config.max_anonymous_sessions,
            token=self._config.max_sessions_per_token,
            idle_before_ms=now_ms - round(self._config.idle_after_s * 1000),
        )

        def store(session: Session, addresses: tuple[str, ...] | None) -> StoredSession:
            wanted = self._wanted(session, actor, request.content, request.client_id, now_ms)
            if not actor.is_moderator:
                owner = request.content.owner
                is_owner = bool(actor.user_id) and actor.user_id == owner
                viewer = Viewer(user_id=actor.user_id, addresses=addresses, is_owner=is_owner)
                raise_if_revoked(session, content_id, owner, viewer, now_ms)
            return rows.open_session(session, wanted, request.decision, session_id=request.session_id, limits=limits)

        try:
            return await self._db.write(partial(store, addresses=None))
        except WalletsWanted:
            addresses = await self._revoking.wallets_of(actor.user_id)
        return await self._db.write(partial(store, addresses=addresses))

    async def _running(
        self, actor: Actor, content: Content, client_id: str, decision: Decision, arrived: Moment
    ) -> LiveSession:
        """The session that goes on while the gate cannot be decided.

        Raises:
            GateUnknown: there is none, or neither its lease nor a grace holds.
        """
        now_ms = self._clock.now_ms()

        def find(session: Session) -> StoredSession | None:
            return rows.find_again(session, self._wanted(session, actor, content, client_id, now_ms))

        stored = await self._db.write(find)
        if stored is not None:
            live = await self._enter(actor, stored)
            self._decider.apply(live, decision, arrived)
            if live.lease.holds(arrived.mono_s):
                return live
        raise GateUnknown(
            f"the gate of content {content.content_id} cannot be decided now: no new session is opened, and those that "
            "run go on until their lease or the operator's grace ends, unless the gate was changed meanwhile",
            retry_after_s=_RETRY_AFTER_S,
            extra={"explanation": to_plain(decision.explanation)},
        )

    def _wanted(self, session: Session, actor: Actor, content: Content, client_id: str, now_ms: int) -> rows.Wanted:
        """Raises NotPlayable."""
        is_sealed = settle(session, content.content_id, content.protection, content.revision, now_ms)
        version = media.active_version(session, content.content_id)
        if version is None:
            raise _not_playable(content.content_id)
        if is_sealed:
            self._secrets.ensure(session, content.content_id, version, now_ms)
        return rows.Wanted(
            content_id=content.content_id,
            media_version=version,
            actor=actor,
            client_id=client_id,
            is_sealed=is_sealed,
            now_ms=now_ms,
        )

    async def _enter(self, actor: Actor, stored: StoredSession) -> LiveSession:
        """The session of a row, in memory, unless it is over meanwhile."""
        reason = self._keeper.live.ended(stored.session_id)
        if reason:
            raise over(reason)
        if actor.credential in self._revoked:  # its end found no session yet that it would have ended
            await self._keeper.end([stored.session_id], SIGNED_OUT)
            raise TokenInvalid("this sign-in is over; sign in again")
        return self._keeper.live.add(stored, self._clock.now_s())


def _raise_unless_open(actor: Actor, content_id: str, decision: Decision) -> None:
    """What is unknown passes: a session may run already."""
    if is_preview(decision):
        return
    told = {"explanation": to_plain(decision.explanation)}
    if not actor.is_signed_in and not decision.is_public:
        raise Unauthorized(f"content {content_id} is not public: sign in to watch it", extra=told)
    if decision.outcome == "does_not_hold":
        raise GateRefused(f"the gate of content {content_id} does not open for you", extra=told)


def _not_playable(content_id: str) -> NotPlayable:
    return NotPlayable(f"content {content_id} is not playable yet; its state is in /api/v1/stream/info")
