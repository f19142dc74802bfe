"""Rules over leaves that say what a test tells them to, and count how often they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from streamgate.contracts.gate import Outcome, Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate_auth.gate.nodes import Node
from streamgate_auth.gate.parse import MAX_DEPTH, parse_rule
from streamgate_auth.gate.policy import Policy
from streamgate_auth.gate.read import Who

OUTCOMES: tuple[Outcome, ...] = ("holds", "does_not_hold", "unknown")
NOBODY = Who(addresses=())
CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine that is busy is no fault of a rule."""


@attrs.frozen(kw_only=True)
class Told:
    """`says`: what the leaf answers. `token`: which token it holds by."""

    says: str
    token: str = ""


@attrs.define
class Asked:
    """`rounds`: what was asked at once, each a list of what the leaves said."""

    rounds: list[list[str]] = attrs.field(factory=list)
    _is_open: bool = False

    async def read(self, leaf: Leaf) -> Reading:
        import asyncio

        if not self._is_open:
            self.rounds.append([])
            self._is_open = True
        self.rounds[-1].append(leaf.params.says)
        await asyncio.sleep(0)  # all of a round have begun by then
        self._is_open = False
        tokens = (leaf.params.token,) if leaf.params.token else ()
        return Reading(outcome=leaf.params.says, tokens=tokens)

    @property
    def count(self) -> int:
        return sum(map(len, self.rounds))

    def kinds(self) -> dict[str, RequirementKind]:
        """`free`, `stored`, `chain`: of costs 0, 1, 2."""
        names = ("free", "stored", "chain")
        return {
            name: RequirementKind(
                name=name,
                summary="",
                params=Told,
                describe=lambda params: params.says,
                read=self.read,
                cost=cost,  # type: ignore[arg-type]
            )
            for cost, name in enumerate(names)
        }

    def policy(self, rule: object) -> Policy:
        return Policy(gate=self.node(rule))

    def node(self, rule: object) -> Node:
        return parse_rule(rule, self.kinds())


def leaf(says: str, kind: str = "chain", token: str = "") -> dict[str, Any]:
    return {kind: {"says": says, "token": token} if token else {"says": says}}


LEAVES = st.builds(leaf, st.sampled_from(OUTCOMES), st.sampled_from(("free", "stored", "chain")))


def several(inner: st.SearchStrategy[Any], *, negations: bool = True) -> st.SearchStrategy[Any]:
    parts = st.lists(inner, min_size=1, max_size=4)
    kinds = [
        parts.map(lambda parts: {"any": parts}),
        parts.map(lambda parts: {"all": parts}),
        parts.flatmap(lambda of: st.integers(1, len(of)).map(lambda count: {"at_least": {"count": count, "of": of}})),
    ]
    return st.one_of(*kinds, *([inner.map(lambda part: {"not": part})] if negations else []))


def depth(rule: Any) -> int:
    ((name, inner),) = rule.items()
    parts = {"any": inner, "all": inner, "not": [inner]}.get(name, inner["of"] if name == "at_least" else [])
    return 1 + max(map(depth, parts), default=0)


RULES = st.recursive(LEAVES, several, max_leaves=10).filter(lambda rule: depth(rule) <= MAX_DEPTH)
POSITIVE_RULES = st.recursive(LEAVES, lambda inner: several(inner, negations=False), max_leaves=10).filter(
    lambda rule: depth(rule) <= MAX_DEPTH
)


def said(rounds: Sequence[Sequence[str]]) -> list[str]:
    return [each for asked in rounds for each in asked]
