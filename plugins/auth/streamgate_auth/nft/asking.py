"""Asking a chain for people: the chain by its name, one batch a question, a fault where nothing is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.contracts.nft import ChainUnavailable, ContractInvalid
from streamgate.errors import FieldError, Invalid
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.evm import ZERO_ADDRESS, Address, parse_address, parse_chain
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.detect import Says, detect
from streamgate_auth.evm.reads import ChainRead, Unread

RETRY_AFTER_S = 2.0


@attrs.frozen(kw_only=True)
class Contract:
    """A contract as it says of itself. `says` None: it does not speak ERC-165, or names neither standard."""

    chain: Chain
    address: Address
    says: Says | None
    is_enumerable: bool
    block_number: int
    read_at_s: float


async def open_chain(chains: Chains, chain: str) -> Chain:
    """Raises ChainUnknown: 422."""
    found = await chains.get(parse_chain(chain))
    if found is None:
        known = ", ".join(await chains.readable()) or "none"
        raise ChainUnknown(f"chain {chain} is not configured; configured: {known}")
    return found


async def ask(chain: Chain, reads: Sequence[ChainRead], *, min_block: int = 0) -> list[Read]:
    """All in one batch.

    Raises:
        ChainUnavailable: 503, one of them could not be read.
    """
    answers = await asyncio.gather(*(chain.call(read, min_block=min_block) for read in reads))
    for answer in answers:
        if isinstance(answer, Unread):
            raise unavailable(answer)
    return [answer for answer in answers if isinstance(answer, Read)]


def unavailable(answer: Unread) -> ChainUnavailable:
    return ChainUnavailable(f"the chain cannot be read now: {answer.reason}", retry_after_s=RETRY_AFTER_S)


async def open_contract(chains: Chains, chain: str, contract: str) -> Contract:
    """What is there, by code and by ERC-165.

    Raises:
        ChainUnknown, AddressInvalid: 422. ContractInvalid: 422, no code there. ChainUnavailable: 503.
    """
    opened = await open_chain(chains, chain)
    try:
        address = parse_address(contract)
    except AddressInvalid as fault:
        raise AddressInvalid(fault.detail, errors=(FieldError("contract", fault.detail),)) from fault
    if address == ZERO_ADDRESS:
        raise ContractInvalid("the zero address is no contract")
    found = await detect(opened, address)
    if isinstance(found, Unread):
        raise unavailable(found)
    if not found.has_code:
        raise ContractInvalid(f"there is no contract at {address} on {opened.id}")
    return Contract(
        chain=opened,
        address=address,
        says=found.says,
        is_enumerable=found.is_enumerable,
        block_number=found.block_number,
        read_at_s=found.read_at_s,
    )


def checked_at(read_at_s: float) -> str:
    return rfc3339(int(read_at_s * 1000))


def require_number(field: str, text: str, *, least: int = 0) -> int:
    """A uint256 in decimal. Raises Invalid: 422 at that field."""
    if not (text.isascii() and text.isdigit() and len(text) <= 78 and str(int(text)) == text):
        fault = "must be a whole number below 2^256, written in decimal digits"
    elif not least <= int(text) < 1 << 256:
        fault = f"must be at least {least}, and below 2^256"
    else:
        return int(text)
    raise Invalid(f"{field} {fault}", errors=(FieldError(field, fault),))


def invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field} {message}", errors=(FieldError(field, message),))
