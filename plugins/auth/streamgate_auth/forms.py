"""What goes in and out of sign-in over HTTP, field by field."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate_auth.challenge import MAX_ID_CHARS
from streamgate_auth.siwe import MAX_MESSAGE_CHARS
from streamgate_auth.tokens import MAX_REFRESH_CHARS

MAX_TOKEN_CHARS = 4096
MAX_SIGNATURE_CHARS = 2 + 2 * 8192  # of a contract wallet with many owners, and the making of it
_at_most = attrs.validators.max_len


@attrs.frozen(kw_only=True)
class ChallengeBody:
    """`address`: EVM in any case, Solana in base58, or a CAIP-10 account. `chain`: CAIP-2; by default the first that
    is configured, or `solana:mainnet`. `scheme`: `siwe`, `eip191`, `eip712` (EVM), `siws`, `solana` (Solana), or a
    plugin's; by default `siwe` or `siws`."""

    address: str = attrs.field(validator=_at_most(128))
    chain: str | None = attrs.field(default=None, validator=attrs.validators.optional(_at_most(64)))
    scheme: str | None = attrs.field(default=None, validator=attrs.validators.optional(_at_most(32)))


@attrs.frozen(kw_only=True)
class ChallengeAnswer:
    """`message` is what the wallet signs, exactly as it is; with `eip712` it is null and `typed_data` is what
    `eth_signTypedData_v4` takes. `sign_in_input`, with `siws`: what a Solana wallet's `signIn` takes."""

    challenge_id: str
    scheme: str
    message: str | None
    typed_data: dict[str, Any] | None
    sign_in_input: dict[str, str] | None
    address: str
    chain: str
    nonce: str
    domain: str
    issued_at: str
    expires_at: str


@attrs.frozen(kw_only=True)
class ProofBody:
    """`signature`: EVM `0x` and hex, of a contract wallet too (ERC-1271, ERC-6492); Solana base58 or base64.
    `message`: only where the wallet signed another text than it was given."""

    challenge_id: str = attrs.field(validator=_at_most(MAX_ID_CHARS))
    signature: str = attrs.field(validator=_at_most(MAX_SIGNATURE_CHARS))
    message: str | None = attrs.field(default=None, validator=attrs.validators.optional(_at_most(MAX_MESSAGE_CHARS)))


@attrs.frozen(kw_only=True)
class VerifyBody(ProofBody):
    """`cookie`: a page of ours asks for the refresh token as a cookie that no script can read; the answer then has
    none."""

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
    """`is_contract`: the wallet is a contract, and somebody on this `chain` alone."""

    valid: bool
    chain: str
    is_contract: bool


@attrs.frozen(kw_only=True)
class RefreshBody:
    """Without a token the cookie's is taken."""

    refresh_token: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_at_most(MAX_REFRESH_CHARS))
    )


@attrs.frozen(kw_only=True)
class LogOutBody(RefreshBody):
    """`everywhere`: all sign-ins of the person, not this one alone."""

    everywhere: bool = False


@attrs.frozen(kw_only=True)
class TokenBody:
    token: str = attrs.field(validator=_at_most(MAX_TOKEN_CHARS))


@attrs.frozen(kw_only=True)
class TokenAnswer:
    """`reason` where it is not valid: `malformed`, `invalid`, `expired` or `revoked`. What it says of whom is shown of
    a token that we signed, expired and revoked ones too; null otherwise."""

    valid: bool
    reason: str | None
    subject: str | None
    audience: str | None
    roles: tuple[str, ...]
    expires_at: str | None


@attrs.frozen(kw_only=True)
class KeySetAnswer:
    """A JSON Web Key Set (RFC 7517)."""

    keys: tuple[dict[str, Any], ...]
