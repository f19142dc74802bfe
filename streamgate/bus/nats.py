"""The bus over NATS: JetStream for what groups must not lose, core NATS for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import nats.errors
from loguru import logger

from streamgate.bus import dead
from streamgate.bus.base import (
    EVENTS_STREAM,
    MAX_PAYLOAD_BYTES,
    BusUnavailable,
    DeadLetter,
    Handler,
    Login,
    Responder,
    Resync,
    RetryPolicy,
    StillDead,
    Subscription,
    again_subject,
    check_event,
    check_pattern,
    check_size,
    check_subject,
)
from streamgate.bus.client import FAULTS
from streamgate.bus.connection import API_TIMEOUT_S, Connection
from streamgate.bus.core import Listener, Server, raise_fault
from streamgate.bus.jetstream import GroupConsumer, count_dead_letters, ensure_streams
from streamgate.bus.lanes import EveryoneLane
from streamgate.errors import DeadlineExceeded, Unavailable

HEADER_RESERVE_BYTES = 4096


class NatsBus:
    """One connection, its streams and subscriptions.

    Args:
        url: one or several server URLs, separated by commas; user and password inside.
        name: shown in the server's list of connections.
        ack_wait_s: after which silence the server takes a group's message for lost and delivers it again. Sets
            how soon another process takes over from one that died; running handlers are reported in between.
        start_timeout_s: how long `start` waits for a server that is not there yet.
        reconnect_wait_s: pause between attempts to reconnect (which never end).
        login, headroom_bytes: see `open_bus`.
    """

    is_local = False

    def __init__(
        self,
        url: str,
        *,
        name: str,
        retry: RetryPolicy | None = None,
        ack_wait_s: float = 10.0,
        start_timeout_s: float = 10.0,
        reconnect_wait_s: float = 0.25,
        login: Login | None = None,
        headroom_bytes: int = 0,
    ) -> None:
        self._limit_bytes = self.max_payload_bytes = MAX_PAYLOAD_BYTES + headroom_bytes
        self._retry = retry or RetryPolicy()
        self._ack_wait_s = ack_wait_s
        self.connection = Connection(
            urls=[part.strip() for part in url.split(",")],
            name=name,
            start_timeout_s=start_timeout_s,
            reconnect_wait_s=reconnect_wait_s,
            on_connect=self._prepare,
            login=login,
        )

    async def start(self) -> None:
        await self.connection.start()

    async def stop(self) -> None:
        await self.connection.stop()

    async def ping(self) -> None:
        await self.connection.flush()

    async def _prepare(self) -> None:
        self.max_payload_bytes = min(self._limit_bytes, self.connection.client.max_payload - HEADER_RESERVE_BYTES)
        await ensure_streams(self.connection.jetstream)

    # --- messages -----------------------------------------------------------------------------------

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        check_event(subject, message_id=message_id)
        check_size(subject, payload, self.max_payload_bytes)
        headers = {"Nats-Msg-Id": message_id, "Nats-Expected-Stream": EVENTS_STREAM}
        try:
            answer = await self.connection.ask(subject, payload, timeout_s=API_TIMEOUT_S, headers=headers)
        except nats.errors.NoRespondersError as fault:
            # The stream is gone (a server with an empty disk): make it, and let the publisher come again.
            with suppress(*FAULTS):
                await ensure_streams(self.connection.jetstream)
            raise BusUnavailable(f"no stream took {subject}") from fault
        except FAULTS as fault:
            raise BusUnavailable(f"{subject} was not acknowledged: {fault or 'no answer'}") from fault
        said = json.loads(answer.data)
        if "error" in said:
            raise BusUnavailable(f"{subject} was refused: {said['error'].get('description', said['error'])}")

    async def broadcast(self, subject: str, payload: bytes) -> None:
        check_subject(subject)
        check_size(subject, payload, self.max_payload_bytes)
        if not self.connection.is_connected:
            return
        try:
            await self.connection.client.publish(subject, payload)
        except FAULTS as fault:
            logger.bind(subject=subject, error=repr(fault)).debug("broadcast not sent")

    async def dead_letters(self) -> dict[str, int]:
        try:
            return await count_dead_letters(self.connection.jetstream)
        except FAULTS as fault:
            raise BusUnavailable("the dead letters could not be counted") from fault

    async def list_dead_letters(self, *, after: str = "", limit: int = 50) -> list[DeadLetter]:
        with _reaching_dead_letters():
            return await dead.letters_after(self.connection.jetstream, after, limit)

    async def replay_dead_letter(self, letter_id: str) -> bool:
        with _reaching_dead_letters():
            letter = await dead.letter_of(self.connection.jetstream, letter_id)
            if letter is not None:
                subject = again_subject(letter.group, letter.subject)
                answer = await self.connection.ask(subject, letter.payload, timeout_s=dead.AGAIN_TIMEOUT_S)
                if answer.data:
                    raise StillDead(f"{letter.group}: {answer.data.decode(errors='replace')}")
                await dead.discard(self.connection.jetstream, letter)
            return letter is not None

    async def discard_dead_letter(self, letter_id: str) -> bool:
        with _reaching_dead_letters():
            letter = await dead.letter_of(self.connection.jetstream, letter_id)
            if letter is not None:
                await dead.discard(self.connection.jetstream, letter)
            return letter is not None

    # --- subscriptions ------------------------------------------------------------------------------

    async def subscribe_group(
        self, subject: str, group: str, handler: Handler, *, concurrency: int = 8
    ) -> Subscription:
        check_event(subject, group=group)
        consumer = GroupConsumer(
            connection=self.connection,
            subject=subject,
            group=group,
            handler=handler,
            concurrency=concurrency,
            retry=self._retry,
            ack_wait_s=self._ack_wait_s,
        )
        await self.connection.attach(consumer)
        return consumer

    async def subscribe_everyone(self, subject: str, handler: Handler, *, resync: Resync) -> Subscription:
        check_pattern(subject)
        lane = EveryoneLane(subject, handler, resync, self._retry)
        listener = Listener(self.connection, lane)
        await self.connection.attach(listener)
        await lane.tried_resync()
        return listener

    # --- questions ----------------------------------------------------------------------------------

    async def request(self, subject: str, payload: bytes, *, timeout_s: float) -> bytes:
        check_subject(subject)
        check_size(subject, payload, self.max_payload_bytes)
        try:
            answer = await self.connection.ask(subject, payload, timeout_s=timeout_s)
        except nats.errors.NoRespondersError as fault:
            raise Unavailable(f"nobody serves {subject}") from fault
        except TimeoutError as fault:
            raise DeadlineExceeded(f"{subject} did not answer within {timeout_s:.1f} s") from fault
        except FAULTS as fault:
            raise Unavailable(f"{subject} could not be asked: {fault}") from fault
        raise_fault(answer, subject)
        return answer.data

    async def serve(self, subject: str, group: str, responder: Responder, *, concurrency: int = 64) -> Subscription:
        check_pattern(subject)
        server = Server(
            self.connection,
            subject,
            group,
            responder,
            concurrency=concurrency,
            max_payload_bytes=self.max_payload_bytes,
        )
        await self.connection.attach(server)
        return server


@contextmanager
def _reaching_dead_letters() -> Iterator[None]:
    try:
        yield
    except nats.errors.NoRespondersError as fault:
        raise BusUnavailable("nobody of the group is there") from fault
    except (*FAULTS, TimeoutError) as fault:
        raise BusUnavailable(f"no answer about a dead letter ({type(fault).__name__})") from fault
