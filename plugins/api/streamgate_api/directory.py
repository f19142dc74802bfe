"""Hears who serves what, and keeps the forwarder's connections: the gateway's unit when services are split."""

from __future__ import annotations

from loguru import logger

from streamgate.announce import ANNOUNCE, ask_for_announcements, read_announcement
from streamgate.bus.base import Bus, Subscription
from streamgate.contracts.prefixes import SERVICES
from streamgate.errors import Unavailable
from streamgate_api.forwarder import Forwarder
from streamgate_api.targets import SELF, Targets


class Directory:
    name = "api.directory"
    needs: tuple[str, ...] = ("bus",)

    def __init__(self, bus: Bus, targets: Targets, forwarder: Forwarder) -> None:
        self._bus = bus
        self._targets = targets
        self._forwarder = forwarder
        self._heard: Subscription | None = None

    async def start(self) -> None:
        await self._forwarder.start()
        self._heard = await self._bus.subscribe_everyone(ANNOUNCE, self._on_announcement, resync=self._ask)

    async def stop(self) -> None:
        if self._heard is not None:
            await self._heard.stop()
            self._heard = None
        await self._forwarder.stop()

    async def probe(self) -> str:
        """Raises Unavailable with the names of those of the nine that nobody serves now."""
        absent = [name for name in SERVICES if name != SELF and not self._targets.addresses_of(name)]
        if absent:
            raise Unavailable(f"nobody serves {', '.join(absent)}")
        return f"{len(self._targets.services())} services"

    async def _on_announcement(self, payload: bytes) -> None:
        try:
            self._targets.hear(read_announcement(payload))
        except (ValueError, TypeError, KeyError) as fault:  # another version's, or nobody's
            logger.bind(error=repr(fault)).warning("announcement not understood")

    async def _ask(self) -> None:
        await ask_for_announcements(self._bus)
