"""Roles of two toy services, and buses that are theirs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.identity.credentials import Credentials
from streamgate.identity.grants import Grants
from streamgate.identity.issuing import Issuer, make_key
from streamgate.identity.signed import SignedBus

NOW_S = 1_800_000_000

DOOR = Grants(
    plugins=("door",),
    asks=("svc.greeter.v1.greet", "svc.greeter-kernel.v1.*"),
    answers=("svc.door.v1",),
    tells=("evt.door.opened.v1", "live.announce", "live.door.knocked.v1"),
    hears=("live.announce_wanted",),
    prefixes=("/api/v1/door",),
)
GREETER = Grants(
    plugins=("greeter",),
    answers=("svc.greeter.v1", "svc.greeter-kernel.v1"),
    tells=("live.announce",),
    hears=("evt.door.opened.v1", "live.door.knocked.v1", "live.announce"),
    prefixes=("/api/v1/greeter",),
)


@attrs.define
class World:
    """An installation: its issuer, one bus for all, a clock that stands still until it is moved."""

    issuer: Issuer = attrs.field(factory=lambda: Issuer(keys=(make_key(NOW_S),)))
    inner: MemoryBus = attrs.field(factory=lambda: MemoryBus(is_local=False))
    now_s: float = NOW_S

    def issue(self, role: str, grants: Grants, **options: int) -> Credentials:
        self.issuer, credentials = self.issuer.issue(role, grants, int(self.now_s), **options)
        return credentials

    def bus(self, credentials: Credentials) -> SignedBus:
        return SignedBus(self.inner, credentials, now_s=lambda: self.now_s)

    def door(self) -> SignedBus:
        return self.bus(self.issue("door", DOOR))

    def greeter(self) -> SignedBus:
        return self.bus(self.issue("greeter", GREETER))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.inner.start()
    yield world
    await world.inner.stop()


@pytest.fixture
def grants() -> dict[str, Grants]:
    return {"door": DOOR, "greeter": GREETER}


@pytest.fixture
def tapped() -> Callable[..., object]:
    """Hears on the inner bus what travels: what somebody who got onto the bus could write down."""

    @asynccontextmanager
    async def tap(world: World, subject: str) -> AsyncIterator[list[bytes]]:
        seen: list[bytes] = []
        request, publish, broadcast = world.inner.request, world.inner.publish, world.inner.broadcast

        async def asking(where: str, payload: bytes, *, timeout_s: float) -> bytes:
            if where == subject:
                seen.append(payload)
            return await request(where, payload, timeout_s=timeout_s)

        async def publishing(where: str, payload: bytes, *, message_id: str) -> None:
            if where == subject:
                seen.append(payload)
            await publish(where, payload, message_id=message_id)

        async def broadcasting(where: str, payload: bytes) -> None:
            if where == subject:
                seen.append(payload)
            await broadcast(where, payload)

        world.inner.request, world.inner.publish, world.inner.broadcast = (  # type: ignore[method-assign]
            asking,
            publishing,
            broadcasting,
        )
        try:
            yield seen
        finally:
            world.inner.request, world.inner.publish, world.inner.broadcast = (  # type: ignore[method-assign]
                request,
                publish,
                broadcast,
            )

    return tap


@pytest.fixture
def real_now_s() -> int:
    return int(time.time())
