"""Signing in: an answered challenge, tokens, their renewal and their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import attrs
from loguru import logger
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import (
    ChallengeUsed,
    RefreshReused,
    SignInNotFound,
    TokenExpired,
    TokenInvalid,
)
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_auth import repository
from streamgate_auth.contract_words import ContractWords
from streamgate_auth.ending import Ending, note_ended
from streamgate_auth.keys import KeyRing
from streamgate_auth.metrics import SIGN_INS
from streamgate_auth.proofs import Proofs, Proven
from streamgate_auth.repository import Device, Rotation, SignIn, SignInRecord
from streamgate_auth.repository_wallets import ensure_user
from streamgate_auth.roles import Roles
from streamgate_auth.tables import SessionRow
from streamgate_auth.tokens import TokenMint, TokenWord

MAX_LISTED = 200
FORGET_EVERY_S = 60.0
KEPT_WHEN_OVER_S = 7 * 86_400  # beyond the life of its tokens, which are refused because the row says so


@attrs.frozen(kw_only=True)
class Tokens:
    sign_in: SignIn
    roles: tuple[str, ...]
    access_token: str
    refresh_token: str
    expires_in: int


@attrs.frozen(kw_only=True)
class TokenState:
    """What a service that was handed a token may rely on; `reason` where it is not good."""

    word: TokenWord
    reason: Literal["", "malformed", "invalid", "expired", "revoked"]


class Identity:
    """Sign-ins: made, renewed, listed, ended."""

    def __init__(
        self,
        *,
        db: Database,
        keys: KeyRing,
        tokens: TokenMint,
        roles: Roles,
        proofs: Proofs,
        words: ContractWords,
        changed: Callable[[str], None],
        ending: Ending,
        clock: Clock,
        refresh_ttl_s: int,
    ) -> None:
        self._db = db
        self._keys = keys
        self._tokens = tokens
        self._roles = roles
        self._proofs = proofs
        self._words = words
        self._changed = changed
        self._ending = ending
        self._clock = clock
        self._forget_at_s = clock.monotonic_s()
        self.refresh_ttl_s = refresh_ttl_s

    async def verify(
        self,
        challenge_id: str,
        signature: str,
        message: str | None,
        *,
        browser: str = "",
        user_agent: str = "",
        client: str = "",
        network: str = "",
    ) -> tuple[Proven, Tokens]:
        """Tokens for whoever signed what the challenge asked. `message`: the text as the wallet signed it, where it
        may have written it in its own way. A wrong answer leaves the challenge good.

        Raises:
            ChallengeInvalid, ChallengeExpired, ChallengeUsed, MessageMismatch, SignatureInvalid: 401.
            ChainUnavailable: 503, a contract wallet's chain cannot be read now.
        """
        proven = await self._proofs.check(challenge_id, signature, message, browser=browser, network=network)
        challenge = proven.challenge
        device = Device(scheme=challenge.scheme, chain=challenge.chain, user_agent=user_agent, client=client)
        now_ms, ttl_ms = self._clock.now_ms(), self.refresh_ttl_s * 1000
        long_over_ms = now_ms - (KEPT_WHEN_OVER_S + self._tokens.access_ttl_s) * 1000

        is_time_to_forget = self._clock.monotonic_s() >= self._forget_at_s
        if is_time_to_forget:
            self._forget_at_s = self._clock.monotonic_s() + FORGET_EVERY_S

        def begin(session: Session) -> tuple[SignIn, tuple[str, ...]] | None:
            if is_time_to_forget:
                repository.forget(session, over_before_ms=long_over_ms, now_ms=now_ms)
            expires_at_ms = challenge.expires_at_s * 1000
            if not repository.use_challenge(session, proven.fingerprint, expires_at_ms=expires_at_ms):
                return None
            user_id = ensure_user(session, proven.wallet, now_ms=now_ms)
            sign_in = repository.begin_sign_in(session, user_id, proven.wallet, device, now_ms=now_ms, ttl_ms=ttl_ms)
            who = Actor(kind="user", user_id=user_id, address=challenge.address)
            on, detail = f"session:{sign_in.session_id}", {"scheme": challenge.scheme, "chain": challenge.chain}
            audit(session, "auth.signed_in", on=on, actor=who, client=client, detail=detail)
            return sign_in, self._roles.of_person(session, user_id)

        begun = await self._db.write(begin)
        SIGN_INS.labels(scheme=challenge.scheme, outcome="done" if begun else ChallengeUsed.code).inc()
        if begun is None:
            raise ChallengeUsed("the challenge was used already; ask for a new one and sign that")
        sign_in, roles = begun
        self._changed(sign_in.user_id)
        return proven, await self._issue(sign_in, roles)

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token, which is spent by it.

        Raises:
            TokenInvalid, TokenExpired, RefreshReused, WalletRefused: 401; after the last two the whole sign-in is over.
            ChainUnavailable: 503, a contract wallet's chain cannot be read now; the token is not spent.
        """
        session_id, generation = self._tokens.read_refresh_token(refresh_token)
        unknown = await self._words.ask_again(session_id)
        now_ms, ttl_ms = self._clock.now_ms(), self.refresh_ttl_s * 1000

        def rotate(session: Session) -> tuple[Rotation, tuple[str, ...]]:
            rotation = repository.rotate(session, session_id, generation, now_ms=now_ms, ttl_ms=ttl_ms)
            if rotation.outcome == "reused":
                who = Actor(kind="user", user_id=rotation.user_id)
                on, code = f"session:{session_id}", RefreshReused.code
                audit(session, "auth.refresh_reused", on=on, outcome="refused", actor=who, code=code)
                note_ended(session, [session_id], rotation.user_id, "refresh_reused")
            if rotation.sign_in is None:
                return rotation, ()
            return rotation, self._roles.of_person(session, rotation.sign_in.user_id, unknown)

        rotation, roles = await self._db.write(rotate)
        if rotation.sign_in is not None:
            return await self._issue(rotation.sign_in, roles)
        if rotation.outcome == "reused":
            await self._ending.tell([session_id])
            logger.bind(session_id=session_id).warning("refresh token reused; sign-in ended")
            raise RefreshReused("the refresh token was used before; this sign-in is over, sign in again")
        if rotation.outcome == "expired":
            raise TokenExpired("the refresh token has expired; sign in again")
        raise TokenInvalid("this sign-in is over; sign in again")

    async def log_out(self, refresh_token: str, *, everywhere: bool = False) -> None:
        """Ends the sign-in a refresh token belongs to, spent or not; with `everywhere` all of that person's, if it
        still runs itself.

        Raises:
            TokenInvalid: no token of ours.
        """
        session_id, _ = self._tokens.read_refresh_token(refresh_token)
        now_ms = self._clock.now_ms()

        def end(session: Session) -> list[str]:
            sign_in = repository.running_sign_in(session, session_id, now_ms=now_ms)
            if sign_in is None:
                return []
            who = Actor(kind="user", user_id=sign_in.user_id, address=sign_in.address)
            which = SessionRow.user_id == who.user_id if everywhere else SessionRow.session_id == session_id
            return self._end(session, which, who, "logged_out", now_ms)

        await self._ending.tell(await self._db.write(end))

    async def sign_ins(self, actor: Actor) -> list[SignInRecord]:
        now_ms = self._clock.now_ms()
        return await self._db.read(
            lambda session: repository.list_sign_ins(session, actor.user_id, now_ms=now_ms, limit=MAX_LISTED)
        )

    async def name(self, actor: Actor, session_id: str, name: str) -> None:
        """What the actor calls one of their own sign-ins; "" for nothing.

        Raises:
            SignInNotFound: 404, also for somebody else's and for one that is over.
        """
        now_ms = self._clock.now_ms()

        def write(session: Session) -> None:
            if not repository.name_sign_in(session, actor.user_id, session_id, name, now_ms=now_ms):
                raise _not_found(session_id)
            audit(session, "auth.session_named", on=f"session:{session_id}", actor=actor)

        await self._db.write(write)

    async def revoke(self, actor: Actor, session_id: str) -> None:
        """Ends one of the actor's own sign-ins.

        Raises:
            SignInNotFound: 404, also for somebody else's and for one that is over.
        """
        now_ms = self._clock.now_ms()
        which = (SessionRow.session_id == session_id) & (SessionRow.user_id == actor.user_id)
        ended = await self._db.write(lambda session: self._end(session, which, actor, "revoked", now_ms))
        if not ended:
            raise _not_found(session_id)
        await self._ending.tell(ended)

    async def look_at(self, token: str) -> TokenState:
        """Whether an access token is good now, its sign-in included."""
        await self._keys.freshen()
        word = self._tokens.read_access_token(token)
        if word.reason:
            return TokenState(word=word, reason=word.reason)
        now_ms = self._clock.now_ms()
        if now_ms >= word.expires_at_s * 1000:
            return TokenState(word=word, reason="expired")
        running = await self._db.read(
            lambda session: repository.running_sign_in(session, word.session_id, now_ms=now_ms)
        )
        return TokenState(word=word, reason="" if running is not None else "revoked")

    def _end(
        self,
        session: Session,
        which: ColumnElement[bool],
        who: Actor,
        reason: Literal["logged_out", "revoked"],
        now_ms: int,
    ) -> list[str]:
        """The ids of those that it ended."""
        ended = [one.session_id for one in repository.end_sign_ins(session, which, reason, now_ms=now_ms)]
        act = "auth.signed_out" if reason == "logged_out" else "auth.session_revoked"
        for session_id in ended:
            audit(session, act, on=f"session:{session_id}", actor=who)
        note_ended(session, ended, who.user_id, reason)
        return ended

    async def _issue(self, sign_in: SignIn, roles: tuple[str, ...]) -> Tokens:
        await self._keys.freshen()
        return Tokens(
            sign_in=sign_in,
            roles=roles,
            access_token=self._tokens.access_token(sign_in, roles),
            refresh_token=self._tokens.refresh_token(sign_in),
            expires_in=self._tokens.access_ttl_s,
        )


def _not_found(session_id: str) -> SignInNotFound:
    return SignInNotFound(f"you have no running sign-in {session_id[:40]!r}")
