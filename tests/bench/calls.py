"""What a service call costs: in one process (microseconds, batches of 50 calls one after another), through its wire
form, and over NATS (milliseconds, both ends in one process, one call at a time) beside raw nats-py, by turns."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import attrs

from streamgate.bus import Bus, open_bus
from streamgate.context import CallContext, use_call
from streamgate.identity.grants import Grants
from streamgate.identity.issuing import Issuer, make_key
from streamgate.identity.signed import HEADROOM_BYTES, SignedBus
from streamgate.services import Offer, ServiceRef, Services, method
from streamgate.testing.servers import NatsServer
from tests.bench.figures import Figure, Row
from tests.bench.load import timed

LOCAL_CALLS = 20_000
REMOTE_CALLS = 2_000


@attrs.frozen
class Question:
    key: str


@attrs.frozen
class Answer:
    value: str


class Echo(Protocol):
    @method(idempotent=True)
    async def ask(self, question: Question) -> Answer: ...


class EchoService:
    async def ask(self, question: Question) -> Answer:
        return Answer(question.key)


ECHO = ServiceRef("echo", Echo)


async def _time(call: Callable[[], Awaitable[object]], count: int) -> tuple[float, ...]:
    """Microseconds of each call, in batches of 50 (a single call is too short for the clock)."""
    samples = []
    for _ in range(count // 50):
        began = time.perf_counter()
        for _ in range(50):
            await call()
        samples.append((time.perf_counter() - began) / 50 * 1e6)
    return tuple(samples)


async def _local(*, wire: bool) -> tuple[float, ...]:
    bus = open_bus("memory:", name="bench")
    await bus.start()
    services = Services(bus, source="bench", wire_local=wire)
    services.offer(Offer(ECHO, EchoService()))
    services.settle()
    await services.start()
    echo = services.get(ECHO)
    question = Question("k")
    with use_call(CallContext(request_id="bench")):  # as inside a request
        took = await _time(lambda: echo.ask(question), LOCAL_CALLS)
    await services.stop()
    await bus.stop()
    return took


@asynccontextmanager
async def _echo_between(server_bus: Bus, client_bus: Bus) -> AsyncIterator[Echo]:
    """The service behind one bus, asked over the other."""
    await server_bus.start()
    await client_bus.start()
    serving = Services(server_bus, source="server")
    serving.offer(Offer(ECHO, EchoService()))
    serving.settle()
    await serving.start()
    asking = Services(client_bus, source="client")
    asking.settle()
    yield asking.get(ECHO)
    await serving.stop()
    await client_bus.stop()
    await server_bus.stop()


def _sealed_bus(url: str, name: str, grants: Grants, issuer: list[Issuer]) -> Bus:
    issuer[0], credentials = issuer[0].issue(name, grants, int(time.time()))
    return SignedBus(open_bus(url, name=name, headroom_bytes=HEADROOM_BYTES), credentials)


async def _remote(url: str, sealed_url: str) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """(ours, ours with service identity, raw nats-py request/reply of the same bytes) by turns, in milliseconds."""
    import nats.aio.msg

    issuer = [Issuer(keys=(make_key(1),))]
    server = _sealed_bus(sealed_url, "server", Grants(answers=("svc.echo.v1",)), issuer)
    client = _sealed_bus(sealed_url, "client", Grants(asks=("svc.echo.v1.*",)), issuer)
    raw_server, raw_client = await nats.connect(url), await nats.connect(url)

    async def reply(message: nats.aio.msg.Msg) -> None:
        await message.respond(message.data)

    await raw_server.subscribe("bench.raw", cb=reply)
    await raw_server.flush()

    question = Question("k")
    ours: list[float] = []
    sealed: list[float] = []
    raw: list[float] = []
    async with (
        _echo_between(open_bus(url, name="server"), open_bus(url, name="client")) as echo,
        _echo_between(server, client) as sealed_echo,
    ):
        await echo.ask(question)
        await sealed_echo.ask(question)
        for _ in range(REMOTE_CALLS):
            ours += await timed(lambda: echo.ask(question), 1)
            sealed += await timed(lambda: sealed_echo.ask(question), 1)
            raw += await timed(lambda: raw_client.request("bench.raw", b'{"key":"k"}', timeout=2), 1)
    for each in (raw_server, raw_client):
        await each.close()
    return tuple(ours), tuple(sealed), tuple(raw)


def measure(folder: Path) -> list[Row]:
    service = EchoService()
    question = Question("k")
    bare = asyncio.run(_time(lambda: service.ask(question), LOCAL_CALLS))
    direct, wired = asyncio.run(_local(wire=False)), asyncio.run(_local(wire=True))
    with NatsServer() as nats_server, NatsServer() as another:
        ours, sealed, raw = asyncio.run(_remote(nats_server.url, another.url))
    unsealed_ms = statistics.median(ours)
    seals = tuple((value - unsealed_ms) * 1000 for value in sealed)
    overhead = tuple(value - statistics.median(bare) for value in direct)
    return [
        Figure(name="local service call, overhead", unit="µs", ours=overhead, limit=5),
        Figure(name="local service call", unit="µs", ours=direct, peer=bare, peer_name="the method itself"),
        Figure(
            name="local service call through the wire form",
            unit="µs",
            ours=wired,
            peer=bare,
            peer_name="the method itself",
        ),
        Figure(name="remote service call", unit="ms", ours=ours, peer=raw, peer_name="raw nats-py", limit=1),
        Figure(name="remote service call, added by service identity", unit="µs", ours=seals, limit=150),
    ]
