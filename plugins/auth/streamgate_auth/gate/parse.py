"""A rule's JSON into a tree: strict, with every fault at its path (`gate.any[0].erc721.chain`)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from streamgate.contracts.gate import GateInvalid
from streamgate.contracts.hooks import RequirementKind
from streamgate.errors import FieldError, Invalid
from streamgate.web.structure import structure
from streamgate_auth.gate.nodes import SAME_AS, AtLeast, Group, Node, Not, Public, Requirement

MAX_DEPTH = 8
MAX_NODES = 64
MAX_NAME_CHARS = 64  # of somebody's key that is shown back
OPERATORS = ("any", "all", "at_least", "not", "public")
ROOT = "gate"


def parse_rule(rule: object, kinds: Mapping[str, RequirementKind], *, within: str = "") -> Node:
    """The tree of a bare rule. `within`: the collection whose gate it is.

    Raises:
        GateInvalid: 422, with all faults found.
    """
    parser = Parser(kinds, within=within)
    node = parser.node(rule, ROOT, depth=1)
    parser.stop_at_faults()
    assert node is not None  # where there is none there is a fault
    return node


class Parser:
    """Reads the rules of one document, and gathers what is wrong with them.

    Args:
        within: the collection whose gate it is: everybody and other collections have no place in it.
    """

    def __init__(self, kinds: Mapping[str, RequirementKind], *, within: str = "") -> None:
        self._kinds = kinds
        self._within = within
        self._nodes = 0
        self.faults: list[FieldError] = []

    def stop_at_faults(self) -> None:
        """Raises GateInvalid: 422, with all faults found; nothing where there is none."""
        if self.faults:
            first = self.faults[0]
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            raise GateInvalid(f"{first.field} {first.message}{more}", errors=tuple(self.faults))

    def fault(self, path: str, message: str) -> None:
        self.faults.append(FieldError(path, message))

    def _fault(self, path: str, message: str) -> Node | None:
        """Notes it; the None is for the caller to return."""
        self.fault(path, message)
        return None

    def unknown_keys(self, plain: Mapping[object, object], known: Sequence[str], path: str) -> bool:
        """Whether there are any; each is noted at its place (`path` is "" for a whole document)."""
        strange = [str(key)[:MAX_NAME_CHARS] for key in plain if key not in known]
        for name in strange:
            self.fault(f"{path}.{name}" if path else name, f"is not a known field{meant(name, known)}")
        return bool(strange)

    def node(self, plain: object, path: str, *, depth: int) -> Node | None:
        """None where there is a fault, which is noted."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            if self._nodes == MAX_NODES + 1:
                self._fault(ROOT, f"has more than {MAX_NODES} nodes")
            return None
        if depth > MAX_DEPTH:
            return self._fault(path, f"is nested more than {MAX_DEPTH} deep")
        if not isinstance(plain, dict):
            return self._fault(path, "must be an object with one key")
        if len(plain) != 1:
            return self._fault(path, f"must have exactly one key, not {len(plain)}")
        name, inner = next(iter(plain.items()))
        path = f"{path}.{str(name)[:MAX_NAME_CHARS]}"
        match name:
            case "any" | "all":
                return self._group(cast(Literal["any", "all"], name), inner, path, depth)
            case "at_least":
                return self._at_least(inner, path, depth)
            case "not":
                part = self.node(inner, path, depth=depth + 1)
                return None if part is None else Not(part)
            case "public":
                return self._public(inner, path, depth)
            case _:
                return self._requirement(name, inner, path)

    def _group(self, name: Literal["any", "all"], inner: object, path: str, depth: int) -> Node | None:
        if not isinstance(inner, list):
            return self._fault(path, "must be a list")
        if not inner:
            return self._fault(path, "must not be empty")
        parts = [self.node(part, f"{path}[{index}]", depth=depth + 1) for index, part in enumerate(inner)]
        whole = tuple(part for part in parts if part is not None)
        return Group(name, whole) if len(whole) == len(parts) else None

    def _at_least(self, inner: object, path: str, depth: int) -> Node | None:
        if not isinstance(inner, dict):
            return self._fault(path, 'must be {"count": …, "of": […]}')
        missing = [name for name in ("count", "of") if name not in inner]
        for name in missing:
            self.fault(f"{path}.{name}", "is required")
        if self.unknown_keys(inner, ("count", "of"), path) or missing:
            return None
        group = self._group("any", inner["of"], f"{path}.of", depth)
        count, parts = inner["count"], inner["of"]
        if type(count) is not int or not 1 <= count <= (len(parts) if isinstance(parts, list) else 1):
            return self._fault(f"{path}.count", "must be a whole number from 1 to as many as there are")
        return AtLeast(count, group.parts) if isinstance(group, Group) else None

    def _public(self, inner: object, path: str, depth: int) -> Node | None:
        if depth != 1 or self._within:
            return self._fault(path, "stands only alone, as the whole gate of a content")
        if inner != {}:
            return self._fault(path, "must be {}")
        return Public()

    def _requirement(self, name: str, inner: Any, path: str) -> Node | None:
        kind = self._kinds.get(name)
        if kind is None:
            known = (*OPERATORS, *sorted(self._kinds))
            return self._fault(path, f"is not a known kind of requirement{meant(name, known, else_list=True)}")
        if name == SAME_AS and self._within:
            return self._fault(path, "has no place in a collection's gate: collections do not name each other")
        try:
            return Requirement(kind, structure(kind.params, inner, what="the requirement"), self._within)
        except Invalid as fault:
            for error in fault.errors:
                self._fault(f"{path}.{error.field}" if error.field else path, error.message)
            return None


def meant(name: str, known: Sequence[str], *, else_list: bool = False) -> str:
    """`; did you mean 'erc721'?`, or what is known, or nothing."""
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(known)}" if else_list else ""
