"""Ids and time."""

from __future__ import annotations

import asyncio
import re
import time
import uuid

import pytest

from streamgate.sdk.clock import SYSTEM_CLOCK, parse_rfc3339, rfc3339
from streamgate.sdk.ids import new_id, uuid7
from streamgate.testing.clock import START_S, FakeClock


def test_ids_are_url_safe_and_never_the_same() -> None:
    made = {new_id("c") for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(re.fullmatch(r"c_[0-9A-Za-z]{22}", each) for each in made)


def test_uuid7_says_its_time_and_its_version() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = uuid.UUID(uuid7())
    after_ms = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before_ms <= made.int >> 80 <= after_ms
    assert len({uuid7() for _ in range(1_000)}) == 1_000


def test_times_are_rfc_3339_in_utc() -> None:
    assert rfc3339(round(START_S * 1000) + 7) == "2027-01-15T08:00:00.007Z"
    assert parse_rfc3339("2027-01-15T09:00:00.007+01:00") == parse_rfc3339("2027-01-15T08:00:00.007Z")
    assert parse_rfc3339(rfc3339(1_234_567_890_123)) == 1_234_567_890_123


@pytest.mark.parametrize(
    ("text", "must"),
    [
        ("2027-01-15T08:00:00", "offset"),
        ("yesterday", "offset"),
        ("", "offset"),
        ("2027-W03-5T08:00:00Z", "RFC 3339"),
        ("2027-01-15 08:00:00Z", "RFC 3339"),
        ("2027-02-30T08:00:00Z", "that there are"),
        ("9999-12-31T23:59:59-00:01", "years 1 to 9999"),
        ("0001-01-01T00:00:00+23:59", "years 1 to 9999"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, must: str) -> None:
    with pytest.raises(ValueError, match=must):
        parse_rfc3339(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "1969-12-31T23:59:59.001Z"])
def test_what_is_read_can_be_written_again(text: str) -> None:
    assert rfc3339(parse_rfc3339(text)) == text
    finer = text.replace("Z", "999z").replace("T", "t")
    assert rfc3339(parse_rfc3339(finer)) == text


def test_system_clock_goes_on() -> None:
    assert abs(SYSTEM_CLOCK.now_s() * 1000 - SYSTEM_CLOCK.now_ms()) < 1_000
    assert SYSTEM_CLOCK.monotonic_s() <= SYSTEM_CLOCK.monotonic_s()


async def test_fake_clock_wakes_sleepers_in_their_order() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, duration_s: float) -> None:
        await clock.sleep(duration_s)
        woken.append((name, clock.now_s() - START_S))

    tasks = [asyncio.create_task(sleeper(name, duration_s)) for name, duration_s in (("b", 5), ("a", 2), ("c", 60))]
    await asyncio.sleep(0)
    assert clock.sleepers == 3
    await clock.advance(10)
    assert woken == [("a", 2.0), ("b", 5.0)]
    clock.jump(100)
    assert len(woken) == 2
    await clock.advance(0)
    assert woken[-1] == ("c", 110.0)
    await asyncio.gather(*tasks)
