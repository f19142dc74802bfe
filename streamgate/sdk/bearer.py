"""Who sends this request: the one implementation of `web.routes.Authenticator`. A bearer token, or an API key.

Every service checks the bearer itself, against auth's key set, which it asks for by service reference and keeps.
A key id that is not in it is asked for once more, but not more often than every few seconds, so that invented ones
cost nothing. While no key set was ever had, nobody is signed in and nobody is refused: 503. A token whose sign-in is
over (`sdk/revocation.py`) is refused although it has not expired.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import attrs
import jwt
from loguru import logger

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import (
    ACCESS_AUDIENCE,
    ACCESS_TYPE,
    ACCOUNTS,
    AUTH,
    SIGNING_ALGORITHM,
    Accounts,
    Auth,
    AuthUnavailable,
    TokenExpired,
    TokenInvalid,
)
from streamgate.errors import StreamgateError
from streamgate.plugins import PluginContext
from streamgate.sdk.api_keys import ApiKeyCheck
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock
from streamgate.sdk.revocation import Revocations, revocations_of

MAX_TOKEN_CHARS = 4096
REMEMBERED_TOKENS = 4096
KEYS_FRESH_S = 300.0  # a key taken out of the set is noticed after so long
ASK_AGAIN_S = 5.0
CLOCK_SKEW_S = 5.0  # between us and auth, for `iat`; never added to a token's life


@attrs.frozen
class _Known:
    """A token that was verified."""

    actor: Actor
    expires_at_s: float
    kid: str


class BearerAuthenticator:
    """Verifies access tokens and API keys; remembers the verified tokens until they expire.

    Args:
        auth: where the key set comes from.
        accounts: who knows API keys and what was revoked.
    """

    def __init__(
        self, auth: Auth, accounts: Accounts, revocations: Revocations | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._auth = auth
        self._accounts = accounts
        self._clock = clock
        self._revocations = revocations or Revocations(clock)
        self._api_keys = ApiKeyCheck(accounts, self._revocations, clock)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked = 0
        self._is_unanswered = False  # the last question for the key set: a key that we lack may be a new one
        self._asked_at_s = 0.0
        self._fetched_at_s = 0.0
        self._asking = asyncio.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        """The actor behind `Authorization: Bearer …` or `X-API-Key`; ANONYMOUS without both.

        Raises:
            TokenInvalid, TokenExpired, KeyInvalid: 401.
            AuthUnavailable: 503, no key set could be had yet, or auth cannot be asked about the API key.
        """
        header, api_key = headers.get("authorization"), headers.get("x-api-key")
        if header is None and api_key is None:
            return ANONYMOUS
        await self._revocations.catch_up(self._accounts)
        if header is None or api_key is None:
            return await (self._api_keys.actor(api_key) if api_key is not None else self._bearer(header or ""))
        raise TokenInvalid("send an access token or an API key, not both")

    async def _bearer(self, header: str) -> Actor:
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS:
            raise TokenInvalid("send the access token as `Authorization: Bearer <token>`")
        known = self._recall(token)
        if known is None:
            known = await self._verify(token)
            self._known[token] = known
            if len(self._known) > REMEMBERED_TOKENS:
                self._known.popitem(last=False)
        if known.actor.credential in self._revocations:
            raise TokenInvalid("this sign-in is over; sign in again")
        return known.actor

    def _recall(self, token: str) -> _Known | None:
        known = self._known.get(token)
        if known is None:
            return None
        if self._clock.now_s() >= known.expires_at_s:
            del self._known[token]
            raise TokenExpired("the access token has expired; refresh it")
        if self._clock.monotonic_s() - self._fetched_at_s > KEYS_FRESH_S:
            return None  # its key may be gone: look again
        self._known.move_to_end(token)
        return known

    async def _verify(self, token: str) -> _Known:
        key = await self._key_of(token)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[SIGNING_ALGORITHM],
                audience=ACCESS_AUDIENCE,
                options={"require": ["exp", "iat", "sub", "aud"], "verify_exp": False, "verify_iat": False},
            )
            return self._accept(claims, str(key.key_id))
        except jwt.InvalidTokenError as fault:
            raise TokenInvalid("the access token is not valid; sign in again") from fault

    def _accept(self, claims: Mapping[str, Any], kid: str) -> _Known:
        """The times are compared with our clock, which PyJWT does not ask."""
        now_s = self._clock.now_s()
        issued_at_s, expires_at_s = claims["iat"], claims["exp"]
        roles, texts = claims.get("roles", []), (claims.get("addr", ""), claims.get("sid", ""))
        if not (_is_number(issued_at_s) and _is_number(expires_at_s) and _is_texts(roles) and _is_texts([*texts])):
            raise TokenInvalid("the access token has claims of the wrong kind; sign in again")
        if now_s >= expires_at_s:
            raise TokenExpired("the access token has expired; refresh it")
        if issued_at_s > now_s + CLOCK_SKEW_S:
            raise TokenInvalid("the access token is from the future; the clocks of two machines differ")
        address, credential = texts
        actor = Actor(kind="user", user_id=claims["sub"], roles=tuple(roles), address=address, credential=credential)
        return _Known(actor=actor, expires_at_s=expires_at_s, kid=kid)

    # --- the key set ----------------------------------------------------------------------------

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as fault:
            raise TokenInvalid("this is not an access token; sign in again") from fault
        kid = header.get("kid")
        if header.get("alg") != SIGNING_ALGORITHM or header.get("typ") != ACCESS_TYPE or not isinstance(kid, str):
            raise TokenInvalid("this is not an access token; sign in again")
        is_stale = self._clock.monotonic_s() - self._fetched_at_s > KEYS_FRESH_S
        if kid not in self._keys or (is_stale and not self._asking.locked()):
            await self._ask()
        if not self._keys:
            raise AuthUnavailable("sign-in cannot be checked now: the key set is not to be had", retry_after_s=1)
        key = self._keys.get(kid)
        if key is None and self._is_unanswered:
            raise AuthUnavailable("the key of this sign-in cannot be looked up now", retry_after_s=1)
        if key is None:
            raise TokenInvalid("the access token was signed with a key that is not in use; sign in again")
        return key

    async def _ask(self) -> None:
        """One question at a time, whose answer serves all who waited for it. While there are keys, none is asked
        within `ASK_AGAIN_S` of the last."""
        asked_before = self._asked
        async with self._asking:
            now_s = self._clock.monotonic_s()
            if self._asked != asked_before or (self._keys and now_s - self._asked_at_s < ASK_AGAIN_S):
                return
            self._asked += 1
            self._asked_at_s = now_s
            try:
                key_set = await self._auth.jwks()
            except StreamgateError as fault:
                # The keys we have go on serving: auth being away must not take everything else down.
                logger.bind(code=fault.code).warning("key set not to be had")
                self._is_unanswered = True
                return
            self._is_unanswered = False
            self._keys = dict(_usable(key) for key in key_set.keys if _fits(key))
            self._fetched_at_s = now_s
            self._known = OrderedDict((t, known) for t, known in self._known.items() if known.kid in self._keys)


def _fits(key: Mapping[str, Any]) -> bool:
    return key.get("kty") == "OKP" and key.get("alg") == SIGNING_ALGORITHM and isinstance(key.get("kid"), str)


def _usable(key: Mapping[str, Any]) -> tuple[str, jwt.PyJWK]:
    return key["kid"], jwt.PyJWK(dict(key), algorithm=SIGNING_ALGORITHM)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def make_authenticator(ctx: PluginContext) -> BearerAuthenticator:
    """Named by the entry point `streamgate.authenticator`."""
    return BearerAuthenticator(ctx.services.get(AUTH), ctx.services.get(ACCOUNTS), revocations_of(ctx))
