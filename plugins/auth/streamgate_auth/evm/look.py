"""One look at one node: reads at one or several blocks, each block's reads of one state.

Together in one round trip where the node can (`gather.py`, `multicall.py`). Else by single calls at a block's number,
which has to be asked for first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import ChainId, chain_number
from streamgate_auth.evm.gather import Gathering
from streamgate_auth.evm.multicall import Multicall
from streamgate_auth.evm.reads import ChainRead, EthCall, Returned, Reverted, Unread
from streamgate_auth.evm.single import each_singly, number_of, number_question
from streamgate_auth.evm.together import Together
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError, parse_quantity

Tag = Literal["latest", "safe", "finalized"]
Spec = str
"""A tag, or a block's number as `0x…`."""
Batching = Literal["auto", "multicall3", "single"]
NumberFrom = Literal["opcode", "arbsys"]

NOT_TOGETHER_S = 600.0  # a node that cannot is not asked to for so long
MAX_ROUNDS = 6
MAX_NUMBER = 1 << 63
# Arbitrum's NUMBER instruction tells the parent chain's block; this tells its own.
ARB_BLOCK_NUMBER = EthCall("0x" + "64".rjust(40, "0"), "0xa3b1b31d", max_bytes=32)


class _Refused(Exception):
    """The node does not do it in this way, or not now; `spec` is where it did not."""

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
        multicall: address of Multicall3, or "".
        number_from: how the chain's code learns its block number.
    """

    chain: ChainId
    clock: Clock
    batching: Batching = "auto"
    multicall: str = ""
    number_from: NumberFrom = "opcode"
    _not_until_s: dict[tuple[int, str], float] = attrs.field(factory=dict)

    async def look(self, node: Node, wanted: Mapping[Spec, Sequence[ChainRead]]) -> dict[Spec, Slice]:
        """Raises EndpointFault: nothing of it can be used."""
        refusals: list[tuple[Together, Spec]] = []
        slices: dict[Spec, Slice] | None = None
        for way in self._ways(node):
            try:
                slices = await self._together(node, way, wanted)
                break
            except _Refused as refused:
                refusals.append((way, refused.spec))
            except EndpointFault as fault:
                if fault.kind != "too_large":  # a contract's doing: singly it is found out which
                    raise
        if slices is None:
            slices = await self._singly(node, wanted)
        for way, spec in refusals:
            if any(not isinstance(result, Unread) for result in slices[spec].results.values()):
                self._not_until_s[node.number, way.name] = self.clock.monotonic_s() + NOT_TOGETHER_S
        return slices

    async def verified(self, node: Node, questions: Sequence[Question]) -> list[Answer | RpcError]:
        """The answers of a node that is of this chain. Raises EndpointFault."""
        if node.is_verified:
            return await node.ask(questions)
        *answers, told = await node.ask([*questions, Question("eth_chainId")])
        self._require_chain(node, parse_quantity(told))
        return answers

    # --- together -------------------------------------------------------------------------------

    def _ways(self, node: Node) -> list[Together]:
        ways: list[Together] = [Gathering()] if self.batching == "auto" else []
        if self.multicall and self.batching != "single":
            ways.append(Multicall(self.multicall))
        now_s = self.clock.monotonic_s()
        return [way for way in ways if now_s >= self._not_until_s.get((node.number, way.name), 0.0)]

    async def _together(
        self, node: Node, way: Together, wanted: Mapping[Spec, Sequence[ChainRead]]
    ) -> dict[Spec, Slice]:
        """Raises _Refused, EndpointFault."""
        slices: dict[Spec, Slice] = {}
        left = {spec: [read for read in reads if way.takes(read)] for spec, reads in wanted.items()}
        if not any(left.values()):
            return await self._singly(node, wanted)
        for _ in range(MAX_ROUNDS if way.repeats else 1):
            asked = {spec: self._portion(way, spec, reads, slices) for spec, reads in left.items()}
            blocks = {spec: hex(slices[spec].number) if spec in slices else spec for spec in left}
            answers = await node.ask([way.question(reads, blocks[spec]) for spec, reads in asked.items()])
            for (spec, reads), answer in zip(asked.items(), answers, strict=True):
                self._take(node, way, spec, reads, answer, slices)
            left = {spec: _without(reads, slices[spec]) for spec, reads in left.items()}
            left = {spec: reads for spec, reads in left.items() if reads}
            if not left:
                break
        else:
            if way.repeats:
                raise _Refused(next(iter(left)))
        rest = {spec: _without(reads, slices[spec]) for spec, reads in wanted.items()}
        pinned = {hex(slices[spec].number): reads for spec, reads in rest.items() if reads}
        if pinned:
            added = await self._singly(node, pinned)
            for spec, reads in rest.items():
                if reads:
                    slices[spec].results.update(added[hex(slices[spec].number)].results)
        return slices

    def _portion(
        self, way: Together, spec: Spec, reads: Sequence[ChainRead], slices: Mapping[Spec, Slice]
    ) -> list[ChainRead]:
        if self.number_from == "arbsys" and spec not in slices:
            reads = [ARB_BLOCK_NUMBER, *reads]
        return list(reads[: way.fits(reads)])

    def _take(
        self,
        node: Node,
        way: Together,
        spec: Spec,
        reads: Sequence[ChainRead],
        answer: Answer | RpcError,
        slices: dict[Spec, Slice],
    ) -> None:
        if isinstance(answer, RpcError):
            raise _Refused(spec)
        try:
            gathered = way.parse(answer, reads)
        except EndpointFault:
            raise _Refused(spec) from None
        self._require_chain(node, gathered.chain_number)
        results: dict[ChainRead, Returned | Reverted | Unread] = {
            read: result for read, result in zip(reads, gathered.results, strict=True) if result is not None
        }
        if not results and reads and way.repeats:
            raise _Refused(spec)  # it has no gas for even one
        number = gathered.number
        if self.number_from == "arbsys":
            told = results.pop(ARB_BLOCK_NUMBER, None)
            if spec in slices:
                number = slices[spec].number
            elif isinstance(told, Returned) and len(told.data) == 32:
                number = int.from_bytes(told.data, "big")
            else:
                raise _Refused(spec)
        expected = slices[spec].number if spec in slices else int(spec, 16) if spec.startswith("0x") else number
        if number != expected or number >= MAX_NUMBER:
            raise EndpointFault("it answers at another block than was asked for")
        slices.setdefault(spec, Slice(number, {})).results.update(results)

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
            told = await self.verified(node, [number_question(tag) for tag in tags])
            numbers |= {tag: number_of(tag, answer) for tag, answer in zip(tags, told, strict=True)}
        pairs = [(spec, read) for spec, reads in wanted.items() for read in reads]
        results = await each_singly(node, [(read, hex(numbers[spec])) for spec, read in pairs])
        slices = {spec: Slice(numbers[spec], {}) for spec in wanted}
        for (spec, read), result in zip(pairs, results, strict=True):
            slices[spec].results[read] = result
        return slices


def _without(reads: Sequence[ChainRead], known: Slice) -> list[ChainRead]:
    return [read for read in reads if read not in known.results]
