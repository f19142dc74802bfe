"""The schemes of EVM wallets: EIP-4361, a plain personal message, and typed data of our own. A wallet that is a
contract signs in by each of them, too."""

from __future__ import annotations

import attrs

from streamgate.contracts.auth import MessageMismatch
from streamgate.contracts.hooks import ContractProof, SigningFacts, ToSign
from streamgate_auth.accounts import EVM
from streamgate_auth.schemes.contract_wallet import ContractWallets
from streamgate_auth.schemes.plain import check_plain_text, plain_text
from streamgate_auth.schemes.typed_data import hash_typed_data, typed_data
from streamgate_auth.signature import hash_personal_message
from streamgate_auth.statement import check_message, message_for


@attrs.frozen(eq=False)
class Siwe:
    """EIP-4361, signed by `personal_sign`. A wallet may write it in its own way; its exact bytes are verified."""

    _contracts: ContractWallets
    name, namespace = "siwe", EVM

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(message=message_for(facts).to_text())

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> ContractProof | None:
        if message is not None:
            check_message(message, facts)
        text = message_for(facts).to_text() if message is None else message
        return await self._contracts.require_signer(hash_personal_message(text.encode()), signature, facts)


@attrs.frozen(eq=False)
class PersonalMessage:
    """EIP-191: a plain message of ours, signed by `personal_sign`."""

    _contracts: ContractWallets
    name, namespace = "eip191", EVM

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(message=plain_text(facts))

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> ContractProof | None:
        text = check_plain_text(facts, message)
        return await self._contracts.require_signer(hash_personal_message(text.encode()), signature, facts)


@attrs.frozen(eq=False)
class TypedData:
    """EIP-712: a type of ours in a domain of ours, signed by `eth_signTypedData_v4`. What a caller says of types is
    never asked for nor read."""

    _contracts: ContractWallets
    name, namespace = "eip712", EVM

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(typed_data=typed_data(facts))

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> ContractProof | None:
        if message is not None:
            raise MessageMismatch("typed data has no message; leave it out")
        return await self._contracts.require_signer(hash_typed_data(facts), signature, facts)
