"""The schemes of EVM wallets: EIP-4361, a plain personal message, and typed data of our own."""

from __future__ import annotations

from streamgate.contracts.auth import MessageMismatch, SignatureInvalid
from streamgate.contracts.hooks import SigningFacts, ToSign
from streamgate_auth.accounts import EVM
from streamgate_auth.schemes.plain import check_plain_text, plain_text
from streamgate_auth.schemes.typed_data import hash_typed_data, typed_data
from streamgate_auth.signature import BadSignature, hash_personal_message, recover_from_hash
from streamgate_auth.statement import check_message, message_for


class Siwe:
    """EIP-4361, signed by `personal_sign`. A wallet may write it in its own way; its exact bytes are verified."""

    name, namespace = "siwe", EVM

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(message=message_for(facts).to_text())

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> None:
        if message is not None:
            check_message(message, facts)
        text = message_for(facts).to_text() if message is None else message
        _require_signer(hash_personal_message(text.encode()), signature, facts)


class PersonalMessage:
    """EIP-191: a plain message of ours, signed by `personal_sign`."""

    name, namespace = "eip191", EVM

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(message=plain_text(facts))

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> None:
        text = check_plain_text(facts, message)
        _require_signer(hash_personal_message(text.encode()), signature, facts)


class TypedData:
    """EIP-712: a type of ours in a domain of ours, signed by `eth_signTypedData_v4`. What a caller says of types is
    never asked for nor read."""

    name, namespace = "eip712", EVM

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(typed_data=typed_data(facts))

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> None:
        if message is not None:
            raise MessageMismatch("typed data has no message; leave it out")
        _require_signer(hash_typed_data(facts), signature, facts)


def _require_signer(digest: bytes, signature: str, facts: SigningFacts) -> None:
    """Raises SignatureInvalid."""
    try:
        signer = recover_from_hash(digest, signature)
    except BadSignature as fault:
        raise SignatureInvalid(f"the signature is not valid: {fault}") from fault
    if signer != facts.address:
        raise SignatureInvalid("the signature was not made by the account that asked for the challenge")
