"""Wallets that are contracts: their word instead of a key's (ERC-1271), also before they are on the chain (ERC-6492).

A contract is whoever its code says, on its own chain alone, and may change its mind: what it accepted is kept with the
sign-in and asked again at each refresh. What the chain cannot say now is unknown, and 503: never a yes, never a no.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import attrs

from streamgate.contracts.auth import SignatureInvalid
from streamgate.contracts.hooks import ContractProof, SigningFacts
from streamgate.contracts.nft import ChainUnavailable
from streamgate.sdk.evm import ChainId, to_checksum
from streamgate_auth.evm.reads import WORD_BYTES, Returned, Unread
from streamgate_auth.evm.validator import MAX_SIGNATURE_BYTES, SignatureCall, Verdict, verdict_of
from streamgate_auth.limits import ChainLimit
from streamgate_auth.signature import BadSignature, recover_from_hash

if TYPE_CHECKING:
    from streamgate_auth.evm.chains import Chains

TIMEOUT_S = 6.0  # for all endpoints of the chain together
RETRY_AFTER_S = 2.0
_KEY_SIGNATURE_CHARS = 2 + 2 * 65
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_WRAPPED = bytes.fromhex("6492" * 16)  # ERC-6492's magic suffix
NOT_THE_SIGNER = "the signature was not made by the account that asked for the challenge"
_REFUSALS = {
    Verdict.REFUSED: "the contract at this address does not accept the signature",
    Verdict.NOT_MADE: "the factory named in the signature makes no wallet at this address",
}


class Malformed(ValueError):
    """Not a signature that a contract could be asked about."""


@attrs.frozen(eq=False)
class ContractWallets:
    """Asks by the chains it is given. `limit`: how often, of whoever wants to sign in."""

    chains: Chains
    limit: ChainLimit

    async def require_signer(self, digest: bytes, signature: str, facts: SigningFacts) -> ContractProof | None:
        """Returns where the account signed: None by its key, else what its contract accepted.

        Raises:
            SignatureInvalid: 401. ChainUnavailable: 503, the chain cannot say now. TooMany: 429.
        """
        why = NOT_THE_SIGNER
        if len(signature) == _KEY_SIGNATURE_CHARS:
            try:
                if recover_from_hash(digest, signature) == facts.address:
                    return None
            except BadSignature as fault:
                why = f"the signature is not valid: {fault}"
        proof = ContractProof(digest=digest, signature=_raw(signature))
        if await self.chains.get(ChainId(facts.chain)) is None:
            raise SignatureInvalid(f"{why}; contract wallets cannot be asked here: {facts.chain} is not configured")
        self.limit.spend(facts)
        verdict = await self.ask(facts.address, facts.chain, proof)
        if verdict is Verdict.ACCEPTED:
            return proof
        raise SignatureInvalid(why if verdict is Verdict.NO_CODE else _REFUSALS[verdict])

    async def ask(self, address: str, chain: str, proof: ContractProof) -> Verdict:
        """What the contract says now.

        Raises:
            SignatureInvalid: what is kept as a signature is none. ChainUnavailable: 503.
        """
        try:
            question = call_for(address, proof)
        except Malformed as fault:
            raise SignatureInvalid(f"the signature is not valid: {fault}") from fault
        found = await self.chains.get(ChainId(chain))
        if found is None:
            raise _unavailable(chain, "it is not configured")
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await found.call(question, finality="latest")
        except TimeoutError as fault:
            raise _unavailable(chain, "no answer in time") from fault
        if isinstance(answer, Unread):
            raise _unavailable(chain, answer.reason)
        if not isinstance(answer.latest, Returned):
            raise _unavailable(chain, "the answer is not a verdict")
        return verdict_of(answer.latest)


def _unavailable(chain: str, reason: str) -> ChainUnavailable:
    return ChainUnavailable(
        f"{chain} cannot say now whether this address is a contract that accepts the signature ({reason}); nothing "
        "was used up, try again",
        retry_after_s=RETRY_AFTER_S,
    )


def call_for(address: str, proof: ContractProof) -> SignatureCall:
    """The question to a chain.

    Raises:
        Malformed: an ERC-6492 wrapper that does not hold what it must.
    """
    if not proof.signature.endswith(_WRAPPED):
        return SignatureCall(wallet=address, digest=proof.digest, signature=proof.signature)
    wrapped = proof.signature[: -len(_WRAPPED)]
    return SignatureCall(
        wallet=address,
        digest=proof.digest,
        signature=_bytes_at(wrapped, 2),
        factory=_address_at(wrapped, 0),
        factory_call=_bytes_at(wrapped, 1),
    )


def _raw(signature: str) -> bytes:
    if len(signature) > 2 + 2 * MAX_SIGNATURE_BYTES or not _HEX.fullmatch(signature):
        raise SignatureInvalid(
            f"the signature is not valid: write 0x and hexadecimal digits, at most {MAX_SIGNATURE_BYTES} bytes"
        )
    return bytes.fromhex(signature[2:])


def _word_at(data: bytes, offset: int) -> int:
    if offset < 0 or offset + WORD_BYTES > len(data):
        raise Malformed("the ERC-6492 wrapper is cut short")
    return int.from_bytes(data[offset : offset + WORD_BYTES], "big")


def _address_at(data: bytes, place: int) -> str:
    number = _word_at(data, place * WORD_BYTES)
    if not 0 < number < 1 << 160:
        raise Malformed("the ERC-6492 wrapper names no factory")
    return to_checksum(f"0x{number:040x}")


def _bytes_at(data: bytes, place: int) -> bytes:
    """ABI's `bytes` whose offset stands at this place of the head."""
    offset = _word_at(data, place * WORD_BYTES)
    size = _word_at(data, offset)
    begin = offset + WORD_BYTES
    if begin + size > len(data):
        raise Malformed("the ERC-6492 wrapper is cut short")
    return data[begin : begin + size]
