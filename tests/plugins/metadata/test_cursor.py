"""Cursors: read what was written, refuse everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.errors import Invalid
from streamgate_metadata.cursor import Position, read_cursor, write_cursor

NO_NUL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(st.integers(0, 2**50), NO_NUL, st.integers(0, 6))
def test_a_position_comes_back(at_ms: int, content_id: str, tier: int) -> None:
    position = Position("newest", at_ms, content_id, tier)
    assert read_cursor(write_cursor(position), "newest") == position


def test_no_cursor_is_the_beginning() -> None:
    assert read_cursor("", "newest") is None


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(Invalid):
        read_cursor(write_cursor(Position("newest", 1, "c_1")), "oldest")


@given(st.text(min_size=1, max_size=60))
def test_garbage_is_refused_as_invalid(garbage: str) -> None:
    with pytest.raises(Invalid):
        read_cursor(garbage, "newest")


@pytest.mark.parametrize(
    ("sort", "position"),
    [
        ("title", Position("title", "a\0b", "c_1")),
        ("title", Position("title", "a", "c\0")),
        ("relevance", Position("relevance", 1.5, "")),
        ("relevance", Position("relevance", 1, "", -1)),
        ("relevance", Position("relevance", 1, "", 2**40)),
    ],
)
def test_what_a_database_could_not_read_is_refused(sort: str, position: Position) -> None:
    with pytest.raises(Invalid):
        read_cursor(write_cursor(position), sort)


@pytest.mark.parametrize("key", ["text", 2**63, True, None])
def test_a_key_of_the_wrong_kind_is_refused(key: object) -> None:
    forged = write_cursor(Position("newest", key, "c_1"))  # type: ignore[arg-type]
    with pytest.raises(Invalid):
        read_cursor(forged, "newest")
