"""Time as something that is passed in, so that tests own it (`streamgate.testing.clock`)."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


class Clock(Protocol):
    """Wall time for what is stored and shown, monotonic time for what is measured on this machine."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""

    def now_s(self) -> float:
        """Seconds since 1970, UTC."""

    def monotonic_s(self) -> float:
        """Seconds that never jump; only differences mean something."""

    async def sleep(self, duration_s: float) -> None: ...


class SystemClock:
    """The machine's own."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


SYSTEM_CLOCK = SystemClock()


def rfc3339(at_ms: int) -> str:
    """`2026-01-31T12:00:00.123Z`: the form of every time in the API."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time, cut off after them: what `rfc3339` can write again.

    Raises:
        ValueError: another form, no offset, a day that there is not, or outside the years 1 to 9999 of UTC. It says
            what a moment must be.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("must be an RFC 3339 time with its offset, for instance 2026-01-31T20:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as fault:
        raise ValueError("must be within the years 1 to 9999 of UTC") from fault
    except ValueError as fault:
        raise ValueError("must be a day and time that there are") from fault
    return (moment - _EPOCH) // timedelta(milliseconds=1)
