"""The EIP-4361 message a person signs, and the check that what they signed is that message."""

from __future__ import annotations

import hmac

from streamgate.contracts.auth import MessageMismatch
from streamgate.contracts.hooks import SigningFacts
from streamgate.sdk.evm import ChainId, chain_number
from streamgate_auth.origin import Origin
from streamgate_auth.siwe import SiweInvalid, SiweMessage, parse_siwe, parse_time


def message_for(facts: SigningFacts) -> SiweMessage:
    """The EIP-4361 message for a challenge; the same one each time."""
    return SiweMessage(
        domain=facts.domain,
        address=facts.address,
        statement=facts.statement,
        uri=facts.origin,
        chain_id=str(chain_number(ChainId(facts.chain))),
        nonce=facts.nonce,
        issued_at=facts.issued_at,
        expiration_time=facts.expires_at,
    )


def check_message(text: str, facts: SigningFacts) -> None:
    """Whether a text, as a wallet signed it, asks for exactly what the challenge asked for.

    A wallet may write a time in another form, name the scheme before the domain, or a page below our origin;
    everything else must be as it was issued.

    Raises:
        MessageMismatch: naming the first field that differs, never its value.
    """
    try:
        signed = parse_siwe(text)
    except SiweInvalid as fault:
        raise MessageMismatch(str(fault)) from fault
    asked, origin = message_for(facts), Origin.parse(facts.origin)
    same_text = {
        "domain": (signed.domain, asked.domain),
        "address": (signed.address, asked.address),
        "statement": (signed.statement or "", asked.statement or ""),
        "version": (signed.version, asked.version),
        "chain id": (signed.chain_id, asked.chain_id),
        "nonce": (signed.nonce, asked.nonce),
    }
    for name, (found, wanted) in same_text.items():
        if not hmac.compare_digest(found.encode(), wanted.encode()):
            raise _differs(name)
    if signed.scheme not in (None, origin.scheme):
        raise _differs("scheme")
    if not origin.covers(signed.uri):
        raise _differs("uri")
    if parse_time(signed.issued_at) != parse_time(facts.issued_at):
        raise _differs("issued at")
    expires = signed.expiration_time
    if expires is None or parse_time(expires) != parse_time(facts.expires_at):
        raise _differs("expiration time")
    for name, extra in (
        ("not before", signed.not_before),
        ("request id", signed.request_id),
        ("resources", signed.resources),
    ):
        if extra is not None:
            raise _differs(name)


def _differs(field: str) -> MessageMismatch:
    return MessageMismatch(f"the signed message differs from the challenge in: {field}")
