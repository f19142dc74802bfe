"""Gates: the stored rule, the three-valued answer, and its explanation.

A rule travels as JSON, one key a node: `any`, `all`, `at_least`, `not` over requirement kinds, `public` alone at the
root. A policy document adds rules for renditions and a preview (`docs/reference/gates.md`). Auth parses, stores and
decides; nobody else interprets them.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable

Outcome = Literal["holds", "does_not_hold", "unknown"]
"""Kleene's three values: not(unknown) = unknown. Unknown never opens and is never remembered as a no."""

Rule = dict[str, Any]
"""A bare rule, or a policy document: `{"version": 1, "gate": <rule>, "renditions": […], "preview_s": 30}`."""


class GateInvalid(Invalid):
    code, title = "gate.invalid", "The gate rule is not valid"


class GateRefused(Forbidden):
    """`extra["explanation"]` says which requirement failed, what was held, and what would open it."""

    code, title = "gate.refused", "The gate does not open"


class GateUnknown(Unavailable):
    code, title = "gate.unknown", "The gate cannot be decided now"


class CollectionNotFound(NotFound):
    """Unknown, or somebody else's: the same answer."""

    code, title = "gate.collection_not_found", "No such collection"


class CollectionInUse(Conflict):
    """`extra["content_ids"]`: some of the contents whose gates name it."""

    code, title = "gate.collection_in_use", "Gates name this collection"


class ListNotFound(NotFound):
    code, title = "gate.list_not_found", "No such list of addresses"


class ListInUse(Conflict):
    code, title = "gate.list_in_use", "Gates name the root of this list"


class RootUnknown(NotFound):
    """Nobody needs a proof for it."""

    code, title = "gate.root_unknown", "No gate names this Merkle root"


class ProofInvalid(Invalid):
    code, title, field = "gate.proof_invalid", "The proof does not lead to this root", "proof"


class InvitationNotFound(NotFound):
    code, title = "gate.invitation_not_found", "No such invitation"


class CodeInvalid(Invalid):
    """Unknown, used up, expired and revoked are the same answer: codes are not for guessing."""

    code, title, field = "gate.code_invalid", "The code opens nothing", "code"


class TooManyHere(Conflict):
    """`detail` says of what, and how many there may be."""

    code, title = "gate.too_many", "There are too many of these already"


class DecisionNotFound(NotFound):
    code, title = "gate.decision_not_found", "No such decision"


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
        asked: False where it was not read, because what was read decides already: the outcome is then `unknown`, which
            says nothing about the person.
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
    asked: bool = True
    parts: tuple[Explanation, ...] = ()


@attrs.frozen(kw_only=True)
class RenditionExplained:
    """Renditions above this height have a rule of their own, and this is what it says."""

    above_height_px: int
    explanation: Explanation


@attrs.frozen(kw_only=True)
class Reading:
    """What a requirement kind answers for one leaf and one person; the fields are those of `Explanation`.

    Args:
        tokens: the tokens that satisfy it, where they can be told apart (`<caip2>/<contract>/<token id>`): one token
            that goes round among friends gives one stream. Else, where several people may rest on one wallet, that
            wallet's share (`<caip2>/<contract>@<wallet>`, of an ERC-1155 `<caip2>/<contract>/<token id>@<wallet>`);
            what follows the `@` is shown to nobody.
        read_at_s: Unix time of the oldest chain read it rests on; a lease counts from there. None: it rests on none.
        until_s: Unix time at which time alone makes it another answer; no lease goes past it. None: there is none.
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
    until_s: float | None = None
