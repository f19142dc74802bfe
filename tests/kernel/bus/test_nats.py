"""What only the NATS bus promises: messages outlive processes and servers, and several processes share them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from streamgate.bus.base import RetryPolicy
from streamgate.bus.nats import NatsBus
from streamgate.errors import Unavailable
from streamgate.testing.servers import NatsServer

MakeNats = Callable[..., NatsBus]


Nothing = Callable[[], Awaitable[None]]


async def test_what_was_acknowledged_survives_a_killed_server(
    own_nats_server: NatsServer, own_nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    publisher, subscriber, heard = own_nats_bus(), own_nats_bus(), recorder()
    async with running(publisher):
        for n in range(50):
            await publisher.publish(subject, b"%d" % n, message_id=f"{subject}-{n}")
        await asyncio.to_thread(own_nats_server.kill)
        await asyncio.to_thread(own_nats_server.start)
        async with running(subscriber):
            await subscriber.subscribe_group(subject, "group", heard)

            got = await heard.wait_for(50)

    assert sorted(got, key=int) == [b"%d" % n for n in range(50)]


async def test_a_group_goes_on_where_it_stopped(nats_bus: MakeNats, running: Any, subject: str, recorder: Any) -> None:
    first, second = recorder(), recorder()
    bus = nats_bus()
    async with running(bus):
        await bus.subscribe_group(subject, "group", first)
        await bus.publish(subject, b"before", message_id=f"{subject}-1")
        await first.wait_for(1)
    later = nats_bus()
    async with running(later):
        await later.publish(subject, b"while away", message_id=f"{subject}-2")
        await later.subscribe_group(subject, "group", second)

        assert await second.wait_for(1) == [b"while away"]


async def test_a_new_group_begins_with_what_is_kept(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    bus, late = nats_bus(), recorder()
    async with running(bus):
        await bus.publish(subject, b"early", message_id=f"{subject}-1")
        await bus.subscribe_group(subject, "late", late)

        assert await late.wait_for(1) == [b"early"]


async def test_the_message_of_a_killed_process_goes_to_another(
    nats_server: NatsServer, nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    bus, survivor = nats_bus(ack_wait_s=0.5), recorder()
    script = Path(__file__).with_name("subscriber.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        nats_server.url,
        subject,
        "0.5",
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        async with running(bus):
            await bus.publish(subject, b"precious", message_id=f"{subject}-1")
            assert await process.stdout.readline() == b"took precious\n"
            process.kill()
            await process.wait()

            await bus.subscribe_group(subject, "group", survivor)
            assert await survivor.wait_for(1) == [b"precious"]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_handler_longer_than_the_acknowledgement_time_runs_once(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    bus, began = nats_bus(ack_wait_s=0.3), recorder()
    may_end, ended = asyncio.Event(), asyncio.Event()

    async def long(payload: bytes) -> None:
        await began(payload)
        await may_end.wait()
        ended.set()

    async with running(bus):
        await bus.subscribe_group(subject, "group", long)
        await bus.publish(subject, b"long", message_id=f"{subject}-1")
        asyncio.get_running_loop().call_later(1.0, may_end.set)
        async with asyncio.timeout(10):
            await ended.wait()

    assert began.got == [b"long"]


async def test_a_message_that_kills_every_process_ends_as_a_dead_letter(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    group, few = subject.replace(".", "-"), RetryPolicy(max_losses=3)
    for _ in range(3):
        dying, took = nats_bus(ack_wait_s=0.2, retry=few), recorder()
        await dying.start()

        async def never(payload: bytes, took: Any = took) -> None:
            await took(payload)
            await asyncio.Event().wait()

        consumer: Any = await dying.subscribe_group(subject, group, never)
        await dying.publish(subject, b"poison", message_id=f"{subject}-1")
        await took.wait_for(1)
        dying.connection._is_running = False  # as kill -9 would: no word to the server, no new connection
        for task in [*consumer._tasks, *consumer._pool._tasks]:
            task.cancel()
        await dying.connection.client.close()

    bus, unused = nats_bus(ack_wait_s=0.2, retry=few), recorder()
    async with running(bus):
        await bus.subscribe_group(subject, group, unused)
        async with asyncio.timeout(10):
            while (await bus.dead_letters()).get(group) != 1:
                await asyncio.sleep(0.02)

    assert unused.got == []


async def test_a_message_outlives_many_restarts_while_its_dependency_is_away(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    """It waits in the hands of a process; one that stops gives it to the next, however often."""
    group, slow = subject.replace(".", "-"), RetryPolicy(max_deliveries=3, pauses_s=(3600,))
    for n in range(5):
        bus, failing = nats_bus(retry=slow, ack_wait_s=60), recorder(failures=1, fault=Unavailable("away"))
        async with running(bus):
            await bus.subscribe_group(subject, group, failing)
            if n == 0:
                await bus.publish(subject, b"precious", message_id=f"{subject}-1")
            assert await failing.wait_for(1) == [b"precious"]
    bus, heard = nats_bus(retry=slow), recorder()
    async with running(bus):
        await bus.subscribe_group(subject, group, heard)

        assert await heard.wait_for(1) == [b"precious"]
        assert group not in await bus.dead_letters()


async def test_a_message_that_waits_is_kept_from_other_members(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    """Longer than the acknowledgement time: its holder tells the server that it lives."""
    holder, other = nats_bus(retry=RetryPolicy(pauses_s=(1.5,)), ack_wait_s=0.6), nats_bus(ack_wait_s=0.6)
    waits, unused = recorder(failures=1, fault=Unavailable("away")), recorder()
    async with running(holder, other):
        await holder.subscribe_group(subject, "group", waits)
        await holder.publish(subject, b"mine", message_id=f"{subject}-1")
        await waits.wait_for(1)
        await other.subscribe_group(subject, "group", unused)

        assert await waits.wait_for(2) == [b"mine", b"mine"]
        assert unused.got == []


async def test_a_dead_letter_keeps_the_message_and_the_reason(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    bus, handler = nats_bus(), recorder(failures=9, fault=RuntimeError("why\r\nit failed"))
    group = subject.replace(".", "-")
    async with running(bus):
        await bus.subscribe_group(subject, group, handler)
        await bus.publish(subject, b"bad", message_id=f"{subject}-1")
        async with asyncio.timeout(10):
            while (await bus.dead_letters()).get(group) != 1:
                await asyncio.sleep(0.02)

        letter = await bus.connection.jetstream.get_last_msg("DEAD", f"dead.{group}.{subject}")

    assert letter.data == b"bad"
    assert letter.headers is not None
    assert letter.headers["Streamgate-Message-Id"] == f"{subject}-1"
    assert letter.headers["Streamgate-Deliveries"] == "3"
    assert "it failed" in letter.headers["Streamgate-Reason"]


# --- several processes ----------------------------------------------------------------------------


async def test_everyone_is_every_connection_and_a_group_is_one_of_them(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any, nothing: Nothing
) -> None:
    first, second, one_of_both = recorder(), recorder(), recorder()
    one, two = nats_bus(), nats_bus()
    async with running(one, two):
        await one.subscribe_everyone(subject, first, resync=nothing)
        await two.subscribe_everyone(subject, second, resync=nothing)
        await one.subscribe_group(subject, "group", one_of_both)
        await two.subscribe_group(subject, "group", one_of_both)

        for n in range(10):
            await one.publish(subject, b"%d" % n, message_id=f"{subject}-{n}")

        assert len(await first.wait_for(10)) == 10
        assert len(await second.wait_for(10)) == 10
        assert len(await one_of_both.wait_for(10)) == 10


async def test_a_busy_process_leaves_messages_to_an_idle_one(
    nats_bus: MakeNats, running: Any, subject: str, recorder: Any
) -> None:
    busy, idle = nats_bus(), nats_bus()
    began, quick, may_end = recorder(), recorder(), asyncio.Event()

    async def slow(payload: bytes) -> None:
        await began(payload)
        await may_end.wait()

    async with running(busy, idle):
        await busy.subscribe_group(subject, "group", slow, concurrency=1)
        await busy.publish(subject, b"0", message_id=f"{subject}-0")
        await began.wait_for(1)
        await idle.subscribe_group(subject, "group", quick, concurrency=1)
        for n in range(1, 6):
            await busy.publish(subject, b"%d" % n, message_id=f"{subject}-{n}")

        assert sorted(await quick.wait_for(5)) == [b"1", b"2", b"3", b"4", b"5"]
        may_end.set()


async def test_who_asks_after_serving_has_begun_is_answered(nats_bus: MakeNats, running: Any, subject: str) -> None:
    """nats-py's flush returned before the server knew of the subscription: one in forty was too early."""

    async def echo(payload: bytes) -> bytes:
        return payload

    serving, asking = nats_bus(), nats_bus()
    async with running(serving, asking):
        for n in range(200):
            await serving.serve(f"svc.{subject}.m{n}", "group", echo)

            assert await asking.request(f"svc.{subject}.m{n}", b"there?", timeout_s=5) == b"there?"
