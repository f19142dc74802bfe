"""Stored gates as trees, with the gates of collections in their places; kept by revision, so that a decision parses
nothing. A collection that changes gives each gate that names it a new revision."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from streamgate.contracts.gate import Explanation, GateInvalid, Rule
from streamgate.contracts.hooks import RequirementKind
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.leaves.invitation import INVITATION
from streamgate_auth.gate.nodes import SAME_AS
from streamgate_auth.gate.parse import parse_rule
from streamgate_auth.gate.policy import Policy, parse_policy
from streamgate_auth.gate.repository import GateRecord
from streamgate_auth.gate.said import said

MAX_KEPT = 2000
PRIVATE = said("private", "does_not_hold", "has no gate: only its owner may watch")

Judged = Policy | Explanation
"""A gate, or why nobody passes: there is none, or it cannot be read here."""


class Compiled:
    """The gates of this process."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._kept: OrderedDict[tuple[str, int], Policy] = OrderedDict()
        self._kept_for: Mapping[str, RequirementKind] | None = None

    def lacking(self, gates: Iterable[GateRecord]) -> list[str]:
        """The collections whose gates `of` will need for these."""
        missing = (gate for gate in gates if (gate.content_id, gate.revision) not in self._kept)
        return sorted({name for gate in missing for name in named_collections(gate.rule)})

    def of(self, gate: GateRecord | None, collections: Mapping[str, Rule]) -> Judged:
        """The policy of a stored gate. `collections`: what `lacking` asked for, read after the gate, so that at worst a
        newer collection stands in an older gate, which is about to change anyway."""
        if gate is None or gate.rule is None:
            return PRIVATE
        if self._kinds.by_name() is not self._kept_for:
            self._kept.clear()
            self._kept_for = self._kinds.by_name()
        kept = self._kept.get((gate.content_id, gate.revision))
        if kept is not None:
            return kept
        named = named_collections(gate.rule)
        policy = self.compile(gate.rule, {name: collections[name] for name in named if name in collections})
        if isinstance(policy, Policy) and all(name in collections for name in named):
            self._kept[gate.content_id, gate.revision] = policy
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return policy

    def compile(self, rule: Rule | None, collections: Mapping[str, Rule]) -> Judged:
        """One that may not be stored, or no more."""
        if rule is None:
            return PRIVATE
        kinds = self._kinds.by_name()
        try:
            gates = {name: parse_rule(each, kinds, within=name) for name, each in collections.items()}
            return parse_policy(rule, kinds).expanded(gates)
        except GateInvalid as fault:
            # The plugin of a kind was taken away, or is another version.
            return said("gate", "unknown", "the stored rule cannot be read here", reason=fault.detail)


def named_collections(rule: object) -> Sequence[str]:
    """The collections that a rule of any form names, each once."""
    return _named(rule, SAME_AS, "collection")


def named_campaigns(rule: object) -> Sequence[str]:
    """The campaigns of its own invitations, each once; those of the collections that it names are theirs."""
    return _named(rule, INVITATION, "campaign")


def _named(rule: object, kind: str, parameter: str) -> Sequence[str]:
    found: dict[str, None] = {}
    waiting = [rule]
    while waiting:
        plain = waiting.pop()
        if isinstance(plain, dict):
            inner = plain.get(kind)
            name = inner.get(parameter) if isinstance(inner, dict) else None
            if isinstance(name, str):
                found[name] = None
            waiting.extend(plain.values())
        elif isinstance(plain, list):
            waiting.extend(plain)
    return tuple(found)
