"""Who serves what, and where: told on the bus by every split process, so that a gateway can forward.

Each process says it at start, every EVERY_S, and at once when a gateway that has just started asks. It takes
itself back when it stops, so that nobody is forwarded to a process that drains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs
from loguru import logger

from streamgate.bus.base import Bus, Subscription
from streamgate.identity.sender import sender_of
from streamgate.wire import decode, encode

ANNOUNCE = "live.announce"
ANNOUNCE_WANTED = "live.announce_wanted"
EVERY_S = 5.0


@attrs.frozen(kw_only=True)
class Announcement:
    """One service of one process. `instance` tells two processes of a service apart; `is_leaving`: forget it. A gateway
    sends `hop` (`web.edge.HOP_HEADER`) with what it forwards: then its word on the caller's address is believed."""

    service: str
    instance: str
    base_url: str
    prefixes: tuple[str, ...]
    openapi_sha256: str
    is_leaving: bool = False
    hop: str = ""


async def ask_for_announcements(bus: Bus) -> None:
    """Every process announces itself now, not only at its next turn."""
    await bus.broadcast(ANNOUNCE_WANTED, b"{}")


class Announcer:
    """A unit: announces while it runs. It starts behind the servers: what is announced accepts."""

    name = "announcer"

    def __init__(
        self,
        bus: Bus,
        announcements: Sequence[Announcement],
        *,
        needs: tuple[str, ...] = ("bus",),
        every_s: float = EVERY_S,
    ) -> None:
        self.needs = needs
        self._bus = bus
        self._announcements = tuple(announcements)
        self._every_s = every_s
        self._asked: Subscription | None = None
        self._repeater: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._asked = await self._bus.subscribe_everyone(ANNOUNCE_WANTED, self._on_asked, resync=self._announce)
        self._repeater = asyncio.create_task(self._repeat(), name=self.name)

    async def stop(self) -> None:
        if self._repeater is not None:
            self._repeater.cancel()
            await asyncio.wait([self._repeater])
            self._repeater = None
        if self._asked is not None:
            await self._asked.stop()
            self._asked = None
            await self._announce(is_leaving=True)

    async def _on_asked(self, _: bytes) -> None:
        await self._announce()

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._announce()
            except Exception as fault:  # the bus is away; it will hear the next one
                logger.bind(error=repr(fault)).debug("announcement not sent")

    async def _announce(self, *, is_leaving: bool = False) -> None:
        for each in self._announcements:
            await self._bus.broadcast(ANNOUNCE, encode(attrs.evolve(each, is_leaving=is_leaving)))


def read_announcement(payload: bytes) -> Announcement:
    """The announcement in a message of ANNOUNCE.

    Raises:
        ValueError: its sender is another role than the service's, or does not own those paths.
    """
    announcement = decode(Announcement, payload)
    sender = sender_of(payload)
    if sender is not None:
        if announcement.service not in sender.plugins:
            raise ValueError(f"{sender.role} announced {announcement.service}, which it is not")
        foreign = set(announcement.prefixes).difference(sender.prefixes)
        if foreign:
            raise ValueError(f"{sender.role} announced {', '.join(sorted(foreign))}, which it does not own")
    return announcement
