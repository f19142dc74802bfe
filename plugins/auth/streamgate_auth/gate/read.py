"""Reading a rule's leaves for one person: all at once, each bounded, a fault never taken for a no."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import get_args

from loguru import logger

from streamgate.contracts.gate import Outcome, Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.evm import Address
from streamgate_auth.gate.nodes import Node, Requirement, requirements

LEAF_TIMEOUT_S = 5.0
_OUTCOMES = frozenset(get_args(Outcome))


async def read_leaves(
    node: Node, addresses: Sequence[Address], min_block: Mapping[str, int], *, timeout_s: float = LEAF_TIMEOUT_S
) -> dict[Requirement, Reading]:
    """What each requirement says of somebody with these wallets."""
    leaves = list(requirements(node))
    readings = await asyncio.gather(*(_read(leaf, addresses, min_block, timeout_s) for leaf in leaves))
    return dict(zip(leaves, readings, strict=True))


async def _read(
    leaf: Requirement, addresses: Sequence[Address], min_block: Mapping[str, int], timeout_s: float
) -> Reading:
    question = Leaf(params=leaf.params, addresses=tuple(addresses), min_block=min_block)
    try:
        async with asyncio.timeout(timeout_s):
            reading = await leaf.kind.read(question)
        if not isinstance(reading, Reading) or reading.outcome not in _OUTCOMES:
            raise TypeError(f"answered {type(reading).__name__}, not a Reading")
    except Exception as fault:
        # A kind may be anybody's plugin. What fails is unknown: under `not`, a no would open the gate.
        logger.bind(kind=leaf.kind.name, error=repr(fault)).warning("requirement could not be read")
        return Reading(outcome="unknown", reason="could not be read")
    return reading
