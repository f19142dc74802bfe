"""Reading who holds how many: the calls of the token standards, and the three-valued answer made of their results.

Loss counts at the head, gain only when the confirmed block says the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.evm import ChainId
from streamgate_auth.evm.chain import Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.reads import WORD_BYTES, ChainRead, EthCall, Returned, Reverted, Unread

# First four bytes of keccak256 of the signatures, from the standards' interfaces.
BALANCE_OF = "0x70a08231"  # balanceOf(address), of ERC-20 and ERC-721 alike
BALANCE_OF_ID = "0x00fdd58e"  # balanceOf(address,uint256), ERC-1155
OWNER_OF = "0x6352211e"  # ownerOf(uint256), ERC-721


def address_word(address: str) -> str:
    return address[2:].lower().rjust(2 * WORD_BYTES, "0")


def number_word(number: str | int) -> str:
    return f"{int(number):064x}"


def balance_of(contract: str, wallet: str) -> EthCall:
    return EthCall(contract, BALANCE_OF + address_word(wallet))


def balance_of_id(contract: str, wallet: str, token_id: str) -> EthCall:
    return EthCall(contract, BALANCE_OF_ID + address_word(wallet) + number_word(token_id))


def owner_of(contract: str, token_id: str) -> EthCall:
    return EthCall(contract, OWNER_OF + number_word(token_id))


def word(result: Returned | Reverted) -> int | None:
    """What a call returned as one number; None where it reverted or returned something else."""
    if isinstance(result, Reverted) or len(result.data) != WORD_BYTES:
        return None
    return int.from_bytes(result.data, "big")


def owner_count(wallets: frozenset[str]) -> Callable[[int], int | None]:
    """Of `ownerOf`'s word: 1 where one of these wallets (lower case) owns it, None where it is no address."""

    def count(owner: int) -> int | None:
        return None if owner >= 1 << 160 else int(f"0x{owner:040x}" in wallets)

    return count


def judge(
    answer: Read | Unread, least: int, *, what: str, count: Callable[[int], int | None] = lambda balance: balance
) -> Reading:
    """Args:
    count: turns the word that the chain returned into how many are held; None is a word that makes no sense.
    what: what the contract should be (`an ERC-721`), for the reason.
    """
    if isinstance(answer, Unread):
        return Reading(outcome="unknown", reason=answer.reason)
    now, before = (None if found is None else count(found) for found in map(word, (answer.latest, answer.confirmed)))
    seen = Reading(
        outcome="unknown",
        held="" if now is None else str(now),
        block_number=answer.block_number,
        nodes=answer.nodes,
        read_at_s=answer.read_at_s,
    )
    if now is None:
        return attrs.evolve(seen, reason=f"the contract does not answer as {what} does")
    if now < least:
        return attrs.evolve(seen, outcome="does_not_hold")
    if before is None or before < least:
        return attrs.evolve(seen, reason="held, but not confirmed yet")
    return attrs.evolve(seen, outcome="holds")


def merge(readings: Sequence[Reading]) -> Reading:
    """Of several wallets any one may satisfy it alone; what none satisfies is unknown if one could not be read."""
    for outcome in ("holds", "unknown", "does_not_hold"):
        found = [reading for reading in readings if reading.outcome == outcome]
        if found:
            best = max(found, key=lambda reading: int(reading.held or "0"))
            times = [reading.read_at_s for reading in readings if reading.read_at_s is not None]
            return attrs.evolve(best, read_at_s=min(times, default=None))
    return Reading(outcome="does_not_hold", held="0", reason="no wallet of this kind of chain is linked")


async def read_each_wallet(
    chains: Chains, leaf: Leaf, least: int, question: Callable[[str], ChainRead], *, what: str
) -> Reading:
    """One question a wallet of this kind of chain, all in one batch. `leaf.params.chain` is where."""
    chain = await chains.get(ChainId(leaf.params.chain))
    if chain is None:
        return Reading(outcome="unknown", reason=f"{leaf.params.chain} is not configured")
    wallets = [address for address in leaf.addresses if address.startswith("0x")]
    min_block = leaf.min_block.get(leaf.params.chain, 0)
    answers = await asyncio.gather(*(chain.call(question(wallet), min_block=min_block) for wallet in wallets))
    return merge([judge(answer, least, what=what) for answer in answers])
