"""The NATS bus through broken connections, servers that come late, and servers that are set up otherwise."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from streamgate.bus.base import BusUnavailable
from streamgate.bus.client import OrderedClient
from streamgate.bus.nats import NatsBus
from streamgate.errors import Unavailable
from streamgate.testing.processes import free_port
from streamgate.testing.servers import NatsServer

MakeNats = Callable[..., NatsBus]


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)


async def published(bus: NatsBus, subject: str, payload: bytes, message_id: str) -> None:
    """As an outbox relay does: again and again with the same id."""
    async with asyncio.timeout(10):
        while True:
            try:
                await bus.publish(subject, payload, message_id=message_id)
                break
            except BusUnavailable:
                await asyncio.sleep(0.02)


async def test_a_start_ends_in_time_though_the_library_swallows_a_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As nats-py does where it flushes, and then tries again for ever."""
    swallowed = 0

    async def connect_to_server(*_: Any) -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed += 1

    monkeypatch.setattr(OrderedClient, "_connect_to_server", connect_to_server)
    bus = NatsBus(f"nats://127.0.0.1:{free_port()}", name="late", start_timeout_s=0.05)
    with pytest.raises(BusUnavailable, match=r"within 0\.05 s"):
        await bus.start()
    assert swallowed == 1


async def test_all_subscriptions_go_on_after_a_server_restart(
    own_nats_server: NatsServer, own_nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    group, everyone, resyncs = recorder(), recorder(), recorder()

    async def resync() -> None:
        await resyncs(b"")

    async def echo(payload: bytes) -> bytes:
        return payload

    bus = own_nats_bus()
    async with running(bus):
        await bus.subscribe_group(subject, "group", group)
        await bus.subscribe_everyone(subject, everyone, resync=resync)
        await bus.serve(f"svc.{subject}", "group", echo)
        assert len(resyncs.got) == 1

        for n in range(2):
            await asyncio.to_thread(own_nats_server.kill)
            await eventually(lambda: not bus.connection.is_connected)
            with pytest.raises(BusUnavailable):
                await bus.ping()
            await asyncio.to_thread(own_nats_server.start)
            await resyncs.wait_for(n + 2)
            await published(bus, subject, b"%d" % n, f"{subject}-{n}")

            assert await bus.request(f"svc.{subject}", b"there?", timeout_s=5) == b"there?"
        # at least once: what the server was told just before it died, it may not have kept
        await eventually(lambda: set(group.got) == {b"0", b"1"})
        assert await everyone.wait_for(2) == [b"0", b"1"]


async def test_a_question_on_its_way_fails_at_once_when_the_connection_breaks(
    own_nats_server: NatsServer, own_nats_bus: MakeNats, subject: str
) -> None:
    bus = own_nats_bus()
    await bus.start()
    began = asyncio.Event()

    async def never(_: bytes) -> bytes:
        began.set()
        await asyncio.sleep(0.5)
        return b""

    await bus.serve(f"svc.{subject}", "group", never)
    asking = asyncio.create_task(bus.request(f"svc.{subject}", b"", timeout_s=30))
    await began.wait()
    await asyncio.to_thread(own_nats_server.kill)
    began_at = time.monotonic()

    with pytest.raises(Unavailable) as raised:
        await asking
    assert raised.value.code == "service.unavailable"
    assert time.monotonic() - began_at < 1

    with pytest.raises(BusUnavailable):
        await bus.publish(subject, b"", message_id=f"{subject}-1")
    with pytest.raises(Unavailable):
        await bus.request(f"svc.{subject}", b"", timeout_s=30)
    await bus.broadcast("live.lost", b"")
    await bus.stop()


async def test_a_connection_closed_by_the_server_is_replaced(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    group, everyone, resyncs = recorder(), recorder(), recorder()

    async def resync() -> None:
        await resyncs(b"")

    async def echo(payload: bytes) -> bytes:
        return payload

    bus = nats_bus()
    async with running(bus):
        await bus.subscribe_group(subject, "group", group)
        await bus.subscribe_everyone(subject, everyone, resync=resync)
        await bus.serve(f"svc.{subject}", "group", echo)
        closed: Any = bus.connection.client
        closed._transport.write(b"NONSENSE\r\n")  # answered by -ERR, which nats-py takes as the end

        await resyncs.wait_for(2)
        await published(bus, subject, b"still here", f"{subject}-1")

        assert bus.connection.client is not closed
        assert await group.wait_for(1) == [b"still here"]
        assert await everyone.wait_for(1) == [b"still here"]
        assert await bus.request(f"svc.{subject}", b"there?", timeout_s=5) == b"there?"


async def test_a_server_that_lost_its_disk_is_set_up_again(
    own_nats_bus: MakeNats, own_nats_server: NatsServer, running: Any, subject: str, recorder: Any
) -> None:
    bus, heard = own_nats_bus(), recorder()
    async with running(bus):
        await bus.subscribe_group(subject, "group", heard)
        await asyncio.to_thread(own_nats_server.kill)
        shutil.rmtree(own_nats_server.directory / "jetstream")
        await asyncio.to_thread(own_nats_server.start)

        await published(bus, subject, b"from the start", f"{subject}-1")

        assert await heard.wait_for(1) == [b"from the start"]


# --- start ----------------------------------------------------------------------------------------


async def test_start_waits_for_a_server_that_comes_late_and_prints_nothing(
    nats_bus: MakeNats, subject: str, capfd: pytest.CaptureFixture[str]
) -> None:
    server = NatsServer()
    server.prepare()
    server.port = free_port()
    bus = NatsBus(server.url, name="early", reconnect_wait_s=0.02)
    starting = asyncio.create_task(bus.start())
    await asyncio.sleep(0.1)
    assert not starting.done()
    try:
        await asyncio.to_thread(server.start)
        await starting
        await bus.ping()
        await bus.stop()
    finally:
        await asyncio.to_thread(server.stop)

    assert "Traceback" not in capfd.readouterr().err


async def test_start_gives_up_with_the_address_and_the_reason() -> None:
    bus = NatsBus(f"nats://user:hidden@127.0.0.1:{free_port()}", name="lonely", start_timeout_s=0.2)
    began = time.monotonic()

    with pytest.raises(BusUnavailable, match="Connect call failed") as raised:
        await bus.start()

    assert time.monotonic() - began < 2
    assert "127.0.0.1" in raised.value.detail
    assert "hidden" not in raised.value.detail
    await bus.stop()


async def test_wrong_credentials_are_named_as_such() -> None:
    with NatsServer(config='authorization: { user: "streamgate", password: "right" }') as server:
        wrong = NatsBus(server.url.replace("//", "//streamgate:wrong@"), name="wrong", start_timeout_s=0.5)
        right = NatsBus(server.url.replace("//", "//streamgate:right@"), name="right")

        with pytest.raises(BusUnavailable, match=r"(?i)authorization"):
            await wrong.start()
        await right.start()
        await right.stop()


class WithoutJetstream(NatsServer):
    def command(self) -> Sequence[str]:
        return [part for part in super().command() if part != "-js"]


async def test_a_server_without_jetstream_is_named_as_such() -> None:
    with WithoutJetstream() as server:
        bus = NatsBus(server.url, name="core", start_timeout_s=0.5)

        with pytest.raises(BusUnavailable, match="JetStream"):
            await bus.start()


async def test_streams_set_up_by_an_operator_stay_as_they_are(own_nats_bus: MakeNats, running: Any) -> None:
    bus, again = own_nats_bus(), own_nats_bus()
    async with running(bus):
        config = (await bus.connection.jetstream.stream_info("EVENTS")).config
        assert config.max_age == 7 * 86_400
        await bus.connection.jetstream.update_stream(config, max_age=3600)
        async with running(again):
            assert (await again.connection.jetstream.stream_info("EVENTS")).config.max_age == 3600
