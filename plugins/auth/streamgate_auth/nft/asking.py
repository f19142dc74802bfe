"""Asking a chain for people: the chain by its name, one batch a question, a fault where nothing is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import attrs

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.contracts.nft import ChainUnavailable, ContractInvalid
from streamgate.errors import FieldError, Invalid
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.evm import ZERO_ADDRESS, Address, parse_address, parse_chain
from streamgate_auth.evm.balances import word
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.reads import ChainRead, EthCall, HasCode, Unread

SUPPORTS_INTERFACE = "0x01ffc9a7"  # supportsInterface(bytes4), ERC-165
ERC721, ERC721_ENUMERABLE, ERC1155, NO_INTERFACE = "80ac58cd", "780e9d63", "d9b67a26", "ffffffff"
RETRY_AFTER_S = 2.0


@attrs.frozen(kw_only=True)
class Contract:
    """A contract as it says of itself. `says` None: it does not speak ERC-165, or names neither standard."""

    chain: Chain
    address: Address
    says: Literal["erc721", "erc1155"] | None
    is_enumerable: bool
    block_number: int
    read_at_s: float


def supports(contract: str, interface: str) -> EthCall:
    return EthCall(contract, SUPPORTS_INTERFACE + interface.ljust(64, "0"))


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
    interfaces = (ERC721, ERC1155, ERC721_ENUMERABLE, NO_INTERFACE)
    code, *answers = await ask(opened, [HasCode(address), *(supports(address, interface) for interface in interfaces)])
    if word_or_code(code) == b"":
        raise ContractInvalid(f"there is no contract at {address} on {opened.id}")
    # ERC-165: whoever says yes to 0xffffffff says yes to anything, so that none of it counts.
    is_721, is_1155, is_enumerable, is_anything = (word(answer.latest) == 1 for answer in answers)
    is_honest = not is_anything and word(answers[-1].latest) is not None
    return Contract(
        chain=opened,
        address=address,
        says=None if not is_honest else "erc721" if is_721 else "erc1155" if is_1155 else None,
        is_enumerable=is_honest and is_enumerable,
        block_number=code.block_number,
        read_at_s=code.read_at_s,
    )


def word_or_code(read: Read) -> bytes:
    """The bytes that came back; none where it reverted."""
    return getattr(read.latest, "data", b"")


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
