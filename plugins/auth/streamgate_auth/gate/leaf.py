"""What is said of one requirement, read or not."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from streamgate.contracts.gate import Explanation, Reading
from streamgate_auth.gate.nodes import Requirement

NOT_ASKED = "was not asked: the rest decides already"


def explain_leaf(leaf: Requirement, reading: Reading | None, *, is_negated: bool) -> Explanation:
    """`is_negated`: not to hold it is what opens, so that nobody is told where to get it."""
    kind, (chain, contract) = leaf.kind, leaf.place
    is_wanted = not is_negated and (reading is None or reading.outcome != "holds")
    found = reading or Reading(outcome="unknown", reason=NOT_ASKED)
    return Explanation(
        kind=kind.name,
        outcome=found.outcome,
        text=leaf.text,
        needed=leaf.needed,
        held=found.held,
        needed_text=found.needed_text,
        held_text=found.held_text,
        held_by=found.held_by,
        chain=chain,
        contract=contract,
        block_number=found.block_number,
        nodes=found.nodes,
        read_at_s=found.read_at_s,
        reason=found.reason,
        satisfy=_said(leaf, kind.satisfy) if is_wanted else "",
        link=_said(leaf, kind.link) if is_wanted else "",
        asked=reading is not None,
    )


def _said(leaf: Requirement, text: Callable[[object], str]) -> str:
    try:
        return text(leaf.params)
    except Exception as fault:
        # Advice of anybody's plugin: the decision stands without it.
        logger.bind(kind=leaf.kind.name, error=repr(fault)).warning("requirement could not say what would satisfy it")
        return ""
