"""Three-valued logic (Kleene's strong one) over a tree of which some leaves have been read. Pure.

A node's *bounds* are the least and the greatest it can become, whatever the leaves say that have not been read; the
operators are monotone and each leaf stands in one place, so that the two are exact. Where they meet, the answer is
known, and no further leaf needs to be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from streamgate.contracts.gate import Explanation, Outcome, Reading
from streamgate_auth.gate.leaf import explain_leaf
from streamgate_auth.gate.nodes import AtLeast, Group, Node, Not, Public, Requirement, SameAs, describe

Readings = Mapping[Requirement, Reading]
Bounds = tuple[Outcome, Outcome]

_OPPOSITE: Mapping[Outcome, Outcome] = {
    "holds": "does_not_hold",
    "does_not_hold": "holds",
    "unknown": "unknown",
}
_RANK: Mapping[Outcome, int] = {"does_not_hold": 0, "unknown": 1, "holds": 2}
_OPEN: Bounds = ("does_not_hold", "holds")
_STEPS = frozenset({1, 2})
"""From does_not_hold to unknown, and from there to holds: a leaf matters if it can move the root over one of them."""


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


def bounds(node: Node, readings: Readings) -> Bounds:
    """The least and the greatest that the node can become."""
    match node:
        case Public():
            return "holds", "holds"
        case Requirement():
            reading = readings.get(node)
            return _OPEN if reading is None else (reading.outcome, reading.outcome)
        case SameAs(part=part):
            return bounds(part, readings)
        case Not(part=part):
            least, greatest = bounds(part, readings)
            return negate(greatest), negate(least)
        case Group(parts=parts) | AtLeast(parts=parts):
            inner = [bounds(part, readings) for part in parts]
            merge = _merge(node)
            return merge(least for least, _ in inner), merge(greatest for _, greatest in inner)


def open_leaves(node: Node, readings: Readings, steps: frozenset[int] = _STEPS) -> Iterator[Requirement]:
    """The leaves that have not been read and can still change the answer, from left to right."""
    least, greatest = bounds(node, readings)
    left = frozenset(step for step in steps if _RANK[least] < step <= _RANK[greatest])
    if not left:
        return
    match node:
        case Requirement():
            yield node
        case SameAs(part=part):
            yield from open_leaves(part, readings, left)
        case Not(part=part):
            yield from open_leaves(part, readings, frozenset(3 - step for step in left))
        case Group(parts=parts) | AtLeast(parts=parts):
            for part in parts:
                yield from open_leaves(part, readings, left)


def outcome_of(node: Node, readings: Readings) -> Outcome:
    """Unknown where what was read does not decide it."""
    least, greatest = bounds(node, readings)
    return least if least == greatest else "unknown"


def tokens_of(node: Node, readings: Readings) -> tuple[str, ...]:
    """The tokens by which it holds: of as many parts as are needed, the first in the rule; none by a negation."""
    if outcome_of(node, readings) != "holds":
        return ()
    match node:
        case Requirement():
            return readings[node].tokens
        case SameAs(part=part):
            return tokens_of(part, readings)
        case Group(kind=kind, parts=parts):
            return _tokens_of_first(parts, 1 if kind == "any" else len(parts), readings)
        case AtLeast(count=count, parts=parts):
            return _tokens_of_first(parts, count, readings)
        case Not() | Public():
            return ()


def explain(node: Node, readings: Readings) -> Explanation:
    """The decision, in the shape of the rule; the root's outcome is the rule's.

    A requirement that was not read is unknown, and so is what rests on it.
    """
    return _explain(node, readings, is_negated=False)[0]


def _explain(node: Node, readings: Readings, *, is_negated: bool) -> tuple[Explanation, Bounds]:
    match node:
        case Requirement():
            found = bounds(node, readings)
            return explain_leaf(node, readings.get(node), is_negated=is_negated), found
        case Public():
            return _said(node, "public", ("holds", "holds"), ())
        case SameAs(leaf=leaf, part=part):
            inner, found = _explain(part, readings, is_negated=is_negated)
            return _said(node, leaf.kind.name, found, (inner,))
        case Not(part=part):
            inner, (least, greatest) = _explain(part, readings, is_negated=not is_negated)
            return _said(node, "not", (negate(greatest), negate(least)), (inner,))
        case Group(parts=parts) | AtLeast(parts=parts):
            explained = [_explain(part, readings, is_negated=is_negated) for part in parts]
            merge = _merge(node)
            found = merge(least for _, (least, _) in explained), merge(greatest for _, (_, greatest) in explained)
            inside = tuple(part for part, _ in explained)
            if isinstance(node, Group):
                return _said(node, node.kind, found, inside)
            told, _ = _said(node, "at_least", found, inside)
            held = sum(part.outcome == "holds" for part in inside)
            return attrs.evolve(told, needed=str(node.count), held=str(held)), found


def _said(node: Node, kind: str, found: Bounds, parts: tuple[Explanation, ...]) -> tuple[Explanation, Bounds]:
    least, greatest = found
    is_known = least == greatest
    outcome: Outcome = least if is_known else "unknown"
    return Explanation(kind=kind, outcome=outcome, text=describe(node), asked=is_known, parts=parts), found


def _merge(node: Group | AtLeast) -> Callable[[Iterable[Outcome]], Outcome]:
    if isinstance(node, AtLeast):
        return lambda outcomes: at_least(node.count, outcomes)
    return any_of if node.kind == "any" else all_of


def _tokens_of_first(parts: Sequence[Node], count: int, readings: Readings) -> tuple[str, ...]:
    holding = [part for part in parts if outcome_of(part, readings) == "holds"][:count]
    return tuple(dict.fromkeys(token for part in holding for token in tokens_of(part, readings)))
