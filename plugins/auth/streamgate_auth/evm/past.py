"""The block of some time ago, for rules that ask how long something has been held.

The block is found by one endpoint's word on the blocks' times; with a quorum, so many must then agree that it is that
old. Endpoints keep the states of some 128 blocks; those before are kept by archive nodes alone.
"""

from __future__ import annotations

import asyncio

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.facts import ChainFacts
from streamgate_auth.evm.measure import word
from streamgate_auth.evm.reads import WORD_BYTES, Returned, Reverted, Unread
from streamgate_auth.rpc.pool import NoAnswer
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError, parse_quantity

KEPT_BLOCKS = 128
"""Whose states every node keeps."""


@attrs.frozen
class BlockTime:
    """Of the block that it is asked at, in Unix seconds; returned as a word."""

    def question(self, block: str) -> Question:
        return Question("eth_getBlockByNumber", (block, False))

    def result(self, answer: Answer | RpcError) -> Returned | Reverted | Unread:
        if isinstance(answer, RpcError):
            return Unread(f"error {answer.code}")
        try:
            time_s = parse_quantity(answer.get("timestamp") if isinstance(answer, dict) else None)
        except EndpointFault as fault:
            return Unread(str(fault))
        return Returned(time_s.to_bytes(WORD_BYTES, "big"))


@attrs.define(eq=False)
class Past:
    """Of one chain, for one leaf: its wallets are judged at one block."""

    chain: Chain
    clock: Clock
    _found: dict[int, int | str] = attrs.field(factory=dict)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def block(self, ago_s: int) -> int | str:
        """The last block that is so old; or why it is not known. A chain that is younger is asked at its first."""
        async with self._lock:
            if ago_s not in self._found:
                self._found[ago_s] = await self._find(ago_s)
            return self._found[ago_s]

    async def _find(self, ago_s: int) -> int | str:
        moment_s = self.clock.now_s() - ago_s
        try:
            found = await self.chain.block_at(moment_s)
        except NoAnswer as fault:
            return f"{self.chain.id}: the block of {ago_s} s ago could not be found: {fault}"
        told = await self.chain.call(BlockTime(), at_block=found.number)
        time_s = word(told.latest) if isinstance(told, Read) else None
        if time_s is None or (time_s > moment_s and found.number > 0):
            reason = told.reason if isinstance(told, Unread) else "the endpoints disagree"
            return f"{self.chain.id}: the time of block {found.number} is not sure: {reason}"
        return found.number

    def unread(self, block: int, reason: str) -> str:
        return (
            f"what was held at block {block} could not be read ({reason}): states that old are kept by archive nodes "
            f"alone"
        )


def archive_warning(facts: ChainFacts, held_for_s: int) -> tuple[str, ...]:
    """What the owner of a rule must know who looks so far back."""
    blocks = int(held_for_s / facts.block_time_s)
    if blocks <= KEPT_BLOCKS:
        return ()
    text = (
        f"held_for_s looks some {blocks} blocks back; beyond {KEPT_BLOCKS} only archive nodes keep the states, and "
        f"with others this is unknown and opens to nobody"
    )
    return (text,)
