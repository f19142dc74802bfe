"""kill -9 of the parts of a running split, and their return as a supervisor would bring it about."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import attrs

from streamgate.testing.stacks import Stack


@attrs.define
class Crashes:
    """`told`: what was killed and when in the story, in order. Where the stack is no split, nothing is."""

    stack: Stack
    told: list[str] = attrs.field(factory=list)
    _returning: dict[str, asyncio.Task[None]] = attrs.field(factory=dict)

    @property
    def are_meant(self) -> bool:
        return self.stack.mode == "split"

    async def kill(self, *names: str, when: str) -> str:
        """Kills these at once; each is started again half a second later, while the story goes on."""
        if not self.are_meant:
            return ""
        await asyncio.gather(*(self._returned(name) for name in names))
        for name in names:
            await asyncio.to_thread(self.stack.crash, name)
        for name in names:
            self._returning[name] = asyncio.create_task(asyncio.to_thread(self.stack.bring_back, name))
        told = f"killed {', '.join(names)} {when}"
        self.told.append(told)
        return told

    async def all_returned(self) -> None:
        """Raises DidNotStart, ServerFailed."""
        for name in tuple(self._returning):
            await self._returned(name)
        if self.are_meant:
            await asyncio.to_thread(self.stack.wait_ready)

    async def _returned(self, name: str) -> None:
        task = self._returning.pop(name, None)
        if task is not None:
            await task

    @contextlib.asynccontextmanager
    async def in_the_end_all_return(self) -> AsyncIterator[None]:
        """Nothing is left on its way when the story fails in the middle."""
        try:
            yield
        finally:
            await asyncio.gather(*self._returning.values(), return_exceptions=True)
