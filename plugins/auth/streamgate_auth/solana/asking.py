"""What one node says of some reads: of the right cluster, recent enough, and in a form that makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import Pool
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError
from streamgate_auth.solana.facts import genesis_of
from streamgate_auth.solana.reads import Commitment, Lane, SolanaRead, Told, Unread, parse_slot

SLOT_S = 0.4
"""Usual time between two slots. Unlike blocks elsewhere they go on while nothing happens."""
STANDS_S = 60.0
"""A node whose slot has not moved for so long stands still, even where there is none to compare it with."""
LACKS_S = 600.0
"""For so long a node is not asked again for what it does not offer."""

METHOD_NOT_FOUND, INVALID_PARAMS, MIN_SLOT_NOT_REACHED, NOT_INDEXED = -32601, -32602, -32016, -32010
_LACKS = frozenset({METHOD_NOT_FOUND, NOT_INDEXED})
_SAYS_LITTLE = _LACKS | {INVALID_PARAMS, MIN_SLOT_NOT_REACHED}
"""Errors by which a node is not unwell: of the question (a mint that is none), or of what it offers."""


@attrs.frozen
class Want:
    read: SolanaRead
    commitment: Commitment
    min_slot: int


@attrs.define(eq=False, kw_only=True)
class Asking:
    """How a node is asked. `pool` is set by whoever makes both."""

    chain: str
    clock: Clock
    max_lag_slots: int
    is_batching: bool
    pool: Pool = attrs.field(init=False)
    _stands: dict[int, tuple[int, float]] = attrs.field(init=False, factory=dict)
    _lacks: dict[tuple[int, Lane], float] = attrs.field(init=False, factory=dict)

    async def ask(self, node: Node, wants: Sequence[Want]) -> dict[Want, Told | Unread]:
        """Raises EndpointFault: nothing of it can be used."""
        read_at_s = self.clock.now_s()
        try:
            answers = await self._verified(node, [each.read.question(each.commitment, each.min_slot) for each in wants])
        except EndpointFault as fault:
            if fault.kind != "too_large" or (len(wants) == 1 and wants[0].read.is_bounded):
                raise
            if len(wants) == 1:
                return {wants[0]: Unread("more than one answer may hold")}
            middle = len(wants) // 2
            return await self.ask(node, wants[:middle]) | await self.ask(node, wants[middle:])
        errors = {answer.code for answer in answers if isinstance(answer, RpcError)}
        if errors - _SAYS_LITTLE and all(isinstance(answer, RpcError) for answer in answers):
            raise EndpointFault(f"error {min(errors - _SAYS_LITTLE)}", "refused")
        found: dict[Want, Told | Unread] = {}
        for want, answer in zip(wants, answers, strict=True):
            found[want] = self._told(node, want, answer, read_at_s)
        self._require_recent(node, [(want, each) for want, each in found.items() if isinstance(each, Told)])
        return found

    async def head_of(self, node: Node) -> int:
        (answer,) = await self._verified(node, [Question("getSlot", ({"commitment": "confirmed"},))])
        if isinstance(answer, RpcError):
            raise EndpointFault(f"error {answer.code}", "refused")
        return parse_slot(answer)

    def lacking(self, lane: Lane) -> set[int]:
        """Numbers of the endpoints that do not offer this."""
        now_s = self.clock.monotonic_s()
        return {number for (number, which), until_s in self._lacks.items() if which == lane and now_s < until_s}

    def is_lagging(self, node: Node) -> bool:
        """Right after its own head was heard: the others' are older, if anything, so that it is no illusion."""
        return (self.pool.lag(node) or 0) > self.max_lag_slots

    def _told(self, node: Node, want: Want, answer: Answer | RpcError, read_at_s: float) -> Told | Unread:
        if isinstance(answer, RpcError):
            if answer.code in _LACKS and want.read.lane != "state":
                self._lacks[node.number, want.read.lane] = self.clock.monotonic_s() + LACKS_S
                return Unread("it does not offer that")
            return Unread("it is behind" if answer.code == MIN_SLOT_NOT_REACHED else f"error {answer.code}")
        slot, value = want.read.parse(answer)
        if want.min_slot and slot is None:
            return Unread("it does not say how far its index is")
        if slot is not None and slot < want.min_slot:
            return Unread("it is behind")
        return Told(value, slot, read_at_s)

    def _require_recent(self, node: Node, told: Sequence[tuple[Want, Told]]) -> None:
        slots = [each.slot for want, each in told if want.commitment == "confirmed" and each.slot is not None]
        if not slots:
            return
        slot, now_s = min(slots), self.clock.monotonic_s()
        self.pool.note_head(node, slot)
        if self.is_lagging(node):
            raise EndpointFault(f"it is {self.pool.lag(node)} slots behind the others", "behind")
        highest, since_s = self._stands.get(node.number, (-1, now_s))
        if slot > highest:
            self._stands[node.number] = slot, now_s
        elif now_s - since_s > STANDS_S:
            raise EndpointFault(f"its slot has not moved for {now_s - since_s:.0f} s", "behind")

    async def _verified(self, node: Node, questions: Sequence[Question]) -> list[Answer | RpcError]:
        """With the cluster asked first, once and again after each fault.

        Raises:
            EndpointFault: it is another cluster, or gave no answer.
        """
        if node.is_verified:
            return await self._send(node, questions)
        genesis, *answers = await self._send(node, [Question("getGenesisHash"), *questions])
        if isinstance(genesis, RpcError):
            raise EndpointFault(f"error {genesis.code}", "refused")
        if genesis_of(genesis) != self.chain:
            raise EndpointFault(f"it is not {self.chain}", "wrong_chain")
        node.is_verified = True
        return answers

    async def _send(self, node: Node, questions: Sequence[Question]) -> list[Answer | RpcError]:
        if self.is_batching:
            return await node.ask(questions)
        singly = await asyncio.gather(*(node.ask([question]) for question in questions))
        return [answer for (answer,) in singly]
