"""The buses under test, and a handler that remembers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streamgate.bus.base import Bus, RetryPolicy
from streamgate.bus.memory import MemoryBus
from streamgate.bus.nats import NatsBus

SHORT = RetryPolicy(max_deliveries=3, pauses_s=(0.01, 0.02))

_number = itertools.count(1)


class Recorder:
    """A handler: keeps what it gets, may fail first, and can be waited for."""

    def __init__(self, *, failures: int = 0, fault: Exception | None = None) -> None:
        self.got: list[bytes] = []
        self._failures = failures
        self._fault = fault or RuntimeError("as the test wants it")
        self._changed = asyncio.Condition()

    async def __call__(self, payload: bytes) -> None:
        self.got.append(payload)
        async with self._changed:
            self._changed.notify_all()
        if len(self.got) <= self._failures:
            raise self._fault

    async def wait_for(self, count: int) -> list[bytes]:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.got) >= count)
        return self.got


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder


@pytest.fixture
def subject() -> str:
    """A subject of this test's own: the server keeps the messages of all."""
    return f"evt.test{next(_number)}.happened.v1"


@pytest.fixture(params=["memory", "nats"])
def make_bus(request: pytest.FixtureRequest) -> Callable[..., Bus]:
    """Makes a bus that is not started, of each kind in turn."""
    if request.param == "memory":
        return lambda **options: MemoryBus(**{"retry": SHORT, **options})
    return nats_factory(request.getfixturevalue("nats_server").url)


def nats_factory(url: str) -> Callable[..., NatsBus]:
    def make(**options: Any) -> NatsBus:
        settings = {"name": "test", "retry": SHORT, "reconnect_wait_s": 0.02, "ack_wait_s": 2.0}
        return NatsBus(url, **{**settings, **options})

    return make


@pytest.fixture
async def bus(make_bus: Callable[..., Bus]) -> AsyncIterator[Bus]:
    """A running bus of each kind."""
    bus = make_bus()
    await bus.start()
    yield bus
    await bus.stop()


@pytest.fixture
def running() -> Callable[..., Any]:
    @asynccontextmanager
    async def run(*buses: Bus) -> AsyncIterator[None]:
        for bus in buses:
            await bus.start()
        try:
            yield
        finally:
            for bus in buses:
                await bus.stop()

    return run


@pytest.fixture
def nothing() -> Callable[[], Awaitable[None]]:
    """A resync with nothing to do."""

    async def resync() -> None:
        return None

    return resync


@pytest.fixture
def nats_bus(nats_server: Any) -> Callable[..., NatsBus]:
    """Makes a bus on the server of the run, not started."""
    return nats_factory(nats_server.url)


@pytest.fixture
def own_nats_bus(own_nats_server: Any) -> Callable[..., NatsBus]:
    """Makes a bus on this test's own server, not started."""
    return nats_factory(own_nats_server.url)
