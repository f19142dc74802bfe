"""Three-valued logic (Kleene's strong one) over a tree whose leaves have been read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamgate.contracts.gate import Explanation, Outcome, Reading
from streamgate_auth.gate.nodes import AtLeast, Group, Node, Not, Public, Requirement, describe

_OPPOSITE: Mapping[Outcome, Outcome] = {
    "holds": "does_not_hold",
    "does_not_hold": "holds",
    "unknown": "unknown",
}


def any_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Holds if one holds; else unknown if one is unknown."""
    seen = set(outcomes)
    return "holds" if "holds" in seen else "unknown" if "unknown" in seen else "does_not_hold"


def all_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Fails if one fails; else unknown if one is unknown."""
    seen = set(outcomes)
    return "does_not_hold" if "does_not_hold" in seen else "unknown" if "unknown" in seen else "holds"


def at_least(count: int, outcomes: Iterable[Outcome]) -> Outcome:
    """Holds if so many hold; fails if they could not even if all that is unknown held; else unknown."""
    seen = list(outcomes)
    hold, unknown = seen.count("holds"), seen.count("unknown")
    return "holds" if hold >= count else "unknown" if hold + unknown >= count else "does_not_hold"


def negate(outcome: Outcome) -> Outcome:
    return _OPPOSITE[outcome]


def explain(node: Node, readings: Mapping[Requirement, Reading]) -> Explanation:
    """The decision, in the shape of the rule; the root's outcome is the rule's.

    A requirement that was not read is unknown.
    """
    match node:
        case Public():
            return Explanation(kind="public", outcome="holds", text=describe(node))
        case Requirement():
            return _explain_leaf(node, readings.get(node, Reading(outcome="unknown", reason="was not read")))
        case Not(part=part):
            inner = explain(part, readings)
            return Explanation(kind="not", outcome=negate(inner.outcome), text=describe(node), parts=(inner,))
        case Group(kind=kind, parts=parts):
            explained = tuple(explain(part, readings) for part in parts)
            merge = any_of if kind == "any" else all_of
            outcome = merge(part.outcome for part in explained)
            return Explanation(kind=kind, outcome=outcome, text=describe(node), parts=explained)
        case AtLeast(count=count, parts=parts):
            explained = tuple(explain(part, readings) for part in parts)
            outcomes = [part.outcome for part in explained]
            return Explanation(
                kind="at_least",
                outcome=at_least(count, outcomes),
                text=describe(node),
                needed=str(count),
                held=str(outcomes.count("holds")),
                parts=explained,
            )


def _explain_leaf(leaf: Requirement, reading: Reading) -> Explanation:
    params = leaf.kind.canonical(leaf.params)
    return Explanation(
        kind=leaf.kind.name,
        outcome=reading.outcome,
        text=leaf.kind.describe(leaf.params),
        needed=leaf.kind.needed(leaf.params),
        held=reading.held,
        chain=getattr(params, "chain", ""),
        contract=getattr(params, "contract", ""),
        block_number=reading.block_number,
        nodes=reading.nodes,
        reason=reading.reason,
    )
