"""The requirement kind `erc721`: holds tokens of a collection, or one certain token (EIP-721)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.errors import StreamgateError
from streamgate.sdk.evm import ZERO_ADDRESS, ChainId, parse_address, parse_chain
from streamgate_auth.evm.chain import EthCall, Read, Returned, Reverted, Unread
from streamgate_auth.evm.chains import Chains

# First four bytes of keccak256 of the signatures, from the standard's interface.
BALANCE_OF = "0x70a08231"  # balanceOf(address)
OWNER_OF = "0x6352211e"  # ownerOf(uint256)
WORD_BYTES = 32
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)


def _uint256(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and (not _DECIMAL.fullmatch(value) or int(value) >= 1 << 256):
        raise ValueError("must be a whole number below 2^256, written in decimal digits")


def _at_least_one(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    _uint256(_, attribute, value)
    if value == "0":
        raise ValueError("must be at least 1")


def _is_chain(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        parse_chain(value)
    except StreamgateError as fault:
        raise ValueError("must be a CAIP-2 id of an EVM chain, for instance eip155:1") from fault


def _is_address(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        address = parse_address(value)
    except StreamgateError as fault:
        raise ValueError("must be a contract's address: 0x and 40 hexadecimal digits, its checksum right") from fault
    if address == ZERO_ADDRESS:
        raise ValueError("must not be the zero address")


@attrs.frozen(kw_only=True)
class Erc721:
    """Parameters. `token_id` None: any token of the collection, at least `min` of them in one wallet."""

    chain: str = attrs.field(validator=_is_chain)
    contract: str = attrs.field(validator=_is_address)
    token_id: str | None = attrs.field(default=None, validator=_uint256)
    min: str = attrs.field(default="1", validator=_at_least_one)

    def __attrs_post_init__(self) -> None:
        if self.token_id is not None and self.min != "1":
            raise ValueError("a single token_id can be held once only: leave min out")


@attrs.frozen(eq=False)
class Erc721Reader:
    """Reads the kind by the chains it is given."""

    chains: Chains

    def kind(self) -> RequirementKind:
        return RequirementKind(
            name="erc721",
            summary="Holds tokens of an ERC-721 collection, or one certain token of it.",
            params=Erc721,
            describe=describe,
            read=self.read,
            leaf_key=lambda params: f"{params.chain}/{params.contract.lower()}",
            needed=lambda params: params.min,
            canonical=lambda params: attrs.evolve(params, contract=parse_address(params.contract)),
            check=self.check,
        )

    async def check(self, params: Erc721) -> None:
        if await self.chains.get(ChainId(params.chain)) is None:
            known = ", ".join(await self.chains.readable()) or "none"
            raise ValueError(f"chain {params.chain} is not configured; configured: {known}")

    async def read(self, leaf: Leaf) -> Reading:
        params: Erc721 = leaf.params
        chain = await self.chains.get(ChainId(params.chain))
        if chain is None:
            return Reading(outcome="unknown", reason=f"{params.chain} is not configured")
        wallets = [address for address in leaf.addresses if address.startswith("0x")]
        calls = [_call(params, wallet) for wallet in wallets] if params.token_id is None else [_call(params, "")]
        min_block = leaf.min_block.get(params.chain, 0)
        answers = await asyncio.gather(*(chain.call(call, min_block=min_block) for call in calls))
        if params.token_id is None:
            return _merge([_read_balance(answer, int(params.min)) for answer in answers])
        return _read_owner(answers[0], frozenset(wallet.lower() for wallet in wallets))


def describe(params: Erc721) -> str:
    where = f"{parse_address(params.contract)} on {params.chain}"
    if params.token_id is not None:
        return f"holds token {params.token_id} of {where}"
    return f"holds a token of {where}" if params.min == "1" else f"holds at least {params.min} tokens of {where}"


def _call(params: Erc721, wallet: str) -> EthCall:
    if params.token_id is None:
        return EthCall(params.contract, BALANCE_OF + wallet[2:].lower().rjust(2 * WORD_BYTES, "0"))
    return EthCall(params.contract, OWNER_OF + f"{int(params.token_id):064x}")


def _read_balance(answer: Read | Unread, least: int) -> Reading:
    return _judge(answer, lambda balance: balance, least)


def _read_owner(answer: Read | Unread, wallets: frozenset[str]) -> Reading:
    """A token that nobody owns makes `ownerOf` revert: that is a no, not a fault."""
    if isinstance(answer, Read) and isinstance(answer.latest, Reverted):
        return Reading(
            outcome="does_not_hold",
            held="0",
            block_number=answer.block_number,
            nodes=1,
            reason="no such token",
            read_at_s=answer.read_at_s,
        )

    def count(owner: int) -> int | None:
        return None if owner >= 1 << 160 else int(f"0x{owner:040x}" in wallets)

    return _judge(answer, count, 1)


def _judge(answer: Read | Unread, count: Callable[[int], int | None], least: int) -> Reading:
    """Loss counts at the head, gain only when the confirmed block says the same. `count` turns the word that the
    contract returned into how many are held; None is a word that makes no sense."""
    if isinstance(answer, Unread):
        return Reading(outcome="unknown", reason=answer.reason)
    now, before = _count(answer.latest, count), _count(answer.confirmed, count)
    seen = Reading(
        outcome="unknown",
        held="" if now is None else str(now),
        block_number=answer.block_number,
        nodes=1,
        read_at_s=answer.read_at_s,
    )
    if now is None:
        return attrs.evolve(seen, reason="the contract does not answer as an ERC-721 does")
    if now < least:
        return attrs.evolve(seen, outcome="does_not_hold")
    if before is None or before < least:
        return attrs.evolve(seen, reason="held, but not confirmed yet")
    return attrs.evolve(seen, outcome="holds")


def _count(result: Returned | Reverted, count: Callable[[int], int | None]) -> int | None:
    if isinstance(result, Reverted) or len(result.data) != WORD_BYTES:
        return None
    return count(int.from_bytes(result.data, "big"))


def _merge(readings: Sequence[Reading]) -> Reading:
    """Of several wallets any one may satisfy it alone; what none satisfies is unknown if one could not be read."""
    for outcome in ("holds", "unknown", "does_not_hold"):
        found = [reading for reading in readings if reading.outcome == outcome]
        if found:
            best = max(found, key=lambda reading: int(reading.held or "0"))
            times = [reading.read_at_s for reading in readings if reading.read_at_s is not None]
            return attrs.evolve(best, read_at_s=min(times, default=None))
    return Reading(outcome="does_not_hold", held="0", reason="no wallet of this kind of chain is linked")
