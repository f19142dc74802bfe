"""Many at once, one without the cost of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def at_once(calls: Sequence[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """As `asyncio.gather`, which makes a task of each; one alone runs in the task that waits for it."""
    if len(calls) == 1:
        return (await calls[0],)
    return await asyncio.gather(*calls)
