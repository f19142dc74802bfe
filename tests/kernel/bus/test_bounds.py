"""What `streamgate.bus.base` promises of size, context and life, for each bus alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from streamgate.bus.base import Bus, BusUnavailable, PayloadTooLarge

Nothing = Callable[[], Awaitable[None]]


async def echo(payload: bytes) -> bytes:
    return payload


async def test_the_largest_payload_passes_everywhere(bus: Bus, subject: str, recorder: Any, nothing: Nothing) -> None:
    largest = b"x" * bus.max_payload_bytes
    group, everyone = recorder(), recorder()
    await bus.subscribe_group(subject, "group", group)
    await bus.subscribe_everyone(subject, everyone, resync=nothing)
    await bus.serve(f"svc.{subject}", "group", echo)

    await bus.publish(subject, largest, message_id=f"{subject}-1")

    assert await group.wait_for(1) == [largest]
    assert await everyone.wait_for(1) == [largest]
    assert await bus.request(f"svc.{subject}", largest, timeout_s=5) == largest
    assert bus.max_payload_bytes == 1_000_000


async def test_one_byte_more_is_refused_everywhere(bus: Bus, subject: str) -> None:
    too_large = b"x" * (bus.max_payload_bytes + 1)

    async def verbose(_: bytes) -> bytes:
        return too_large

    await bus.serve(f"svc.{subject}", "group", verbose)

    with pytest.raises(PayloadTooLarge) as raised:
        await bus.publish(subject, too_large, message_id=f"{subject}-1")
    assert (raised.value.code, raised.value.retryable) == ("bus.payload_too_large", False)
    with pytest.raises(PayloadTooLarge):
        await bus.broadcast(subject, too_large)
    with pytest.raises(PayloadTooLarge):
        await bus.request(f"svc.{subject}", too_large, timeout_s=5)
    with pytest.raises(PayloadTooLarge):
        await bus.request(f"svc.{subject}", b"short question", timeout_s=5)


async def test_nothing_of_the_senders_context_reaches_a_handler(
    bus: Bus, subject: str, recorder: Any, nothing: Nothing
) -> None:
    secret: ContextVar[str] = ContextVar("secret", default="")
    seen: list[str] = []
    heard = recorder()

    async def handler(payload: bytes) -> None:
        seen.append(secret.get())
        await heard(payload)

    async def responder(payload: bytes) -> bytes:
        await handler(payload)
        return b""

    await bus.subscribe_group(subject, "group", handler)
    await bus.subscribe_everyone(subject, handler, resync=nothing)
    await bus.serve(f"svc.{subject}", "group", responder)
    secret.set("of the sender")

    await bus.publish(subject, b"", message_id=f"{subject}-1")
    await bus.request(f"svc.{subject}", b"", timeout_s=5)

    await heard.wait_for(3)
    assert seen == ["", "", ""]


async def test_a_stopped_bus_says_so(make_bus: Callable[..., Bus], subject: str) -> None:
    bus = make_bus()
    await bus.start()
    await bus.ping()
    await bus.stop()
    await bus.stop()

    with pytest.raises(BusUnavailable):
        await bus.ping()
    with pytest.raises(BusUnavailable) as raised:
        await bus.publish(subject, b"", message_id=f"{subject}-1")
    assert (raised.value.code, raised.value.status, raised.value.retryable) == ("bus.unavailable", 503, True)
    await bus.broadcast(subject, b"")


async def test_a_stopped_bus_can_start_again(make_bus: Callable[..., Bus], subject: str, recorder: Any) -> None:
    bus, handler = make_bus(), recorder()
    await bus.start()
    await bus.stop()
    await bus.start()
    await bus.subscribe_group(subject, "group", handler)

    await bus.publish(subject, b"again", message_id=f"{subject}-1")

    assert await handler.wait_for(1) == [b"again"]
    await bus.stop()
