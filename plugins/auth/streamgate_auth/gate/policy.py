"""The stored form of a gate: a bare rule, or a document with rules for renditions and a preview besides.

    {"version": 1, "gate": <rule>, "renditions": [{"above_height_px": 720, "gate": <rule>}], "preview_s": 30}

`parse_policy(to_document(policy))` is the same policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain

import attrs

from streamgate.contracts.gate import Rule
from streamgate.contracts.hooks import RequirementKind
from streamgate_auth.gate.nodes import SAME_AS, Node, Public, describe, expand, leaf_keys, paths, requirements, to_rule
from streamgate_auth.gate.nodes import Requirement as Leaf
from streamgate_auth.gate.parse import ROOT, Parser

VERSION = 1
FIELDS = ("version", "gate", "renditions", "preview_s")
"""Of a document; no kind of requirement may be called so."""
RENDITION_FIELDS = ("above_height_px", "gate")
MAX_RENDITIONS = 8
MAX_HEIGHT_PX = 8640
MAX_PREVIEW_S = 86_400.0
MAX_SAME_AS = 8  # each brings the whole gate of a collection


@attrs.frozen(kw_only=True)
class RenditionRule:
    """Renditions higher than this are for those whom `gate` lets in, besides the gate of the whole."""

    above_height_px: int
    gate: Node


@attrs.frozen(kw_only=True)
class Policy:
    """`renditions`: the lowest first, each height once. `preview_s`: 0 for none."""

    gate: Node
    renditions: tuple[RenditionRule, ...] = ()
    preview_s: float = 0.0

    @property
    def is_public(self) -> bool:
        return isinstance(self.gate, Public)

    def nodes(self) -> Iterator[tuple[Node, str]]:
        """Each rule and the path it stands at."""
        yield self.gate, ROOT
        for index, rule in enumerate(self.renditions):
            yield rule.gate, f"renditions[{index}].gate"

    @cached_property
    def leaves(self) -> tuple[tuple[Leaf, str], ...]:
        """Each leaf and its path, in the order of the document."""
        found = (zip(requirements(node), paths(node, root), strict=True) for node, root in self.nodes())
        return tuple(chain.from_iterable(found))

    @cached_property
    def leaf_keys(self) -> tuple[str, ...]:
        """`<caip2>/<contract>` of each token leaf, once."""
        return tuple(dict.fromkeys(key for node, _ in self.nodes() for key in leaf_keys(node)))

    def expanded(self, gates: Mapping[str, Node]) -> Policy:
        """With the gates of these collections in their places."""
        rules = tuple(attrs.evolve(rule, gate=expand(rule.gate, gates)) for rule in self.renditions)
        return attrs.evolve(self, gate=expand(self.gate, gates), renditions=rules)


def is_document(plain: object) -> bool:
    """Whether it is meant as one; else it is a bare rule."""
    return isinstance(plain, dict) and not FIELDS_SET.isdisjoint(plain)


FIELDS_SET = frozenset(FIELDS)


def parse_policy(plain: object, kinds: Mapping[str, RequirementKind]) -> Policy:
    """Raises GateInvalid: 422, with all faults found, each at its place in the document."""
    parser = Parser(kinds)
    policy = _document(plain, parser) if is_document(plain) else _bare(plain, parser)
    parser.stop_at_faults()
    assert policy is not None  # where there is none there is a fault
    return policy


def to_document(policy: Policy) -> Rule:
    """As it is stored and shown: a bare rule where that says all of it."""
    rule = to_rule(policy.gate)
    if not policy.renditions and not policy.preview_s:
        return rule
    document: Rule = {"version": VERSION, "gate": rule}
    if policy.renditions:
        document["renditions"] = [
            {"above_height_px": each.above_height_px, "gate": to_rule(each.gate)} for each in policy.renditions
        ]
    if policy.preview_s:
        document["preview_s"] = int(policy.preview_s) if policy.preview_s.is_integer() else policy.preview_s
    return document


def describe_policy(policy: Policy) -> str:
    """In words, without a final stop."""
    said = [describe(policy.gate)]
    said += [f"above {rule.above_height_px} lines: {describe(rule.gate)}" for rule in policy.renditions]
    if policy.preview_s:
        said.append(f"the first {policy.preview_s:g} s are free")
    return "; ".join(said)


def _bare(plain: object, parser: Parser) -> Policy | None:
    node = parser.node(plain, ROOT, depth=1)
    return None if node is None else _whole(node, (), 0.0, parser)


def _document(plain: object, parser: Parser) -> Policy | None:
    assert isinstance(plain, dict)
    parser.unknown_keys(plain, FIELDS, "")
    version = plain.get("version")
    if type(version) is not int or version != VERSION:
        parser.fault("version", f"must be {VERSION}" if "version" in plain else f"is required; it is {VERSION}")
    if "gate" not in plain:
        parser.fault("gate", "is required")
        return None
    node = parser.node(plain["gate"], ROOT, depth=1)
    rules = _renditions(plain.get("renditions", []), parser)
    preview_s = _preview(plain.get("preview_s", 0), parser)
    return None if node is None else _whole(node, rules, preview_s, parser)


def _whole(node: Node, rules: tuple[RenditionRule, ...], preview_s: float, parser: Parser) -> Policy:
    if isinstance(node, Public) and preview_s:
        parser.fault("preview_s", "has no use: the gate is public")
    ordered = tuple(sorted(rules, key=lambda rule: rule.above_height_px))
    policy = Policy(gate=node, renditions=ordered, preview_s=preview_s)
    if sum(leaf.kind.name == SAME_AS for leaf, _ in policy.leaves) > MAX_SAME_AS:
        parser.fault(ROOT, f"names collections more than {MAX_SAME_AS} times")
    return policy


def _renditions(plain: object, parser: Parser) -> tuple[RenditionRule, ...]:
    if not isinstance(plain, list):
        parser.fault("renditions", "must be a list")
        return ()
    if len(plain) > MAX_RENDITIONS:
        parser.fault("renditions", f"has more than {MAX_RENDITIONS} rules")
        return ()
    rules = [_rendition(each, f"renditions[{index}]", parser) for index, each in enumerate(plain)]
    found = tuple(rule for rule in rules if rule is not None)
    if len({rule.above_height_px for rule in found}) < len(found):
        parser.fault("renditions", "has two rules for one height")
    return found


def _rendition(plain: object, path: str, parser: Parser) -> RenditionRule | None:
    if not isinstance(plain, dict):
        parser.fault(path, 'must be {"above_height_px": …, "gate": …}')
        return None
    parser.unknown_keys(plain, RENDITION_FIELDS, path)
    missing = [name for name in RENDITION_FIELDS if name not in plain]
    for name in missing:
        parser.fault(f"{path}.{name}", "is required")
    if missing:
        return None
    height_px = plain["above_height_px"]
    is_height = type(height_px) is int and 1 <= height_px <= MAX_HEIGHT_PX
    if not is_height:
        parser.fault(f"{path}.above_height_px", f"must be a whole number from 1 to {MAX_HEIGHT_PX}")
    node = parser.node(plain["gate"], f"{path}.gate", depth=2)  # everybody is no rule for some renditions
    return RenditionRule(above_height_px=height_px, gate=node) if node is not None and is_height else None


def _preview(plain: object, parser: Parser) -> float:
    if isinstance(plain, (int, float)) and not isinstance(plain, bool) and 0 <= plain <= MAX_PREVIEW_S:
        return float(plain)
    parser.fault("preview_s", f"must be a number of seconds from 0 to {MAX_PREVIEW_S:g}")
    return 0.0
