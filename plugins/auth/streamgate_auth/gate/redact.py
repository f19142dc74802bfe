"""What a viewer is told of a decision, and what only the owner is."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from streamgate.contracts.gate import Explanation
from streamgate.contracts.hooks import RequirementKind

NOT_READ = "cannot be read now"


def redacted(
    explanation: Explanation, kinds: Mapping[str, RequirementKind], wallets: Collection[str] = ()
) -> Explanation:
    """For viewers: without how many nodes said so and what went wrong with them, without wallets that are not their
    own, and of private kinds the words and the outcome alone.

    Args:
        wallets: the viewer's own.
    """
    kind = kinds.get(explanation.kind)
    if kind is not None and kind.is_private:
        return Explanation(
            kind=explanation.kind,
            outcome=explanation.outcome,
            text=explanation.text,
            satisfy=explanation.satisfy,
            asked=explanation.asked,
        )
    # What no node has answered is the operator's affair; what one has (not confirmed yet) is the viewer's.
    is_fault = explanation.outcome == "unknown" and explanation.asked and not explanation.nodes
    return attrs.evolve(
        explanation,
        nodes=0,
        reason=NOT_READ if is_fault and explanation.reason else explanation.reason,
        held_by=explanation.held_by if explanation.held_by in wallets else "",
        parts=tuple(redacted(part, kinds, wallets) for part in explanation.parts),
    )
