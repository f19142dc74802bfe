"""What one node says of some reads: at its head, and at the block that a gain must be seen at, too.

A loss counts at the head at once; a gain also has to be there so many blocks before it (`confirmations`), or at the
chain's own `safe` or `finalized` block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.evm.look import Lens, Slice, Spec, Tag
from streamgate_auth.evm.reads import ChainRead, Returned, Reverted, Unread
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import Pool
from streamgate_auth.rpc.wire import EndpointFault

Finality = Tag
At = Finality | int
"""Where a gain is confirmed; a number: both are read at that block and nowhere else."""


@attrs.frozen(kw_only=True)
class Read:
    """`latest` is at `block_number`; `confirmed` at `confirmed_number` (the same object where that is the same block).

    `read_at_s`: Unix time before the question was sent. `nodes`: so many endpoints said the same at these blocks.
    """

    latest: Returned | Reverted
    confirmed: Returned | Reverted
    block_number: int
    read_at_s: float
    confirmed_number: int
    nodes: int = 1


@attrs.frozen
class Want:
    """`min_block`: an earlier head will not do; it is no part of what is asked."""

    read: ChainRead
    at: At
    min_block: int = attrs.field(default=0, eq=False)


@attrs.frozen(kw_only=True)
class Pins:
    """The blocks at which several nodes are compared. `head` None: only blocks by number were asked."""

    head: int | None
    confirmed: Mapping[Finality, int]


@attrs.frozen(kw_only=True)
class Seen:
    """What one node said, and where."""

    pins: Pins
    answers: Mapping[Want, Read | Unread]


@attrs.frozen(eq=False, kw_only=True)
class Asking:
    """How a node is asked.

    Args:
        confirmations: of wants at `latest`.
    """

    lens: Lens
    pool: Pool
    clock: Clock
    confirmations: int

    async def ask(self, node: Node, wants: Sequence[Want], pins: Pins | None = None) -> Seen:
        """Raises EndpointFault: nothing of it can be used."""
        read_at_s = self.clock.now_s()
        moving = [want for want in wants if not isinstance(want.at, int)]
        specs: dict[Spec, dict[ChainRead, None]] = {}
        for want in wants:
            for spec in self._specs(want.at, pins):
                specs.setdefault(spec, {})[want.read] = None
        slices = await self.lens.look(node, {spec: tuple(reads) for spec, reads in specs.items()})
        if not moving:
            return Seen(pins=Pins(head=None, confirmed={}), answers=_answers(wants, slices, {}, {}, read_at_s))
        head = slices[self._head_spec(pins)]
        if pins is None:
            self._require_recent(node, head.number, moving)
        finalities: dict[Finality, Slice] = {}
        for finality in dict.fromkeys(want.at for want in moving if not isinstance(want.at, int)):
            reads = [want.read for want in moving if want.at == finality]
            finalities[finality] = await self._confirmed(node, finality, reads, slices, head, pins)
        return Seen(
            pins=Pins(head=head.number, confirmed={at: each.number for at, each in finalities.items()}),
            answers=_answers(wants, slices, dict.fromkeys(finalities, head), finalities, read_at_s),
        )

    def _specs(self, at: At, pins: Pins | None) -> tuple[Spec, ...]:
        if isinstance(at, int):
            return (hex(at),)
        head = self._head_spec(pins)
        if pins is not None:
            return head, hex(pins.confirmed[at])
        if at != "latest":
            return head, at
        guessed = self._guessed()
        return (head,) if guessed is None else (head, hex(guessed))

    def _head_spec(self, pins: Pins | None) -> Spec:
        return "latest" if pins is None or pins.head is None else hex(pins.head)

    def _guessed(self) -> int | None:
        """The confirmed block, by the head that was heard of last: one round trip less where it is right."""
        known = self.pool.best_head()
        return None if not self.confirmations or known is None else max(0, known - self.confirmations)

    async def _confirmed(
        self,
        node: Node,
        finality: Finality,
        reads: Sequence[ChainRead],
        slices: Mapping[Spec, Slice],
        head: Slice,
        pins: Pins | None,
    ) -> Slice:
        if pins is not None:
            return slices[hex(pins.confirmed[finality])]
        if finality != "latest":
            return slices[finality]
        if not self.confirmations:
            return head
        number = max(0, head.number - self.confirmations)
        guessed = self._guessed_slice(slices, number)
        unsure = [
            read
            for read in reads
            if guessed is None or read not in guessed.results or guessed.results[read] != head.results[read]
        ]
        results = dict(guessed.results) if guessed is not None else {}
        if unsure and (guessed is None or guessed.number != number):
            looked = await self.lens.look(node, {hex(number): unsure})
            results |= looked[hex(number)].results
        return Slice(number, results)

    def _guessed_slice(self, slices: Mapping[Spec, Slice], number: int) -> Slice | None:
        """The latest of those that are old enough."""
        old = [each for spec, each in slices.items() if spec.startswith("0x") and each.number <= number]
        return max(old, key=lambda each: each.number, default=None)

    def _require_recent(self, node: Node, head: int, wants: Sequence[Want]) -> None:
        self.pool.note_head(node, head)
        if self.pool.is_lagging(node):
            raise EndpointFault(f"it is {self.pool.lag(node)} blocks behind the others", "behind")
        if all(head < want.min_block for want in wants):
            raise EndpointFault("it is behind", "behind")


def _answers(
    wants: Sequence[Want],
    slices: Mapping[Spec, Slice],
    heads: Mapping[Finality, Slice],
    confirmed: Mapping[Finality, Slice],
    read_at_s: float,
) -> dict[Want, Read | Unread]:
    found: dict[Want, Read | Unread] = {}
    for want in wants:
        if isinstance(want.at, int):
            latest = before = slices[hex(want.at)]
        else:
            latest, before = heads[want.at], confirmed[want.at]
            if latest.number < want.min_block:
                found[want] = Unread("it is behind")
                continue
        found[want] = _read(latest, before, want.read, read_at_s)
    return found


def _read(latest: Slice, before: Slice, read: ChainRead, read_at_s: float) -> Read | Unread:
    now, then = latest.results[read], before.results[read]
    if isinstance(now, Unread):
        return now
    if isinstance(then, Unread):
        return then
    return Read(
        latest=now,
        confirmed=then,
        block_number=latest.number,
        confirmed_number=before.number,
        read_at_s=read_at_s,
    )
