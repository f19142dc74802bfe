"""Core NATS' part of the bus: `everyone` and `serve`. Nothing here is kept by the server."""

from __future__ import annotations

from abc import ABC, abstractmethod

from loguru import logger
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription

from streamgate.bus.base import PayloadTooLarge, Responder, check_size
from streamgate.bus.client import FAULTS, FLUSH_TIMEOUT_S, leave
from streamgate.bus.connection import Connection
from streamgate.bus.lanes import EveryoneLane, WorkerPool
from streamgate.errors import Internal, StreamgateError, Unavailable

FAULT_HEADER = "Streamgate-Fault"
"""On an answer without bytes: the code of what kept the responder's answer from being sent."""


class CoreSubscription(ABC):
    """What the two kinds share: attaching again, and leaving without losing what has already come."""

    def __init__(self, connection: Connection, subject: str, group: str = "") -> None:
        self._connection = connection
        self._subject = subject
        self._group = group
        self._subscribed: ClientSubscription | None = None

    async def attach(self) -> None:
        client = self._connection.client
        self._subscribed = await client.subscribe(self._subject, queue=self._group, cb=self._on_message)
        await client.flush(timeout=FLUSH_TIMEOUT_S)  # whoever sends after this is heard
        client.check_subscribed(self._subject)
        self.reconnected()

    def reconnected(self) -> None:  # noqa: B027 - who keeps something says so
        """Nothing to do where nothing was kept."""

    @abstractmethod
    async def _on_message(self, message: Msg) -> None: ...

    async def stop(self) -> None:
        self._connection.detach(self)
        subscribed, self._subscribed = self._subscribed, None
        if subscribed is not None:
            await leave(self._connection.client, subscribed)


class Listener(CoreSubscription):
    """One `everyone` subscriber."""

    def __init__(self, connection: Connection, lane: EveryoneLane) -> None:
        super().__init__(connection, lane.subject)
        self._lane = lane

    def reconnected(self) -> None:
        self._lane.note_gap()

    async def _on_message(self, message: Msg) -> None:
        self._lane.offer(message.data, (message.headers or {}).get("Nats-Msg-Id", ""))

    async def stop(self) -> None:
        await super().stop()
        await self._lane.drain()


class Server(CoreSubscription):
    """One member of a group that answers."""

    def __init__(
        self,
        connection: Connection,
        subject: str,
        group: str,
        responder: Responder,
        *,
        concurrency: int,
        max_payload_bytes: int,
    ) -> None:
        super().__init__(connection, subject, group)
        self._responder = responder
        self._max_payload_bytes = max_payload_bytes
        self._pool = WorkerPool(concurrency)

    async def _on_message(self, message: Msg) -> None:
        if self._pool.is_full:
            await self._send(message, b"", Unavailable.code)
        else:
            self._pool.spawn(lambda: self._answer(message))

    async def _answer(self, message: Msg) -> None:
        try:
            answer = await self._responder(message.data)
            check_size(f"the answer on {message.subject}", answer, self._max_payload_bytes)
        except PayloadTooLarge as fault:
            logger.bind(subject=message.subject, error=str(fault)).error("answer not sent")
            await self._send(message, b"", fault.code)
        except Exception:
            logger.bind(subject=message.subject).exception("responder failed")
            await self._send(message, b"", Internal.code)
        else:
            await self._send(message, answer)

    async def _send(self, message: Msg, answer: bytes, fault_code: str = "") -> None:
        if not message.reply:
            return
        headers = {FAULT_HEADER: fault_code} if fault_code else None
        try:
            await self._connection.client.publish(message.reply, answer, headers=headers)
        except FAULTS as fault:
            logger.bind(subject=message.subject, error=repr(fault)).warning("answer not sent")

    async def stop(self) -> None:
        await super().stop()
        await self._pool.drain()


def raise_fault(message: Msg, subject: str) -> None:
    """Raises what kept an answer from being sent, if anything did."""
    code = (message.headers or {}).get(FAULT_HEADER)
    if code is not None:
        known: dict[str, StreamgateError] = {
            PayloadTooLarge.code: PayloadTooLarge(f"the answer of {subject} is too large for the bus"),
            Unavailable.code: Unavailable(f"{subject} has too many questions waiting"),
        }
        raise known.get(code) or Internal()
