"""The schemes of Solana wallets: `signIn` (Sign-In With Solana) and `signMessage` over a plain message of ours.

Ed25519 by solders, which verifies strictly as Solana itself does: OpenSSL takes forged signatures for addresses
that are points of small order (the system program's is one).
"""

from __future__ import annotations

import base64
import binascii

from streamgate.contracts.auth import SignatureInvalid
from streamgate.contracts.hooks import SigningFacts, ToSign
from streamgate.sdk.solana import decode_base58
from streamgate_auth.accounts import SOLANA
from streamgate_auth.schemes.plain import check_plain_text, plain_text
from streamgate_auth.schemes.siws import check_siws_text, siws_input, siws_text

SIGNATURE_BYTES = 64
_BASE64_CHARS = 88  # 64 bytes with their padding; base58 of them has at most as many, without "=" at the end


class Siws:
    """The wallet may write the message itself from `input`; then it comes back with the signature."""

    name, namespace = "siws", SOLANA

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(message=siws_text(facts), input=siws_input(facts))

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> None:
        if message is not None:
            check_siws_text(message, facts)
        _require_signature(siws_text(facts) if message is None else message, signature, facts)


class SolanaMessage:
    """`signMessage` of the plain message."""

    name, namespace = "solana", SOLANA

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(message=plain_text(facts))

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> None:
        _require_signature(check_plain_text(facts, message), signature, facts)


def parse_signature(text: str) -> bytes:
    """64 bytes, from base58 or padded base64.

    Raises:
        SignatureInvalid
    """
    try:
        if len(text) == _BASE64_CHARS and text.endswith("=="):
            raw = base64.b64decode(text, validate=True)
            if len(raw) != SIGNATURE_BYTES:
                raise ValueError("not 64 bytes")
            return raw
        return decode_base58(text, length_bytes=SIGNATURE_BYTES)
    except (ValueError, binascii.Error) as fault:
        raise SignatureInvalid(
            "the signature is not valid: write the 64 bytes of one over the message, as base58 or base64; a "
            "transaction that carries the message as a memo is not taken"
        ) from fault


def _require_signature(text: str, signature: str, facts: SigningFacts) -> None:
    """Raises SignatureInvalid."""
    from solders.pubkey import Pubkey
    from solders.signature import Signature

    raw = Signature.from_bytes(parse_signature(signature))
    if not raw.verify(Pubkey.from_string(facts.address), text.encode()):
        raise SignatureInvalid("the signature was not made by the account that asked for the challenge")
