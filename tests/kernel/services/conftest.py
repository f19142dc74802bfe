"""The service of `things.py`, reached by each road: a plain call, its wire form, the bus (in memory and over NATS)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.bus.nats import NatsBus
from streamgate.services import Offer, Services
from tests.kernel.services.things import ROADS, THINGS, Caught, Implementation, Things


@pytest.fixture
def logged() -> Any:
    from loguru import logger

    caught = Caught()
    sink = logger.add(lambda message: caught.lines.append(str(message)), level="ERROR")
    yield caught
    logger.remove(sink)


@pytest.fixture
def implementation() -> Implementation:
    return Implementation()


@pytest.fixture
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Awaitable[Services]]]:
    """`await connect(road, *offers)`: the registry of a caller who reaches what is offered by that road."""
    async with AsyncExitStack() as cleanup:

        async def connect(road: str, *offers: Offer[Any]) -> Services:
            if road in ("direct", "wired"):
                buses = [MemoryBus()]
            elif road == "memory":
                buses = [MemoryBus(is_local=False)] * 2  # type: ignore[list-item]
            else:
                url = request.getfixturevalue("nats_server").url
                buses = [NatsBus(url, name=name) for name in ("caller", "callee")]  # type: ignore[misc]
            registries = [Services(bus, source=f"side{n}", wire_local=road == "wired") for n, bus in enumerate(buses)]
            for bus, services in zip(buses, registries, strict=True):
                await bus.start()
                cleanup.push_async_callback(bus.stop)
                cleanup.push_async_callback(services.stop)
            for offer in offers:
                registries[-1].offer(offer)
            for services in registries:
                services.settle()
                await services.start()
            return registries[0]

        yield connect


@pytest.fixture(params=ROADS)
async def things(request: pytest.FixtureRequest, connect: Any, implementation: Implementation) -> Things:
    """The service, by each road in turn."""
    services: Services = await connect(request.param, Offer(THINGS, implementation))
    return services.get(THINGS)
