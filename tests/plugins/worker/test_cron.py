"""When schedules are due, above all where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgate_worker.cron import ALIASES, Cron, CronFault


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def following(cron: str, zone: str, after: str, count: int) -> list[str]:
    parsed, at_ms, found = Cron.parse(cron, zone), ms(after), []
    for _ in range(count):
        next_ms = parsed.following(at_ms)
        assert next_ms is not None
        at_ms = next_ms
        found.append(datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("30 2 * * *", "UTC", "2026-01-01T02:30:00Z", ["01-02T02:30", "01-03T02:30"]),
        ("30 2 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", ["01-01T20:45", "01-02T20:45"]),
        ("*/20 * * * *", "UTC", "2026-01-01T00:10:05Z", ["01-01T00:20", "01-01T00:40", "01-01T01:00"]),
        ("0 9 * * mon-fri", "America/New_York", "2026-01-02T15:00:00Z", ["01-05T14:00", "01-06T14:00"]),
        ("@daily", "Pacific/Auckland", "2026-01-01T00:00:00Z", ["01-01T11:00", "01-02T11:00"]),
        ("0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", ["02-29T00:00", "02-29T00:00"]),
        ("0 0 * * sun#1", "UTC", "2026-01-01T00:00:00Z", ["01-04T00:00", "02-01T00:00"]),
    ],
)
def test_moments_in_their_zone(cron: str, zone: str, after: str, expected: list[str]) -> None:
    assert following(cron, zone, after, len(expected)) == expected


# Berlin 2026: on 29 March 02:00 becomes 03:00 (01:00 UTC); on 25 October 03:00 becomes 02:00 (01:00 UTC).
@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # Left out: at the moment the clocks are put forward, once however often it would have run in the hour.
        ("30 2 * * *", "2026-03-28T00:00:00Z", ["03-28T01:30", "03-29T01:00", "03-30T00:30"]),
        ("*/15 2 * * *", "2026-03-28T12:00:00Z", ["03-29T01:00", "03-30T00:00", "03-30T00:15"]),
        ("0 2 * * *", "2026-03-28T12:00:00Z", ["03-29T01:00", "03-30T00:00"]),
        ("0 3 * * *", "2026-03-28T12:00:00Z", ["03-29T01:00", "03-30T01:00"]),
        ("0 2,3 * * *", "2026-03-28T12:00:00Z", ["03-29T01:00", "03-30T00:00", "03-30T01:00"]),
        # Every so often: the hour that does not exist is not run.
        ("*/30 * * * *", "2026-03-29T00:00:00Z", ["03-29T00:30", "03-29T01:00", "03-29T01:30"]),
        ("0 */2 * * *", "2026-03-28T22:30:00Z", ["03-28T23:00", "03-29T02:00", "03-29T04:00"]),
        # Twice: at a fixed hour the first time only, every so often both times.
        ("30 2 * * *", "2026-10-24T12:00:00Z", ["10-25T00:30", "10-26T01:30"]),
        ("0 3 * * *", "2026-10-24T12:00:00Z", ["10-25T02:00", "10-26T02:00"]),
        ("*/30 * * * *", "2026-10-24T23:45:00Z", ["10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30"]),
        ("@hourly", "2026-10-24T23:30:00Z", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]),
    ],
)
def test_where_clocks_are_changed(cron: str, after: str, expected: list[str]) -> None:
    assert following(cron, "Europe/Berlin", after, len(expected)) == expected


def test_half_an_hour_is_a_change_too() -> None:
    """Lord Howe: on 5 April 2026 02:00 becomes 01:30, on 4 October 02:00 becomes 02:30."""
    assert following("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", 2) == ["04-04T14:45", "04-05T15:15"]
    assert following("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 2) == ["10-03T15:30", "10-04T15:15"]


WRONG = [
    *("", "* * * *", "* * * * * *", "61 * * * *", "a b c d e", "*/0 * * * *", "H * * * *", "R * * * *", "0 R * * *"),
    *("@reboot", "@every 5m", "0 0 0 * *", "1," * 150 + "1 * * * *", "0 0 * * \x00", "R(1-5) * * * *", "-1 * * * *"),
]


@pytest.mark.parametrize("cron", WRONG)
def test_what_cannot_be_read_is_said(cron: str) -> None:
    with pytest.raises(CronFault) as refused:
        Cron.parse(cron)
    assert refused.value.field == "cron"
    assert str(refused.value)
    assert "]" not in str(refused.value)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../etc/passwd", "/etc/localtime", "Europe", "UTC\x00", "x" * 70])
def test_unknown_zone_is_said(zone: str) -> None:
    with pytest.raises(CronFault) as refused:
        Cron.parse("* * * * *", zone)
    assert refused.value.field == "timezone"


def test_day_that_never_comes() -> None:
    assert Cron.parse("0 0 31 2 *").following(0) is None


@settings(max_examples=60, deadline=None)
@given(
    minute=st.sampled_from(["0", "*/7", "30,45", "*"]),
    hour=st.sampled_from(["*", "*/3", "2", "1-3", "23"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
    after_s=st.integers(min_value=1_700_000_000, max_value=1_900_000_000),
)
def test_moments_go_forward_and_are_what_the_clock_says(minute: str, hour: str, zone: str, after_s: int) -> None:
    """Whatever the zone does: strictly later, whole minutes, none skipped by asking from in between."""
    cron = Cron.parse(f"{minute} {hour} * * *", zone)
    moments = [after_s * 1000]
    for _ in range(5):
        found = cron.following(moments[-1])
        assert found is not None
        moments.append(found)
    for earlier, later in pairwise(moments):
        assert later > earlier
        assert later % 60_000 == 0
        assert cron.following((earlier + later) // 2) == later
        assert later - earlier <= 26 * 3_600_000


def test_aliases_are_fields() -> None:
    assert {name: Cron.parse(name).expression for name in ALIASES} == ALIASES
