"""Gates: the stored rule, the three-valued answer, and its explanation.

A rule travels as the JSON that `api.md` describes: one key a node, `any`, `all`, `at_least`, `not` over requirement
kinds, `public` alone at the root. Auth parses, stores and decides; nobody else interprets it.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.errors import Forbidden, Invalid, Unavailable

Outcome = Literal["holds", "does_not_hold", "unknown"]
"""Kleene's three values: not(unknown) = unknown. Unknown never opens and is never remembered as a no."""

Rule = dict[str, Any]


class GateInvalid(Invalid):
    code, title = "gate.invalid", "The gate rule is not valid"


class GateRefused(Forbidden):
    """`extra["explanation"]` says which requirement failed, what was held, and what would open it."""

    code, title = "gate.refused", "The gate does not open"


class GateUnknown(Unavailable):
    code, title = "gate.unknown", "The gate cannot be decided now"


@attrs.frozen(kw_only=True)
class Explanation:
    """A node of the decision, in the shape of the rule.

    Args:
        kind: `any`, `all`, `at_least`, `not` or the requirement kind.
        text: the requirement in words.
        needed, held: decimal strings, in base units (of `at_least`: parts).
        needed_text, held_text: the same for people (`1.5 USDC`); empty where the decimals are not known.
        held_by: the wallet that satisfies it, or comes nearest.
        block_number, nodes, read_at_s: of the chain read: the block, how many endpoints agreed, Unix time.
        reason: why it is unknown.
        satisfy, link: what would satisfy it, and where that is to be had; empty where it holds.
    """

    kind: str
    outcome: Outcome
    text: str
    needed: str = ""
    held: str = ""
    needed_text: str = ""
    held_text: str = ""
    held_by: str = ""
    chain: str = ""
    contract: str = ""
    block_number: int | None = None
    nodes: int = 0
    read_at_s: float | None = None
    reason: str = ""
    satisfy: str = ""
    link: str = ""
    parts: tuple[Explanation, ...] = ()


@attrs.frozen(kw_only=True)
class Reading:
    """What a requirement kind answers for one leaf and one person; the fields are those of `Explanation`.

    Args:
        tokens: the tokens that satisfy it, where they can be told apart (`<caip2>/<contract>/<token id>`): one token
            that goes round among friends gives one stream.
        read_at_s: Unix time of the oldest chain read it rests on; a lease counts from there. None: it rests on none.
    """

    outcome: Outcome
    held: str = ""
    needed_text: str = ""
    held_text: str = ""
    held_by: str = ""
    tokens: tuple[str, ...] = ()
    block_number: int | None = None
    nodes: int = 0
    reason: str = ""
    read_at_s: float | None = None
