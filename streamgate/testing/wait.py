"""Wait for a fact instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], Awaitable[T | None]], *, timeout_s: float = 10.0, every_s: float = 0.05, what: str = "it"
) -> T:
    """Asks `probe` until it answers something other than None; that answer.

    Raises:
        TimeoutError: it did not within `timeout_s`. A fault of the probe itself passes through at once.
    """
    ends_at = time.monotonic() + timeout_s
    while True:
        found = await probe()
        if found is not None:
            return found
        if time.monotonic() > ends_at:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        await asyncio.sleep(every_s)
