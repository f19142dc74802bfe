"""Subjects, the retry policy and the choice of a bus."""

from __future__ import annotations

import pytest

from streamgate.bus import open_bus
from streamgate.bus.base import RetryPolicy, check_pattern, matches
from streamgate.bus.memory import MemoryBus
from streamgate.bus.nats import NatsBus


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("a.>", "b.c", False),
    ],
)
def test_a_pattern_matches_as_on_nats(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected


@pytest.mark.parametrize("pattern", ["a.*.b", "*.a", ">", "a>", "a b", "a\r\nPUB b 0", ""])
def test_other_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a subject"):
        check_pattern(pattern)


def test_pauses_grow_and_the_last_repeats() -> None:
    policy = RetryPolicy(max_deliveries=9, pauses_s=(1.0, 5.0))

    assert [policy.pause_after_s(n) for n in (1, 2, 3, 8)] == [1.0, 5.0, 5.0, 5.0]


def test_the_url_chooses_the_bus() -> None:
    assert isinstance(open_bus("memory:", name="test"), MemoryBus)
    assert isinstance(open_bus("nats://127.0.0.1:4222", name="test"), NatsBus)
    with pytest.raises(ValueError, match="scheme"):
        open_bus("redis://127.0.0.1", name="test")
