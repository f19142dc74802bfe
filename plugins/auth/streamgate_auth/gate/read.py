"""Reading a policy's leaves for one person: the cheap ones first, those of one cost all at once, and none that cannot
change the answer. Each is bounded in time, and a fault is never taken for a no."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import attrs
from loguru import logger

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.gate import Outcome, Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.evm import Address
from streamgate_auth.accounts import seen_from
from streamgate_auth.at_once import at_once
from streamgate_auth.gate.evaluate import Readings, bounds, open_leaves
from streamgate_auth.gate.nodes import Requirement
from streamgate_auth.gate.policy import Policy

LEAF_TIMEOUT_S = 5.0
"""For all leaves of a policy together, however many rounds they take."""
_OUTCOMES = frozenset(get_args(Outcome))


@attrs.frozen(kw_only=True)
class Who:
    """For whom leaves are read. `actor`: nobody where a rule is tried for a bare address."""

    addresses: Sequence[Address]
    actor: Actor = ANONYMOUS
    content_id: str = ""
    min_block: Mapping[str, int] = attrs.field(factory=dict)
    max_age_s: float | None = None


async def read_policy(
    policy: Policy, who: Who, *, everything: bool = False, timeout_s: float = LEAF_TIMEOUT_S
) -> dict[Requirement, Reading]:
    """What was asked of the policy's requirements, and what they said.

    Args:
        everything: those that cannot change the answer, too.
    """
    ends_at_s = asyncio.get_running_loop().time() + timeout_s
    readings: dict[Requirement, Reading] = {}
    while wanted := list(_wanted(policy, readings, everything=everything)):
        cost = min(leaf.kind.cost for leaf in wanted)
        now = wanted if everything else [leaf for leaf in wanted if leaf.kind.cost == cost]
        answers = await at_once([_read(leaf, who, ends_at_s) for leaf in now])
        readings.update(zip(now, answers, strict=True))
    return readings


def _wanted(policy: Policy, readings: Readings, *, everything: bool) -> Iterator[Requirement]:
    if everything:
        yield from (leaf for leaf, _ in policy.leaves if leaf not in readings)
        return
    yield from open_leaves(policy.gate, readings)
    if bounds(policy.gate, readings)[1] == "does_not_hold":
        return  # nothing plays, or the preview, which never goes above the lowest height
    for rule in policy.renditions:
        yield from open_leaves(rule.gate, readings)
        least, greatest = bounds(rule.gate, readings)
        if least == greatest != "holds":
            return  # the heights above are shut whatever their rules say


async def _read(leaf: Requirement, who: Who, ends_at_s: float) -> Reading:
    try:
        leaf.require_sound()
        question = Leaf(
            params=leaf.params,
            addresses=seen_from(getattr(leaf.params, "chain", ""), who.addresses),
            min_block=who.min_block,
            max_age_s=who.max_age_s,
            actor=who.actor,
            content_id=leaf.within or who.content_id,
        )
        async with asyncio.timeout_at(ends_at_s):
            reading = await leaf.kind.read(question)
        if not isinstance(reading, Reading) or reading.outcome not in _OUTCOMES:
            raise TypeError(f"answered {type(reading).__name__}, not a Reading")
        if not all(moment_s is None or math.isfinite(moment_s) for moment_s in (reading.read_at_s, reading.until_s)):
            raise ValueError("answered with a moment that is none")
    except Exception as fault:
        # A kind may be anybody's plugin. What fails is unknown: under `not`, a no would open the gate.
        logger.bind(kind=leaf.kind.name, error=repr(fault)).warning("requirement could not be read")
        return Reading(outcome="unknown", reason="could not be read")
    return reading
