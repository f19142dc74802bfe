"""Announcements: at start, when asked, again and again, and when leaving."""

from __future__ import annotations

from streamgate.announce import ANNOUNCE, Announcement, Announcer, ask_for_announcements, read_announcement
from streamgate.bus.memory import MemoryBus
from streamgate.testing.wait import eventually

TOLD = Announcement(service="upload", instance="a", base_url="http://a:1", prefixes=("/u",), openapi_sha256="s")


async def test_a_process_says_what_it_serves_until_it_leaves() -> None:
    bus = MemoryBus()
    await bus.start()
    heard: list[Announcement] = []

    async def hear(payload: bytes) -> None:
        heard.append(read_announcement(payload))

    async def nothing() -> None: ...

    listening = await bus.subscribe_everyone(ANNOUNCE, hear, resync=nothing)
    announcer = Announcer(bus, [TOLD], every_s=0.01)
    await announcer.start()

    async def repeated() -> bool | None:
        return True if len(heard) > 2 else None

    async def left() -> bool | None:
        return True if heard[-1].is_leaving else None

    assert await eventually(repeated, timeout_s=2, every_s=0.01)
    assert set(heard) == {TOLD}
    await announcer.stop()
    assert await eventually(left, timeout_s=2, every_s=0.01)
    count = len(heard)
    await ask_for_announcements(bus)
    assert len(heard) == count
    await listening.stop()
    await bus.stop()


async def test_it_is_said_at_once_to_who_asks() -> None:
    bus = MemoryBus()
    await bus.start()
    announcer = Announcer(bus, [TOLD], every_s=3600)
    await announcer.start()
    heard: list[Announcement] = []

    async def hear(payload: bytes) -> None:
        heard.append(read_announcement(payload))

    async def ask() -> None:
        await ask_for_announcements(bus)

    listening = await bus.subscribe_everyone(ANNOUNCE, hear, resync=ask)

    async def was_told() -> bool | None:
        return True if heard else None

    assert await eventually(was_told, timeout_s=2, every_s=0.01)
    await listening.stop()
    await announcer.stop()
    await bus.stop()
