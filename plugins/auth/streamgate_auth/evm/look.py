"""One look at one node: reads at one or several blocks, each block's reads of one state.

Gathered (`gather.py`) where the node can, in one round trip. Else by single calls at a block's number, which has to be
asked for first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import ChainId, chain_number
from streamgate_auth.evm import gather
from streamgate_auth.evm.gather import Gatherable
from streamgate_auth.evm.reads import ChainRead, EthCall, Returned, Reverted, Unread
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError, parse_quantity

Tag = Literal["latest", "safe", "finalized"]
Spec = str
"""A tag, or a block's number as `0x…`."""
Batching = Literal["auto", "multicall3", "single"]
NumberFrom = Literal["opcode", "arbsys"]

NOT_GATHERING_S = 600.0  # a node that cannot is not asked to for so long
MAX_ROUNDS = 6
# Arbitrum's NUMBER instruction tells the parent chain's block; this tells its own.
ARB_BLOCK_NUMBER = EthCall("0x" + "64".rjust(40, "0"), "0xa3b1b31d", max_bytes=32)


class _Refused(Exception):
    """The node does not gather at `spec`, or not now."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.spec = spec


@attrs.frozen
class Slice:
    """What was read at one block."""

    number: int
    results: dict[ChainRead, Returned | Reverted | Unread]


@attrs.define(eq=False)
class Lens:
    """How a chain is looked at.

    Args:
        number_from: how the chain's code learns its block number.
    """

    chain: ChainId
    clock: Clock
    batching: Batching = "auto"
    number_from: NumberFrom = "opcode"
    _not_gathering_until_s: dict[int, float] = attrs.field(factory=dict)

    async def look(self, node: Node, wanted: Mapping[Spec, Sequence[ChainRead]]) -> dict[Spec, Slice]:
        """Raises EndpointFault: nothing of it can be used."""
        together = {spec: [read for read in reads if isinstance(read, Gatherable)] for spec, reads in wanted.items()}
        alone = {spec: [read for read in reads if not isinstance(read, Gatherable)] for spec, reads in wanted.items()}
        if not any(together.values()) or not self._gathers(node):
            return await self._singly(node, wanted)
        try:
            slices = await self._gathered(node, together)
        except _Refused as refused:
            slices = await self._singly(node, wanted)
            if any(not isinstance(result, Unread) for result in slices[refused.spec].results.values()):
                self._not_gathering_until_s[node.number] = self.clock.monotonic_s() + NOT_GATHERING_S
            return slices
        pinned = {hex(slices[spec].number): (spec, reads) for spec, reads in alone.items() if reads}
        if pinned:
            added = await self._singly(node, {number: reads for number, (_, reads) in pinned.items()})
            for number, (spec, _) in pinned.items():
                slices[spec].results.update(added[number].results)
        return slices

    async def verified(self, node: Node, questions: Sequence[Question]) -> list[Answer | RpcError]:
        """The answers of a node that is of this chain. Raises EndpointFault."""
        if node.is_verified:
            return await node.ask(questions)
        *answers, told = await node.ask([*questions, Question("eth_chainId")])
        self._require_chain(node, parse_quantity(told))
        return answers

    # --- gathered -------------------------------------------------------------------------------

    def _gathers(self, node: Node) -> bool:
        until_s = self._not_gathering_until_s.get(node.number)
        return self.batching == "auto" and (until_s is None or self.clock.monotonic_s() >= until_s)

    async def _gathered(self, node: Node, wanted: Mapping[Spec, Sequence[Gatherable]]) -> dict[Spec, Slice]:
        """Raises _Refused, EndpointFault."""
        slices: dict[Spec, Slice] = {}
        left = {spec: list(reads) for spec, reads in wanted.items()}
        for _ in range(MAX_ROUNDS):
            asked = {spec: self._with_number(spec, reads, slices) for spec, reads in left.items()}
            blocks = {spec: hex(slices[spec].number) if spec in slices else spec for spec in left}
            answers = await node.ask([gather.question(reads, blocks[spec]) for spec, reads in asked.items()])
            for (spec, reads), answer in zip(asked.items(), answers, strict=True):
                self._take(node, spec, reads, answer, slices)
            left = {spec: [read for read in reads if read not in slices[spec].results] for spec, reads in left.items()}
            left = {spec: reads for spec, reads in left.items() if reads}
            if not left:
                return slices
        raise _Refused(next(iter(left)))

    def _with_number(self, spec: Spec, reads: Sequence[Gatherable], slices: Mapping[Spec, Slice]) -> list[Gatherable]:
        if self.number_from == "arbsys" and spec not in slices:
            reads = [ARB_BLOCK_NUMBER, *reads]
        return list(reads[: gather.fits(reads)])

    def _take(
        self, node: Node, spec: Spec, reads: Sequence[Gatherable], answer: Answer | RpcError, slices: dict[Spec, Slice]
    ) -> None:
        if isinstance(answer, RpcError):
            raise _Refused(spec)
        try:
            gathered = gather.parse(answer, reads)
        except EndpointFault:
            raise _Refused(spec) from None
        self._require_chain(node, gathered.chain_number)
        results: dict[ChainRead, Returned | Reverted | Unread] = {
            read: result for read, result in zip(reads, gathered.results, strict=True) if result is not None
        }
        if not results and reads:
            raise _Refused(spec)  # it has no gas for even one
        number = gathered.number
        if self.number_from == "arbsys" and spec not in slices:
            told = results.pop(ARB_BLOCK_NUMBER, None)
            if not isinstance(told, Returned) or len(told.data) != 32:
                raise _Refused(spec)
            number = int.from_bytes(told.data, "big")
        if spec not in slices:
            if spec.startswith("0x") and number != int(spec, 16):
                raise EndpointFault("it answers at another block than was asked for")
            slices[spec] = Slice(number, {})
        elif self.number_from == "opcode" and number != slices[spec].number:
            raise EndpointFault("it answers at another block than was asked for")
        slices[spec].results.update(results)

    def _require_chain(self, node: Node, found: int) -> None:
        if found != chain_number(self.chain):
            node.is_verified = False
            raise EndpointFault(f"it is not {self.chain}", "wrong_chain")
        node.is_verified = True

    # --- singly ---------------------------------------------------------------------------------

    async def _singly(self, node: Node, wanted: Mapping[Spec, Sequence[ChainRead]]) -> dict[Spec, Slice]:
        """Raises EndpointFault."""
        tags = [spec for spec in wanted if not spec.startswith("0x")]
        numbers = {spec: int(spec, 16) for spec in wanted if spec.startswith("0x")}
        if tags or not node.is_verified:
            told = await self.verified(node, [_number_question(tag) for tag in tags])
            numbers |= {tag: _number_of(tag, answer) for tag, answer in zip(tags, told, strict=True)}
        pairs = [(spec, read) for spec, reads in wanted.items() for read in reads]
        questions = [read.question(hex(numbers[spec])) for spec, read in pairs]
        answers = await _each(node, questions)
        slices = {spec: Slice(numbers[spec], {}) for spec in wanted}
        for (spec, read), answer in zip(pairs, answers, strict=True):
            slices[spec].results[read] = answer if isinstance(answer, Unread) else read.result(answer)
        results = [result for each in slices.values() for result in each.results.values()]
        if results and all(isinstance(result, Unread) and not result.is_of_contract for result in results):
            first = results[0]
            raise EndpointFault(first.reason if isinstance(first, Unread) else "", "refused")
        return slices


async def _each(node: Node, questions: Sequence[Question]) -> list[Answer | RpcError | Unread]:
    """One batch; where its answer is too large, halves of it, until the one is found that makes it so."""
    if not questions:
        return []
    try:
        return await node.ask(questions)
    except EndpointFault as fault:
        if fault.kind != "too_large":
            raise
    node.is_verified = True  # it is the contract's doing
    if len(questions) == 1:
        return [Unread("the contract returned too much", is_of_contract=True)]
    middle = len(questions) // 2
    halves = await asyncio.gather(_each(node, questions[:middle]), _each(node, questions[middle:]))
    return [*halves[0], *halves[1]]


def _number_question(tag: str) -> Question:
    return Question("eth_blockNumber") if tag == "latest" else Question("eth_getBlockByNumber", (tag, False))


def _number_of(tag: str, answer: Answer | RpcError) -> int:
    if isinstance(answer, RpcError):
        raise EndpointFault(f"error {answer.code}", "refused")
    if tag != "latest":
        if not isinstance(answer, dict):
            raise EndpointFault(f"it knows no {tag} block", "refused")
        answer = answer.get("number")
    return parse_quantity(answer)
