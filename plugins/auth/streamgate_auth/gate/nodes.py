"""A rule as a tree, and how it reads in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

import attrs
from loguru import logger

from streamgate.contracts.gate import Rule
from streamgate.contracts.hooks import RequirementKind

SAME_AS = "same_as"
"""The kind that stands for a collection's gate."""
BRIEF = {"brief": True}
"""Metadata of a parameter that is stored and shown only where it is not as usual."""


@attrs.frozen(eq=False)
class Requirement:
    """A leaf. Compared by identity: the same requirement twice in a rule is read twice, in one batch.

    A kind may be anybody's plugin: what it fails to say goes by the name of the kind, and is unknown (`require_sound`).

    Args:
        within: the collection in whose gate it stands; "" in a content's own.
    """

    kind: RequirementKind
    params: Any  # an instance of kind.params
    within: str = ""

    @cached_property
    def canonical(self) -> Any:
        """The parameters as they are said; a rule that stands is said with each decision."""
        return self.kind.canonical(self.params)

    @property
    def text(self) -> str:
        """In words."""
        return self._said(self.kind.describe, self.kind.name)

    @property
    def needed(self) -> str:
        return self._said(self.kind.needed, "")

    @property
    def leaf_key(self) -> str:
        return self._said(self.kind.leaf_key, "")

    @property
    def place(self) -> tuple[str, str]:
        """The chain and the contract it is about; "" where there is none."""
        try:
            found = self.canonical
        except Exception:
            found = self.params
        return getattr(found, "chain", ""), getattr(found, "contract", "")

    def require_sound(self) -> None:
        """Raises whatever its plugin raises; TypeError where it says something that is no text, or no parameters."""
        for say in (self.kind.describe, self.kind.needed, self.kind.leaf_key):
            if not isinstance(say(self.params), str):
                raise TypeError("what it says is no text")
        if not attrs.has(type(self.canonical)):
            raise TypeError("its canonical parameters are none")

    def _said(self, say: Callable[[Any], str], else_: str) -> str:
        try:
            text = say(self.params)
        except Exception as fault:
            logger.bind(kind=self.kind.name, error=repr(fault)).warning("requirement could not be put into words")
            return else_
        return text if isinstance(text, str) else else_


@attrs.frozen(eq=False)
class Group:
    """`any`: one part is enough. `all`: every part is needed. Never empty."""

    kind: Literal["any", "all"]
    parts: tuple[Node, ...]


@attrs.frozen(eq=False)
class AtLeast:
    """`count` parts are enough, 1 to as many as there are. A part written twice counts twice: it says what it says."""

    count: int
    parts: tuple[Node, ...]


@attrs.frozen(eq=False)
class Not:
    part: Node


@attrs.frozen(eq=False)
class Public:
    """Everybody, signed in or not; stands alone at the root."""


@attrs.frozen(eq=False)
class SameAs:
    """`same_as` once its collection is found: what the leaf says, and the gate it stands for."""

    leaf: Requirement
    part: Node


Node = Requirement | Group | AtLeast | Not | Public | SameAs


def requirements(node: Node) -> Iterator[Requirement]:
    """The leaves, from left to right."""
    match node:
        case Requirement():
            yield node
        case Group(parts=parts) | AtLeast(parts=parts):
            for part in parts:
                yield from requirements(part)
        case Not(part=part) | SameAs(part=part):
            yield from requirements(part)
        case Public():
            return


def paths(node: Node, root: str) -> Iterator[str]:
    """Where each of the leaves stands in the JSON, in their order (`gate.any[0].erc721`)."""
    match node:
        case Requirement(kind=kind):
            yield f"{root}.{kind.name}"
        case Group(kind=name, parts=parts):
            for index, part in enumerate(parts):
                yield from paths(part, f"{root}.{name}[{index}]")
        case AtLeast(parts=parts):
            for index, part in enumerate(parts):
                yield from paths(part, f"{root}.at_least.of[{index}]")
        case Not(part=part):
            yield from paths(part, f"{root}.not")
        case SameAs(leaf=leaf, part=part):
            yield from paths(part, f"{root}.{leaf.kind.name}.gate")
        case Public():
            return


def leaf_keys(node: Node) -> tuple[str, ...]:
    """`<caip2>/<contract>` of each token leaf, once."""
    keys = (leaf.leaf_key for leaf in requirements(node))
    return tuple(dict.fromkeys(key for key in keys if key))


def to_rule(node: Node) -> Rule:
    """The rule as it is stored and shown: what was left out is filled in, addresses are checksummed."""
    match node:
        case Requirement(kind=kind, params=params):
            return {kind.name: attrs.asdict(kind.canonical(params), filter=_is_shown, value_serializer=_plain)}
        case Group(kind=name, parts=parts):
            return {name: [to_rule(part) for part in parts]}
        case AtLeast(count=count, parts=parts):
            return {"at_least": {"count": count, "of": [to_rule(part) for part in parts]}}
        case Not(part=part):
            return {"not": to_rule(part)}
        case SameAs(leaf=leaf):
            return to_rule(leaf)
        case Public():
            return {"public": {}}


def _is_shown(attribute: attrs.Attribute[Any], value: Any) -> bool:
    return not attribute.metadata.get("brief") or value != attribute.default


def _plain(_: Any, attribute: attrs.Attribute[Any] | None, value: Any) -> Any:
    """As JSON would give it back."""
    return list(value) if isinstance(value, tuple) else value


def describe(node: Node) -> str:
    """The rule in words, without a final stop."""
    match node:
        case Requirement():
            return node.text
        case Group(parts=(only,)):
            return describe(only)
        case Group(kind=kind, parts=parts):
            joint = " or " if kind == "any" else " and "
            return joint.join(f"({describe(part)})" if _is_joined(part) else describe(part) for part in parts)
        case AtLeast(count=count, parts=parts):
            return f"at least {count} of: {'; '.join(f'({describe(part)})' for part in parts)}"
        case Not(part=part):
            return f"not ({describe(part)})"
        case SameAs(part=part):
            return describe(part)
        case Public():
            return "everybody"


def expand(node: Node, gates: Mapping[str, Node]) -> Node:
    """The tree with the gates of collections in the places of the leaves that name them. A leaf whose collection is
    not there stays, and is unknown."""
    match node:
        case Requirement(params=params):
            part = gates.get(getattr(params, "collection", "")) if node.kind.name == SAME_AS else None
            return node if part is None else SameAs(node, part)
        case Group(kind=kind, parts=parts):
            return Group(kind, tuple(expand(part, gates) for part in parts))
        case AtLeast(count=count, parts=parts):
            return AtLeast(count, tuple(expand(part, gates) for part in parts))
        case Not(part=part):
            return Not(expand(part, gates))
        case Public() | SameAs():
            return node


def negated(node: Node, *, under: bool = False) -> Iterator[Requirement]:
    """The leaves below an odd number of `not`: not to hold them is what opens."""
    match node:
        case Requirement():
            if under:
                yield node
        case Group(parts=parts) | AtLeast(parts=parts):
            for part in parts:
                yield from negated(part, under=under)
        case Not(part=part):
            yield from negated(part, under=not under)
        case SameAs(part=part):
            yield from negated(part, under=under)
        case Public():
            return


def _is_joined(node: Node) -> bool:
    """Whether its words would run into those around it."""
    if isinstance(node, SameAs):
        return _is_joined(node.part)
    return isinstance(node, AtLeast) or (isinstance(node, Group) and len(node.parts) > 1)
