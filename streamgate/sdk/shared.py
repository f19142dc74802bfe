"""Something that several plugins of a process use and nobody owns: opened by the first, closed by the last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class SharedUse:
    """Counts users. Each plugin's own unit acquires at its start and releases at its stop."""

    def __init__(self, on_open: Callable[[], Awaitable[None]], on_close: Callable[[], Awaitable[None]]) -> None:
        self._on_open = on_open
        self._on_close = on_close
        self._users = 0
        self._turn = asyncio.Lock()

    async def acquire(self) -> None:
        """Raises what opening raises; then it was not acquired."""
        async with self._turn:
            if self._users == 0:
                await self._on_open()
            self._users += 1

    async def release(self) -> None:
        async with self._turn:
            self._users -= 1
            if self._users == 0:
                await self._on_close()
