"""Which YAML is read, and what of it is refused before anything is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from streamgate.errors import BadRequest
from streamgate_auth.gate.text import MAX_DEPTH, parse_json, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a: true", {"a": True}),
        ("a: 0x12", {"a": "0x12"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 010", {"a": "010"}),
        ("a: 7", {"a": 7}),
        ("a: '7'", {"a": "7"}),
        ("a: 2.5", {"a": 2.5}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2026-01-01T00:00:00Z", {"a": "2026-01-01T00:00:00Z"}),
        ("a:\n- null\n- ~\n-\n", {"a": [None, None, None]}),
        ("# nothing\n", None),
        ('{"a": [1, {"b": "c"}]}', {"a": [1, {"b": "c"}]}),
    ],
)
def test_scalars_are_what_json_would_have_them(text: str, value: Any) -> None:
    assert parse_yaml(text.encode()) == value


NINE = ",".join(["*{0}"] * 9)
BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{NINE.format(before)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "anchors and aliases are not read here, at line 1"),
        ("a: 1\nb: *a", "anchors and aliases are not read here, at line 2"),
        ("a: !!python/object/apply:os.system ['true']", "tags are not read here, at line 1"),
        ("!!str a", "tags are not read here"),
        ("a: 1\na: 2", "the key 'a' is there twice, at line 2"),
        ("? [a]\n: 1", "a key is a plain word"),
        ("a: 1\n---\nb: 2", "a second document has no place here, at line 2"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"nested more than {MAX_DEPTH} deep"),
        ("[" * 50_000, f"nested more than {MAX_DEPTH} deep"),
        ("a: [1", "the body is not YAML"),
        ("a: \x00", "the body is not YAML"),
    ],
)
def test_what_is_not_read(text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=r".") as caught:
        parse_yaml(text.encode())
    assert said in caught.value.detail


def test_what_is_no_text_at_all() -> None:
    with pytest.raises(BadRequest):
        parse_yaml(b"\xff\xfe\x00")
    with pytest.raises(BadRequest, match="line 1"):
        parse_json(b"{")
