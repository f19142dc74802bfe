"""Signing in: a challenge, a signature over it, tokens, their renewal and their end."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.auth import (
    ChainUnknown,
    ChallengeInvalid,
    ChallengeUsed,
    RefreshReused,
    SignatureInvalid,
    TokenExpired,
    TokenInvalid,
)
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import ChainId, parse_account, parse_chain
from streamgate_auth import repository
from streamgate_auth.challenge import Challenge, ChallengeBook
from streamgate_auth.keys import KeyRing
from streamgate_auth.origin import Origin
from streamgate_auth.repository import SignIn
from streamgate_auth.roles import Roles
from streamgate_auth.signature import BadSignature, recover_signer
from streamgate_auth.statement import check_message, message_for
from streamgate_auth.tokens import TokenMint

DEFAULT_CHAIN = ChainId("eip155:1")


@attrs.frozen(kw_only=True)
class Asked:
    """A challenge handed out; `message` is what the wallet signs, byte for byte."""

    challenge_id: str
    challenge: Challenge
    message: str


@attrs.frozen(kw_only=True)
class Tokens:
    sign_in: SignIn
    roles: tuple[str, ...]
    access_token: str
    refresh_token: str
    expires_in: int


class Identity:
    """Args:
    origin: what messages are bound to.
    chains: the chains a person may sign in on, the default first; none means mainnet.
    """

    def __init__(
        self,
        *,
        db: Database,
        keys: KeyRing,
        tokens: TokenMint,
        roles: Roles,
        origin: Origin,
        chains: Callable[[], Awaitable[Sequence[ChainId]]],
        clock: Clock,
        refresh_ttl_s: int,
    ) -> None:
        self._db = db
        self._keys = keys
        self._tokens = tokens
        self._roles = roles
        self.origin = origin
        self._chains = chains
        self._clock = clock
        self.refresh_ttl_s = refresh_ttl_s

    async def challenge(self, account: str, chain: str | None, *, browser: str = "") -> Asked:
        """What to sign, for an address or CAIP-10 account. Nothing is stored. `browser`: its hash, which the answer
        must come with.

        Raises:
            AddressInvalid, ChainUnknown: 422.
        """
        named, address = parse_account(account)
        allowed = await self._chains() or (DEFAULT_CHAIN,)
        wanted = parse_chain(chain) if chain is not None else (named or allowed[0])
        if named is not None and named != wanted:
            raise ChainUnknown(f"the account is on {named}, but the chain asked for is {wanted}")
        if wanted not in allowed:
            raise ChainUnknown(f"sign-in on {wanted} is not configured; use one of {', '.join(allowed)}")
        challenge_id, challenge = self._book().issue(address, wanted, browser=browser)
        return Asked(
            challenge_id=challenge_id, challenge=challenge, message=message_for(challenge, self.origin).to_text()
        )

    async def verify(
        self, challenge_id: str, signature: str, message: str | None, *, browser: str = ""
    ) -> tuple[Challenge, Tokens]:
        """Tokens for whoever signed the challenge's message. `message`: the text as the wallet signed it, where
        it may have written it in its own way. A wrong answer leaves the challenge good.

        Raises:
            ChallengeInvalid, ChallengeExpired, ChallengeUsed, MessageMismatch, SignatureInvalid: 401.
        """
        opened = self._book().open(challenge_id)
        challenge = opened.challenge
        if challenge.browser and not hmac.compare_digest(challenge.browser, browser):
            raise ChallengeInvalid("the challenge was asked for by another browser; ask for one here")
        if message is not None:
            check_message(message, challenge, self.origin)
        text = message if message is not None else message_for(challenge, self.origin).to_text()
        try:
            signer = recover_signer(text.encode(), signature)
        except BadSignature as fault:
            raise SignatureInvalid(f"the signature is not valid: {fault}") from fault
        if signer != challenge.address:
            raise SignatureInvalid("the signature was not made by the account that asked for the challenge")
        now_ms = self._clock.now_ms()

        def begin(session: Session) -> SignIn | None:
            expires_at_ms = challenge.expires_at_s * 1000
            if not repository.use_challenge(session, opened.fingerprint, expires_at_ms=expires_at_ms, now_ms=now_ms):
                return None
            user_id = repository.ensure_user(session, signer, now_ms=now_ms)
            return repository.begin_sign_in(session, user_id, signer, now_ms=now_ms, ttl_ms=self.refresh_ttl_s * 1000)

        sign_in = await self._db.write(begin)
        if sign_in is None:
            raise ChallengeUsed("the challenge was used already; ask for a new one and sign that")
        logger.bind(user_id=sign_in.user_id, session_id=sign_in.session_id).info("signed in")
        return challenge, await self._issue(sign_in)

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token, which is spent by it.

        Raises:
            TokenInvalid, TokenExpired, RefreshReused: 401; after the last the whole sign-in is over.
        """
        session_id, generation = self._tokens.read_refresh_token(refresh_token)
        now_ms = self._clock.now_ms()
        rotation = await self._db.write(
            lambda session: repository.rotate(
                session, session_id, generation, now_ms=now_ms, ttl_ms=self.refresh_ttl_s * 1000
            )
        )
        if rotation.sign_in is not None:
            return await self._issue(rotation.sign_in)
        if rotation.outcome == "reused":
            logger.bind(session_id=session_id).warning("refresh token reused; sign-in ended")
            raise RefreshReused("the refresh token was used before; this sign-in is over, sign in again")
        if rotation.outcome == "expired":
            raise TokenExpired("the refresh token has expired; sign in again")
        raise TokenInvalid("this sign-in is over; sign in again")

    async def log_out(self, refresh_token: str) -> None:
        """Ends the sign-in a refresh token belongs to, spent or not.

        Raises:
            TokenInvalid: no token of ours.
        """
        session_id, _ = self._tokens.read_refresh_token(refresh_token)
        now_ms = self._clock.now_ms()
        await self._db.write(lambda session: repository.end_sign_in(session, session_id, "logged_out", now_ms=now_ms))

    async def _issue(self, sign_in: SignIn) -> Tokens:
        wallets = await self._db.read(lambda session: repository.load_wallets(session, [sign_in.user_id]))
        roles = self._roles.of(wallets.get(sign_in.user_id, ()))
        return Tokens(
            sign_in=sign_in,
            roles=roles,
            access_token=self._tokens.access_token(sign_in, roles),
            refresh_token=self._tokens.refresh_token(sign_in),
            expires_in=self._tokens.access_ttl_s,
        )

    def _book(self) -> ChallengeBook:
        return ChallengeBook(self._keys.keys.challenge, self._clock)
