"""What goes in and out of sign-in over HTTP, field by field."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate_auth.challenge import MAX_ID_CHARS
from streamgate_auth.siwe import MAX_MESSAGE_CHARS
from streamgate_auth.tokens import MAX_REFRESH_CHARS

_at_most = attrs.validators.max_len


@attrs.frozen(kw_only=True)
class ChallengeBody:
    """`address`: in any case, or a CAIP-10 account. `chain`: CAIP-2; by default the first that is configured."""

    address: str = attrs.field(validator=_at_most(128))
    chain: str | None = attrs.field(default=None, validator=attrs.validators.optional(_at_most(64)))
    scheme: Literal["siwe"] = "siwe"


@attrs.frozen(kw_only=True)
class ChallengeAnswer:
    """`message` is what the wallet signs (personal_sign), exactly as it is."""

    challenge_id: str
    scheme: str
    message: str
    address: str
    chain: str
    nonce: str
    domain: str
    issued_at: str
    expires_at: str


@attrs.frozen(kw_only=True)
class VerifyBody:
    """`message`: only where the wallet signed another text than it was given. `cookie`: a page of ours asks for the
    refresh token as a cookie that no script can read; the answer then has none."""

    challenge_id: str = attrs.field(validator=_at_most(MAX_ID_CHARS))
    signature: str = attrs.field(validator=_at_most(1024))
    message: str | None = attrs.field(default=None, validator=attrs.validators.optional(_at_most(MAX_MESSAGE_CHARS)))
    cookie: bool = False


@attrs.frozen(kw_only=True)
class TokensAnswer:
    """`refresh_token` is null when it went into the cookie."""

    access_token: str
    refresh_token: str | None
    token_type: str
    expires_in: int
    user_id: str
    address: str
    roles: tuple[str, ...]


@attrs.frozen(kw_only=True)
class VerifyAnswer(TokensAnswer):
    valid: bool
    chain: str


@attrs.frozen(kw_only=True)
class RefreshBody:
    """Without a token the cookie's is taken."""

    refresh_token: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_at_most(MAX_REFRESH_CHARS))
    )


@attrs.frozen(kw_only=True)
class KeySetAnswer:
    """A JSON Web Key Set (RFC 7517)."""

    keys: tuple[dict[str, Any], ...]
