"""Answers by one endpoint, or by k that say the same.

Solana's nodes answer at the slot they are at and at no other, so that k of them are compared at slots a moment apart.
Where something moved in that moment they differ, and the answer is *unknown* until the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from loguru import logger

from streamgate_auth.metrics import RPC_DISAGREEMENTS
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import NoAnswer
from streamgate_auth.rpc.vote import agreed
from streamgate_auth.solana.asking import Asking, Want
from streamgate_auth.solana.reads import Lane, Told, Unread

Settle = Callable[[Want, Told | Unread], None]
Seen = dict[Want, Told | Unread]
NOBODY_OFFERS = "no endpoint offers that"


async def by_one(asking: Asking, lane: Lane, wants: Sequence[Want], settle: Settle) -> None:
    """Each endpoint in turn is asked for what the ones before it could not say."""
    tried = asking.lacking(lane)
    left = dict.fromkeys(wants, NOBODY_OFFERS)
    is_told = bool(tried)
    while left:
        try:
            answered = await asking.pool.first(partial(_ask, asking, tuple(left)), tried=tried)
        except NoAnswer as fault:
            if not is_told:
                left = dict.fromkeys(left, str(fault))
            break
        is_told = True
        for want, answer in answered.value.items():
            if isinstance(answer, Told):
                del left[want]
                settle(want, answer)
            else:
                left[want] = f"endpoint {answered.node.number}: {answer.reason}"
    for want, reason in left.items():
        settle(want, Unread(reason))


async def by_quorum(asking: Asking, lane: Lane, quorum: int, wants: Sequence[Want], settle: Settle) -> None:
    """Every answer needs it, the no as well as the yes."""
    tried = asking.lacking(lane)
    votes: dict[Want, list[tuple[Node, Told]]] = {want: [] for want in wants}
    reason = NOBODY_OFFERS if tried else ""

    def take(node: Node, seen: Seen) -> str:
        said = reason
        for want, answer in seen.items():
            if isinstance(answer, Told):
                votes[want].append((node, answer))
            else:
                said = f"endpoint {node.number}: {answer.reason}"
        return said

    try:
        first = await asking.pool.several(partial(_ask, asking, wants), quorum, tried=tried)
        for each in first:
            if asking.is_lagging(each.node):  # as all heads are known now
                reason = f"endpoint {each.node.number}: it is behind"
            else:
                reason = take(each.node, each.value)
        while left := tuple(want for want, said in votes.items() if _agreed(said, quorum) is None):
            more = await asking.pool.first(partial(_ask, asking, left), tried=tried)
            reason = take(more.node, more.value)
    except NoAnswer as fault:
        reason = reason or str(fault)
    for want, said in votes.items():
        settle(want, _outcome(asking, said, quorum, reason))


def _agreed(votes: Sequence[tuple[Node, Told]], quorum: int) -> tuple[object, int] | None:
    return agreed([told.value for _, told in votes], quorum)


def _outcome(asking: Asking, votes: Sequence[tuple[Node, Told]], quorum: int, reason: str) -> Told | Unread:
    found = _agreed(votes, quorum)
    if found is None:
        if len({told.value for _, told in votes}) > 1:
            RPC_DISAGREEMENTS.labels(chain=asking.chain).inc()
            logger.bind(chain=asking.chain, endpoints=[node.number for node, _ in votes]).warning(
                "endpoints disagree about a state of the chain"
            )
            return Unread("the endpoints disagree")
        return Unread(f"{len(votes)} of {quorum} endpoints could say; {reason}")
    value, count = found
    for node, told in votes:
        if told.value != value:
            asking.pool.outvoted(node)
    same = [told for _, told in votes if told.value == value]
    slots = [told.slot for told in same if told.slot is not None]
    return Told(value, min(slots, default=None), min(told.read_at_s for told in same), nodes=count)


async def _ask(asking: Asking, wants: Sequence[Want], node: Node) -> Seen:
    return await asking.ask(node, wants)
