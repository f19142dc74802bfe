"""What every bus promises. `tests/kernel/bus` is one suite that each implementation passes.

Subjects are dotted: `svc.<service>.v1.<method>`, `evt.<event name>.v<version>`, `live.<topic>`.
Payloads are bytes, at most `max_payload_bytes` (1 MB on NATS): big bytes go through the blob store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Handler = Callable[[bytes], Awaitable[None]]
"""Handles one message. Raising means: not handled, deliver again (group) or drop (everyone)."""

Responder = Callable[[bytes], Awaitable[bytes]]
"""Answers one request. It must not raise: errors travel inside the answer's envelope."""

Resync = Callable[[], Awaitable[None]]
"""Brings a subscriber up to date by reading the truth: messages to everyone have gaps."""


class Subscription(Protocol):
    async def stop(self) -> None:
        """Take no new messages, finish the ones being handled. A second call does nothing."""


class Bus(Protocol):
    """Life: `start()` once, then use from one event loop, then `stop()`."""

    @property
    def is_local(self) -> bool:
        """True when every subscriber lives in this process (the memory bus)."""

    @property
    def max_payload_bytes(self) -> int: ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Drains: no new deliveries, running handlers finish, then connections close."""

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        """Accepts a message for good; returns when it is safe to forget it.

        Memory: returns when every group present has handled it (or has put it on its dead letters).
        NATS: when JetStream has acknowledged. `message_id` lets the bus drop a copy sent twice.
        `everyone` subscribers of the subject get it too, at most once.

        Raises:
            Unavailable: `bus.unavailable`; nothing is known about delivery, send again with the same id.
        """

    async def broadcast(self, subject: str, payload: bytes) -> None:
        """Tells each live `everyone` subscriber, at most once, kept nowhere. Never raises for want of listeners."""

    async def subscribe_group(self, subject: str, group: str, handler: Handler, *, concurrency: int = 8) -> Subscription:
        """Durable, at least once, one copy per group. A raising handler is retried with back-off
        (up to `max_deliveries`), then the message goes to the group's dead letters. Bounded:
        at most `concurrency` handlers run at once."""

    async def subscribe_everyone(self, subject: str, handler: Handler, *, resync: Resync) -> Subscription:
        """This process hears it, at most once. `resync` runs at subscribing and after each reconnect.
        `subject` may end in `.>` (everything below)."""

    async def request(self, subject: str, payload: bytes, *, timeout_s: float) -> bytes:
        """One question to one responder (load-balanced).

        Raises:
            Unavailable: `service.unavailable`, nobody serves the subject.
            DeadlineExceeded: `service.deadline_exceeded`, no answer in time.
        """

    async def serve(self, subject: str, group: str, responder: Responder, *, concurrency: int = 64) -> Subscription:
        """Answers requests on `subject` (may end in `.*`), sharing them with the other members of `group`."""


def open_bus(url: str, *, name: str) -> Bus:
    """The bus for a URL: `memory:` or `nats://[user:password@]host:port`. Nothing connects before `start()`.

    Raises:
        ValueError: another scheme.
    """
    scheme = url.partition(":")[0]
    if scheme == "memory":
        from streamgate.bus.memory import MemoryBus

        return MemoryBus()
    if scheme in ("nats", "tls"):
        from streamgate.bus.nats import NatsBus

        return NatsBus(url, name=name)
    raise ValueError(f"bus url {url!r}: the scheme must be memory: or nats://")
