"""Answers by one endpoint, or by k that agree at the same blocks.

With a quorum every answer needs it, the no as well as the yes: under `not` a no opens, and a no ends playback. What
one endpoint alone says then moves nothing, either way; too few that agree are *unknown*, which never opens, and lets
running sessions go on for the bounded grace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import attrs
from loguru import logger

from streamgate_auth.evm.ask import Asking, Finality, Pins, Read, Seen, Want
from streamgate_auth.evm.reads import Returned, Reverted, Unread
from streamgate_auth.metrics import RPC_DISAGREEMENTS
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import Answered, NoAnswer
from streamgate_auth.rpc.vote import agreed
from streamgate_auth.rpc.wire import EndpointFault

Settle = Callable[[Want, Read | Unread], None]
Vote = tuple[Returned | Reverted, Returned | Reverted]


async def by_one(asking: Asking, wants: Sequence[Want], settle: Settle) -> None:
    """Each endpoint in turn is asked for what the ones before it could not say."""
    left = dict.fromkeys(wants, "no endpoint is configured")
    tried: set[int] = set()
    while left:
        try:
            answered = await asking.pool.first(partial(_ask, asking, tuple(left)), tried=tried)
        except NoAnswer as fault:
            if not tried or not _is_told(left):
                left = dict.fromkeys(left, str(fault))
            break
        for want, answer in answered.value.answers.items():
            if isinstance(answer, Read) or answer.is_of_contract:
                del left[want]
                settle(want, answer)
            else:
                left[want] = f"endpoint {answered.node.number}: {answer.reason}"
    for want, reason in left.items():
        settle(want, Unread(reason))


async def _ask(asking: Asking, wants: Sequence[Want], node: Node) -> Seen:
    return await asking.ask(node, wants)


def _is_told(left: Mapping[Want, str]) -> bool:
    return any(reason.startswith("endpoint") for reason in left.values())


@attrs.define(eq=False)
class Ballot:
    """The votes on some wants, taken at the same blocks."""

    asking: Asking
    quorum: int
    chain: str
    _votes: dict[Want, list[tuple[Node, Read]]]
    _reason: str = ""

    @classmethod
    async def hold(cls, asking: Asking, quorum: int, chain: str, wants: Sequence[Want], settle: Settle) -> None:
        ballot = cls(asking, quorum, chain, {want: [] for want in wants})
        tried: set[int] = set()
        try:
            first = await asking.pool.several(lambda node: asking.ask(node, wants), quorum, tried=tried)
            # Who lags, as all heads are known now, would pull everybody's block back to where a token still was.
            first = [each for each in first if not asking.pool.is_lagging(each.node)]
            if not first:
                raise NoAnswer("every endpoint that answered is behind the others")
            pins = _pins([each.value for each in first])
            await asyncio.gather(*(ballot._count(each, wants, pins) for each in first))
            while left := ballot._open():
                more = await asking.pool.first(partial(ballot._more, left, pins), tried=tried)
                ballot._take(more.node, more.value)
        except NoAnswer as fault:
            ballot._reason = str(fault)
        for want in wants:
            settle(want, ballot._outcome(want))

    async def _more(self, wants: Sequence[Want], pins: Pins, node: Node) -> Seen:
        return await self.asking.ask(node, wants, pins)

    async def _count(self, answered: Answered[Seen], wants: Sequence[Want], pins: Pins) -> None:
        seen = answered.value
        if seen.pins != pins:
            try:
                seen = await self.asking.pool.of(answered.node, lambda node: self.asking.ask(node, wants, pins))
            except EndpointFault as fault:
                self._reason = f"endpoint {answered.node.number}: {fault}"
                return
        self._take(answered.node, seen)

    def _take(self, node: Node, seen: Seen) -> None:
        for want, answer in seen.answers.items():
            if isinstance(answer, Read):
                self._votes[want].append((node, answer))
            else:
                self._reason = f"endpoint {node.number}: {answer.reason}"

    def _open(self) -> tuple[Want, ...]:
        return tuple(want for want, votes in self._votes.items() if self._agreed(votes) is None)

    def _agreed(self, votes: Sequence[tuple[Node, Read]]) -> tuple[Vote, int] | None:
        return agreed([_vote(read) for _, read in votes], self.quorum)

    def _outcome(self, want: Want) -> Read | Unread:
        votes = self._votes[want]
        found = self._agreed(votes)
        if found is None:
            if len({_vote(read) for _, read in votes}) > 1:
                RPC_DISAGREEMENTS.labels(chain=self.chain).inc()
                logger.bind(chain=self.chain, endpoints=[node.number for node, _ in votes]).warning(
                    "endpoints disagree about a state of the chain"
                )
                return Unread("the endpoints disagree")
            return Unread(f"{len(votes)} of {self.quorum} endpoints could say; {self._reason}")
        said, count = found
        for node, read in votes:
            if _vote(read) != said:
                self.asking.pool.outvoted(node)
        reads = [read for _, read in votes if _vote(read) == said]
        return attrs.evolve(reads[0], nodes=count, read_at_s=min(read.read_at_s for read in reads))


def _vote(read: Read) -> Vote:
    return read.latest, read.confirmed


def _pins(seen: Sequence[Seen]) -> Pins:
    """The lowest head, and the lowest confirmed blocks: what all of them have."""
    heads = [each.pins.head for each in seen if each.pins.head is not None]
    confirmed: dict[Finality, int] = {}
    for each in seen:
        for finality, number in each.pins.confirmed.items():
            confirmed[finality] = min(number, confirmed.get(finality, number))
    return Pins(head=min(heads, default=None), confirmed=confirmed)
