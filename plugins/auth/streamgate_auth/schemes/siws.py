"""Sign-In With Solana: the text that wallets write for `signIn`, parsed strictly.

In the standard every field but domain and address may be left out; here the nonce and the time of issue may not,
and whatever else is there must be what was asked. Order and form are those of the wallet standard's own
`createSignInMessageText`; no field may be doubled or unknown, or hold a line break.

Source: https://github.com/phantom/sign-in-with-solana (message format), @solana/wallet-standard-util.
"""

from __future__ import annotations

import hmac
import re

from streamgate.contracts.auth import ChainUnknown, MessageMismatch
from streamgate.contracts.hooks import SigningFacts
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.origin import Origin
from streamgate_auth.siwe import SiweInvalid, parse_time

MAX_MESSAGE_CHARS = 4096
_LINE = r"[^\n\r]+"
_LABEL = r"(?:URI|Version|Chain ID|Nonce|Issued At|Expiration Time|Not Before|Request ID): "
_MESSAGE = re.compile(
    rf"(?P<domain>{_LINE}) wants you to sign in with your Solana account:\n"
    r"(?P<address>[1-9A-HJ-NP-Za-km-z]{32,44})"
    # What begins with a field's label is no statement: else a field could hide as one.
    rf"(?:\n\n(?P<statement>(?!{_LABEL}){_LINE}))?"
    r"\n"
    rf"(?:\nURI: (?P<uri>{_LINE}))?"
    r"(?:\nVersion: (?P<version>1))?"
    rf"(?:\nChain ID: (?P<chain>{_LINE}))?"
    r"\nNonce: (?P<nonce>[A-Za-z0-9]{8,128})"
    rf"\nIssued At: (?P<issued_at>{_LINE})"
    rf"(?:\nExpiration Time: (?P<expires_at>{_LINE}))?",
)


def siws_input(facts: SigningFacts) -> dict[str, str]:
    """What a page gives to the wallet's `signIn`."""
    return {
        "domain": facts.domain,
        "address": facts.address,
        "statement": facts.statement,
        "uri": facts.origin,
        "version": "1",
        "chainId": facts.chain.partition(":")[2],
        "nonce": facts.nonce,
        "issuedAt": facts.issued_at,
        "expirationTime": facts.expires_at,
    }


def siws_text(facts: SigningFacts) -> str:
    """The text that a wallet writes of `siws_input`, without a final line break."""
    asked = siws_input(facts)
    return "\n".join(
        (
            f"{asked['domain']} wants you to sign in with your Solana account:",
            asked["address"],
            "",
            asked["statement"],
            "",
            f"URI: {asked['uri']}",
            f"Version: {asked['version']}",
            f"Chain ID: {asked['chainId']}",
            f"Nonce: {asked['nonce']}",
            f"Issued At: {asked['issuedAt']}",
            f"Expiration Time: {asked['expirationTime']}",
        )
    )


def check_siws_text(text: str, facts: SigningFacts) -> None:
    """Whether a text, as a wallet signed it, asks for what the challenge asked for.

    Raises:
        MessageMismatch: naming the first field that differs, never its value.
    """
    found = _MESSAGE.fullmatch(text) if len(text) <= MAX_MESSAGE_CHARS else None
    if found is None:
        raise MessageMismatch("the message does not have the form of Sign-In With Solana, with nonce and time of issue")
    signed = found.groupdict()
    for name, wanted in (("domain", facts.domain), ("address", facts.address), ("nonce", facts.nonce)):
        if not hmac.compare_digest(signed[name].encode(), wanted.encode()):
            raise _differs(name)
    if signed["statement"] != facts.statement:
        raise _differs("statement")
    if signed["uri"] is not None and not Origin.parse(facts.origin).covers(signed["uri"]):
        raise _differs("uri")
    if signed["chain"] is not None and _chain(signed["chain"]) != facts.chain:
        raise _differs("chain id")
    if not _same_time(signed["issued_at"], facts.issued_at):
        raise _differs("issued at")
    if signed["expires_at"] is not None and not _same_time(signed["expires_at"], facts.expires_at):
        raise _differs("expiration time")


def _chain(text: str) -> str:
    """Wallets write `mainnet`, `solana:mainnet` or the genesis-hash form."""
    try:
        return parse_solana_chain(text if ":" in text else f"solana:{text}")
    except ChainUnknown:
        return ""


def _same_time(text: str, wanted: str) -> bool:
    try:
        signed = parse_time(text)
    except SiweInvalid:
        return False
    return signed.tzinfo is not None and signed == parse_time(wanted)


def _differs(field: str) -> MessageMismatch:
    return MessageMismatch(f"the signed message differs from the challenge in: {field}")
