"""Each attack has its test or says why not; each mark is of a test that is run."""

from __future__ import annotations

import re

from streamgate.testing.docs.attacks import ATTACKS, HOLES
from streamgate.testing.docs.security import marked_tests

ROWS = [each.row for each in (*HOLES, *ATTACKS)]


def test_rows_are_named_once_and_in_order() -> None:
    assert [f"A{number}" for number in range(1, 15)] + [f"B{number}" for number in range(1, 49)] == ROWS


def test_every_mark_is_of_a_test_and_names_attacks() -> None:
    marked = list(marked_tests())
    assert len(marked) > 60
    assert [each for each in marked if not each.name.startswith("test_") or not set(each.rows) <= set(ROWS)] == []


def test_every_test_against_the_server_is_named_after_its_row() -> None:
    for each in marked_tests():
        if each.path.parent.name == "security":
            found = re.match(r"test_([ab])(\d\d)_", each.name)
            assert found is not None, each.name
            assert f"{found[1].upper()}{int(found[2])}" in each.rows, each.name
