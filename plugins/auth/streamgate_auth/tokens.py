"""What a signed-in person carries: an access token for minutes, a refresh token for weeks.

The access token is a JWT that any of our services checks by the key set alone. The refresh token is none: it is a
sign-in's id, a generation and a MAC, so that nothing secret lies in the database, a guessed one costs no look-up,
and no service can take it for an access token.

    refresh token = r1.<session id>.<generation>.<base64url HMAC-SHA256>
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from typing import Literal

import attrs

from streamgate.contracts.auth import ACCESS_AUDIENCE, ACCESS_TYPE, SIGNING_ALGORITHM, TokenInvalid
from streamgate.sdk.clock import Clock
from streamgate_auth.keys import KeyRing
from streamgate_auth.repository import SignIn

MAX_REFRESH_CHARS = 200
_REFRESH = re.compile(r"r1\.(a_[0-9A-Za-z]{1,38})\.([1-9][0-9]{0,15})\.([A-Za-z0-9_-]{43})", re.ASCII)


@attrs.frozen(kw_only=True)
class TokenWord:
    """What an access token says, or why it is not good. The times are not looked at: `expires_at_s` is Unix time."""

    reason: Literal["", "malformed", "invalid"] = ""
    user_id: str = ""
    session_id: str = ""
    roles: tuple[str, ...] = ()
    expires_at_s: int = 0


class TokenMint:
    """Makes both kinds of token, and reads refresh tokens back."""

    def __init__(self, keys: KeyRing, clock: Clock, *, access_ttl_s: int) -> None:
        self._keys = keys
        self._clock = clock
        self.access_ttl_s = access_ttl_s

    def access_token(self, sign_in: SignIn, roles: Sequence[str]) -> str:
        import jwt

        now_s = int(self._clock.now_s())
        claims = {
            "aud": ACCESS_AUDIENCE,
            "sub": sign_in.user_id,
            "sid": sign_in.session_id,
            "roles": list(roles),
            "addr": sign_in.address,
            "iat": now_s,
            "exp": now_s + self.access_ttl_s,
        }
        key = self._keys.signer()
        headers = {"kid": key.kid, "typ": ACCESS_TYPE}
        return jwt.encode(claims, key.private, algorithm=SIGNING_ALGORITHM, headers=headers)

    def read_access_token(self, token: str) -> TokenWord:
        """What a token of ours says, whether or not it is still good; else the reason."""
        import jwt

        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            return TokenWord(reason="malformed")
        public = self._keys.public_of(str(header.get("kid")))
        if public is None or header.get("typ") != ACCESS_TYPE or header.get("alg") != SIGNING_ALGORITHM:
            return TokenWord(reason="invalid")
        try:
            claims = jwt.decode(
                token,
                jwt.PyJWK(public, algorithm=SIGNING_ALGORITHM),
                algorithms=[SIGNING_ALGORITHM],
                audience=ACCESS_AUDIENCE,
                options={"require": ["exp", "iat", "sub", "aud", "sid"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return TokenWord(reason="invalid")
        return TokenWord(
            user_id=claims["sub"], session_id=claims["sid"], roles=tuple(claims["roles"]), expires_at_s=claims["exp"]
        )

    def refresh_token(self, sign_in: SignIn) -> str:
        head = f"r1.{sign_in.session_id}.{sign_in.generation}"
        return f"{head}.{self._mac(head)}"

    def read_refresh_token(self, token: str) -> tuple[str, int]:
        """Session id and generation of a token that we made, whether or not it is still good.

        Raises:
            TokenInvalid: we did not make it.
        """
        found = _REFRESH.fullmatch(token) if len(token) <= MAX_REFRESH_CHARS else None
        if found is None or not hmac.compare_digest(found[3], self._mac(token.rpartition(".")[0])):
            raise TokenInvalid("this is not a refresh token of this server; sign in again")
        return found[1], int(found[2])

    def _mac(self, head: str) -> str:
        digest = hmac.digest(self._keys.keys.refresh, b"streamgate.refresh.v1\x00" + head.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
