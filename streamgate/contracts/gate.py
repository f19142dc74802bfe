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

    `kind` is `any`, `all`, `at_least`, `not` or the requirement kind; `text` says the requirement in words;
    `needed` and `held` are decimal strings (of `at_least`: parts); block and nodes are of the chain read.
    """

    kind: str
    outcome: Outcome
    text: str
    needed: str = ""
    held: str = ""
    chain: str = ""
    contract: str = ""
    block_number: int | None = None
    nodes: int = 0  # how many endpoints agreed
    reason: str = ""  # why unknown
    parts: tuple[Explanation, ...] = ()


@attrs.frozen(kw_only=True)
class Reading:
    """What a requirement kind answers for one leaf and one person.

    `read_at_s` is wall-clock (Unix) time of the oldest chain read it rests on; a lease counts from there.
    """

    outcome: Outcome
    held: str = ""
    block_number: int | None = None
    nodes: int = 0
    reason: str = ""
    read_at_s: float | None = None  # None: does not rest on a read that grows old
