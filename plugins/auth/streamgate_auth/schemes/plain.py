"""The plain message of ours, for wallets that sign any text (EIP-191 `personal_sign`, Solana `signMessage`)."""

from __future__ import annotations

import hmac

from streamgate.contracts.auth import MessageMismatch
from streamgate.contracts.hooks import SigningFacts


def plain_text(facts: SigningFacts) -> str:
    """The text to sign, without a final line break. Its first line tells it from EIP-4361's and Solana's forms."""
    return "\n".join(
        (
            f"StreamGate at {facts.domain} asks whose wallet this is.",
            "",
            facts.statement,
            "",
            f"Origin: {facts.origin}",
            f"Account: {facts.chain}:{facts.address}",
            f"Nonce: {facts.nonce}",
            f"Issued At: {facts.issued_at}",
            f"Expires At: {facts.expires_at}",
        )
    )


def check_plain_text(facts: SigningFacts, message: str | None) -> str:
    """The text that must have been signed. No wallet writes this one itself, so a text that was sent is the same.

    Raises:
        MessageMismatch
    """
    text = plain_text(facts)
    if message is not None and not hmac.compare_digest(message.encode(), text.encode()):
        raise MessageMismatch("the signed message differs from the one that was asked for")
    return text
