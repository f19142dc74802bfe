"""Says of a test which attacks it shows to fail: rows of `docs/reference/security.md`, which is made from these marks.

    @attack("B1", "B41")
    async def test_a_challenge_is_good_for_one_sign_in(...): ...

The mark is read from the text of the test (`streamgate/testing/docs/security.py`), so the names are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])


def attack(*rows: str) -> Callable[[Test], Test]:
    """`rows`: as the table names them (`A7`, `B12`)."""

    def mark(test: Test) -> Test:
        return test

    if not rows:
        raise ValueError("name at least one attack")
    return mark
