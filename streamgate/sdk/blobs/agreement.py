"""Whether all processes of a split mean the same store: a container without the mount has a folder of its own.

The store holds a file (or object) with a random id. A process that starts tells the others its id and hears theirs;
where they differ it refuses to start.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from streamgate.bus.base import Bus, Subscription
from streamgate.sdk.blobs.base import StoreFault

MARKER = ".streamgate-store"
SUBJECT = "live.blobs.store.v1"
WAIT_S = 0.3
"""How long others have to object."""


def store_id(root: Path) -> str:
    """The folder's id; the first who asks makes it."""
    marker = root / MARKER
    draft = root / f"{MARKER}.{secrets.token_hex(8)}"
    if not marker.exists():
        draft.write_text(secrets.token_hex(16))
        try:
            os.link(draft, marker)  # whole or not at all, and only once
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return marker.read_text().strip()


class Agreement:
    """Says our id, and answers those who ask.

    Args:
        place: how a person calls the store.
        identify: reads its id.
    """

    def __init__(self, bus: Bus, place: str, source: str, identify: Callable[[], Awaitable[str]]) -> None:
        self._bus = bus
        self._place = place
        self._identify = identify
        self._source = source
        self._id = ""
        self._other = ""
        self._objected = asyncio.Event()
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Raises StoreFault: another process has another store."""
        self._id = await self._identify()
        self._subscription = await self._bus.subscribe_everyone(SUBJECT, self._heard, resync=self._ask)
        try:
            async with asyncio.timeout(WAIT_S):
                await self._objected.wait()
        except TimeoutError:
            return
        await self.stop()
        raise StoreFault(
            f"blobs: {self._place} is another store here than in {self._other}: give every process the same "
            "(STREAMGATE_BLOBS__URL; of a folder, mount the same one)"
        )

    async def stop(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.stop()

    async def _ask(self) -> None:
        await self._say(asks=True)

    async def _say(self, *, asks: bool) -> None:
        await self._bus.broadcast(SUBJECT, orjson.dumps({"id": self._id, "source": self._source, "asks": asks}))

    async def _heard(self, payload: bytes) -> None:
        said = orjson.loads(payload)
        if said["id"] != self._id:
            self._other = said["source"]
            self._objected.set()
            if said["asks"]:
                await self._say(asks=False)
