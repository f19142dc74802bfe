"""Events, broadcasts and announcements: signed by who tells them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from streamgate.announce import ANNOUNCE, Announcement, read_announcement
from streamgate.identity.grants import Grants
from streamgate.identity.signed import IdentityRefused
from streamgate.identity.trust import EVENT_AGE_S, WINDOW_S
from streamgate.testing.wait import eventually
from streamgate.wire import encode

OPENED = "evt.door.opened.v1"
KNOCKED = "live.door.knocked.v1"


async def nothing() -> None:
    return None


class Heard(list[bytes]):
    async def __call__(self, payload: bytes) -> None:
        self.append(payload)


async def dead(world: Any) -> int:
    return sum((await world.inner.dead_letters()).values())


async def test_an_event_arrives_as_it_was_told(world: Any) -> None:
    heard, everywhere = Heard(), Heard()
    greeter = world.greeter()
    await greeter.subscribe_group(OPENED, "greeter", heard)
    await greeter.subscribe_everyone(OPENED, everywhere, resync=nothing)
    await world.door().publish(OPENED, b"wide", message_id="1")
    assert await eventually(lambda: seen(heard, everywhere)) == ([b"wide"], [b"wide"])


async def seen(*heard: Heard) -> tuple[list[bytes], ...] | None:
    return tuple(list(each) for each in heard) if all(heard) else None


@pytest.mark.parametrize("forge", ["unsealed", "changed", "of another subject", "by another role"])
async def test_a_forged_event_becomes_a_dead_letter(world: Any, tapped: Any, forge: str) -> None:
    heard, greeter = Heard(), world.greeter()
    await greeter.subscribe_group(OPENED, "greeter", heard)
    async with tapped(world, KNOCKED) as knocked:
        await world.door().broadcast(KNOCKED, b"forged")
    stranger = world.bus(world.issue("stranger", Grants(tells=(OPENED,))))
    stranger._raw = world.door()._raw  # it shows the door's certificate, and signs with its own key
    payloads: dict[str, bytes] = {
        "unsealed": b'{"id":"1"}',
        "changed": world.door()._signed(OPENED, b"true")[:-4] + b"fake",
        "of another subject": knocked[0],
        "by another role": stranger._signed(OPENED, b"forged"),
    }
    await world.inner.publish(OPENED, payloads[forge], message_id="1")
    assert (heard, await dead(world)) == ([], 1)


async def test_nobody_tells_what_is_not_theirs(world: Any) -> None:
    for tell in (
        world.greeter().publish(OPENED, b"", message_id="1"),
        world.greeter().broadcast(KNOCKED, b""),
    ):
        with pytest.raises(IdentityRefused, match=r"greeter may not tell .*PluginInfo\.tells"):
            await tell
    with pytest.raises(IdentityRefused, match=r"door may not hear .*PluginInfo\.hears"):
        await world.door().subscribe_group(OPENED, "door", Heard())


async def test_an_event_may_wait_for_days_and_a_broadcast_may_not(world: Any) -> None:
    heard, live, greeter, door = Heard(), Heard(), world.greeter(), world.door()
    await greeter.subscribe_group(OPENED, "greeter", heard)
    await greeter.subscribe_everyone(KNOCKED, live, resync=nothing)
    event, knock = door._signed(OPENED, b"e"), door._signed(KNOCKED, b"k")
    world.now_s += WINDOW_S + 1
    await world.inner.publish(OPENED, event, message_id="1")
    await world.inner.broadcast(KNOCKED, knock)
    await door.broadcast(KNOCKED, b"fresh")
    assert await eventually(lambda: seen(heard, live)) == ([b"e"], [b"fresh"])
    world.now_s += EVENT_AGE_S
    await world.inner.publish(OPENED, event, message_id="2")
    assert (heard, await dead(world)) == ([b"e"], 1)


async def test_each_of_several_listeners_of_a_process_hears_a_broadcast(world: Any) -> None:
    first, second, greeter = Heard(), Heard(), world.greeter()
    for heard in (first, second):
        await greeter.subscribe_everyone(KNOCKED, heard, resync=nothing)
    await world.door().broadcast(KNOCKED, b"k")
    assert await eventually(lambda: seen(first, second)) == ([b"k"], [b"k"])


async def test_a_broadcast_counts_once(world: Any, tapped: Any) -> None:
    live, greeter, door = Heard(), world.greeter(), world.door()
    await greeter.subscribe_everyone(KNOCKED, live, resync=nothing)
    async with tapped(world, KNOCKED) as knocked:
        await door.broadcast(KNOCKED, b"1")
        await world.inner.broadcast(KNOCKED, knocked[0])
        await door.broadcast(KNOCKED, b"2")
    assert await eventually(lambda: long_enough(live, 2)) == [b"1", b"2"]


async def long_enough(heard: Heard, count: int) -> list[bytes] | None:
    return list(heard) if len(heard) >= count else None


# --- announcements ------------------------------------------------------------------------------------

TRUE = Announcement(
    service="door", instance="door@1", base_url="http://127.0.0.1:1", prefixes=("/api/v1/door",), openapi_sha256=""
)


@pytest.mark.parametrize(
    ("announced", "fault"),
    [
        (TRUE, ""),
        (attrs.evolve(TRUE, service="greeter"), "door announced greeter, which it is not"),
        (attrs.evolve(TRUE, service="greeter", is_leaving=True), "door announced greeter, which it is not"),
        (attrs.evolve(TRUE, prefixes=("/api/v1/door", "/api/v1/greeter")), "which it does not own"),
        (attrs.evolve(TRUE, prefixes=("/api/v1",)), "which it does not own"),
    ],
)
async def test_paths_are_announced_by_their_owner_only(world: Any, announced: Announcement, fault: str) -> None:
    said: list[str] = []

    async def hears(payload: bytes) -> None:
        try:
            said.append(f"{read_announcement(payload).service} is there")
        except ValueError as refused:
            said.append(str(refused))

    async def done() -> str | None:
        return said[0] if said else None

    await world.greeter().subscribe_everyone(ANNOUNCE, hears, resync=nothing)
    await world.door().broadcast(ANNOUNCE, encode(announced))
    heard = await eventually(done)
    assert fault in heard if fault else heard == "door is there"
