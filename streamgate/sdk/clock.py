"""Time as something that is passed in, so that tests own it (`streamgate.testing.clock`)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


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
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time.

    Raises:
        ValueError: another form, or a time without its offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it with Z or +01:00")
    return round(moment.timestamp() * 1000)
