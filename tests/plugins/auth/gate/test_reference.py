"""docs/reference/gates.md shows every kind, with all its parameters, and rules that are rules."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from streamgate.testing.house import House
from streamgate_auth.gate.parse import MAX_DEPTH, MAX_NODES, OPERATORS
from streamgate_auth.gate.policy import MAX_RENDITIONS, MAX_SAME_AS, parse_policy, to_document
from streamgate_auth.gate.text import parse_json, parse_yaml

PAGE = (Path(__file__).parents[4] / "docs/reference/gates.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```(json|yaml)\n(.*?)```", PAGE, re.DOTALL)


async def test_every_example_is_a_gate(home: House) -> None:
    kinds = home.plugins["auth"].gate.kinds.by_name()
    assert len(EXAMPLES) >= 11
    for language, text in EXAMPLES:
        plain = (parse_json if language == "json" else parse_yaml)(text.encode())
        document = to_document(parse_policy(plain, kinds))
        assert to_document(parse_policy(document, kinds)) == document


async def test_every_kind_has_its_section(home: House) -> None:
    sections = dict(re.findall(r"### `([a-z0-9_]+)`\n(.*?)(?=\n##|\Z)", PAGE, re.DOTALL))
    kinds = home.plugins["auth"].gate.kinds.by_name()
    assert set(sections) == set(kinds)
    for name, kind in kinds.items():
        assert f'{{"{name}": ' in sections[name], f"{name} has no example"
        lacking = [field.name for field in attrs.fields(kind.params) if field.name not in sections[name]]
        assert not lacking, f"{name} says nothing of {lacking}"


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_is_in_the_grammar(operator: str) -> None:
    assert f'{{"{operator}": ' in PAGE


def test_bounds_are_the_codes() -> None:
    flat = " ".join(PAGE.split())
    assert (
        f"at most {MAX_NODES} nodes in all, {MAX_DEPTH} deep, and names collections at most {MAX_SAME_AS} times" in flat
    )
    assert f"At most {MAX_RENDITIONS} heights" in flat
