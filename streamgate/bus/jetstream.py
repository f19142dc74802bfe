"""JetStream's part of the NATS bus: the streams, a group's consumer, the dead letters.

    EVENTS  evt.>    limits retention, 7 days, file storage, copies dropped by Nats-Msg-Id for 10 minutes
    DEAD    dead.>   dead.<group>.<subject>: what a group has given up on, 30 days

A group on a subject is one durable pull consumer, shared by the processes of the group. A process asks for
as many messages as it has free hands, so that none waits in a process that is busy while another is idle.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import attrs
import nats.js.errors
from loguru import logger
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig

from streamgate.bus.base import (
    DEAD_STREAM,
    EVENTS_STREAM,
    Handler,
    Reject,
    RetryPolicy,
    again_subject,
    durable_name,
    is_retryable,
)
from streamgate.bus.client import FAULTS, leave
from streamgate.bus.connection import Connection
from streamgate.bus.lanes import WorkerPool, spawn_apart

DAY_S = 86_400
DEDUPLICATION_S = 600
PULL_EXPIRES_S = 30.0
PULL_LOST_S = PULL_EXPIRES_S + 5.0  # neither message nor status for this long: the request is lost
RETRY_PAUSE_S = 0.25
REASON_CHARS = 500
HEARTBEATS_PER_ACK_WAIT = 3

STREAMS = {EVENTS_STREAM: ("evt.>", 7 * DAY_S), DEAD_STREAM: ("dead.>", 30 * DAY_S)}
"""Name: subjects, seconds a message is kept."""


async def ensure_streams(jetstream: JetStreamContext) -> None:
    """Makes the streams where they are missing. Existing ones stay as an operator has set them (replicas, limits)."""
    for name, (subjects, max_age_s) in STREAMS.items():
        try:
            await jetstream.stream_info(name)
        except nats.js.errors.NotFoundError:
            config = StreamConfig(name=name, subjects=[subjects], max_age=max_age_s, duplicate_window=DEDUPLICATION_S)
            await jetstream.add_stream(config, retention=RetentionPolicy.LIMITS, storage=StorageType.FILE)


async def count_dead_letters(jetstream: JetStreamContext) -> dict[str, int]:
    info = await jetstream.stream_info(DEAD_STREAM, subjects_filter="dead.>")
    counts: Counter[str] = Counter()
    for subject, count in (info.state.subjects or {}).items():
        counts[subject.split(".")[1]] += count
    return dict(counts)


@attrs.define(eq=False, kw_only=True, slots=False)
class GroupConsumer:
    """This process' share in a group's durable consumer.

    A message whose handler lacks something (`is_retryable`) stays in this process' hands and is tried again, so
    that no delivery is used up; the server hears that it is alive, and gives out at most 1,000 such messages.
    """

    _connection: Connection
    _subject: str
    _group: str
    _handler: Handler
    _concurrency: int
    _retry: RetryPolicy
    _ack_wait_s: float
    _held: set[str] = attrs.field(init=False, factory=set)  # reply subjects of messages being handled here
    _waiting: dict[str, tuple[Msg, asyncio.TimerHandle]] = attrs.field(init=False, factory=dict)  # between tries
    _asked: int = attrs.field(init=False, default=0)  # messages we have asked for and not got
    _inbox: str = attrs.field(init=False, default="")
    _subscribed: ClientSubscription | None = attrs.field(init=False, default=None)
    _again: ClientSubscription | None = attrs.field(init=False, default=None)
    _is_broken: bool = attrs.field(init=False, default=False)  # the consumer may be gone: look before asking again
    _is_stopping: bool = attrs.field(init=False, default=False)
    _wake: asyncio.Event = attrs.field(init=False, factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = attrs.field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self._pool = WorkerPool(self._concurrency)
        self._durable = durable_name(self._group, self._subject)
        self._log = logger.bind(subject=self._subject, group=self._group)

    # --- life ---------------------------------------------------------------------------------------

    async def attach(self) -> None:
        await self._ensure_consumer()
        client = self._connection.client
        self._inbox = client.new_inbox()
        self._subscribed = await client.subscribe(self._inbox, cb=self._on_message)
        again = again_subject(self._group, self._subject)
        self._again = await client.subscribe(again, queue=self._group, cb=self._on_again)
        self._asked = 0
        self._wake.set()
        if not self._tasks:
            self._tasks = [spawn_apart(self._pull()), spawn_apart(self._report_progress())]

    def reconnected(self) -> None:
        """Requests of before are forgotten by a server that restarted; asking twice at most over-fills the queue."""
        self._asked = 0
        self._is_broken = True
        self._wake.set()

    async def stop(self) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._connection.detach(self)
        for task in self._tasks[:1]:  # no more asking; progress of what runs is reported on
            task.cancel()
        for subscribed in filter(None, (self._subscribed, self._again)):
            await leave(self._connection.client, subscribed)
        for message, timer in list(self._waiting.values()):
            timer.cancel()
            self._begin(message)  # which gives it back
        await self._pool.drain()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _ensure_consumer(self) -> None:
        await ensure_streams(self._connection.jetstream)
        config = ConsumerConfig(
            name=self._durable,
            durable_name=self._durable,
            filter_subject=self._subject,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._ack_wait_s,
            max_deliver=-1,  # the end of the tries is ours to say: the message must reach the dead letters first
        )
        await self._connection.jetstream.add_consumer(EVENTS_STREAM, config)

    # --- asking -------------------------------------------------------------------------------------

    async def _pull(self) -> None:
        while True:
            self._wake.clear()
            try:
                if self._connection.is_connected:
                    if self._is_broken:
                        await self._ensure_consumer()
                        self._is_broken = False
                    wanted = self._concurrency - len(self._held) - self._asked
                    if wanted > 0:
                        await self._ask_for(wanted)
            except FAULTS as fault:
                self._log.bind(error=repr(fault)).warning("could not ask for messages; trying again")
                await asyncio.sleep(RETRY_PAUSE_S)
                self._wake.set()
            try:
                async with asyncio.timeout(PULL_LOST_S):
                    await self._wake.wait()
            except TimeoutError:
                self._asked = 0

    async def _ask_for(self, count: int) -> None:
        self._asked += count
        question = {"batch": count, "expires": int(PULL_EXPIRES_S * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS_STREAM}.{self._durable}"
        await self._connection.client.publish(subject, json.dumps(question).encode(), reply=self._inbox)

    async def _on_message(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is not None and not message.reply:
            self._on_status(status, message.headers or {})
            return
        self._asked = max(0, self._asked - 1)
        self._begin(message)

    def _begin(self, message: Msg, tries: int = 1) -> None:
        self._waiting.pop(message.reply, None)
        self._held.add(message.reply)
        task = self._pool.spawn(lambda: self._handle(message, tries))
        task.add_done_callback(lambda _: self._let_go(message.reply))

    def _on_status(self, status: str, headers: dict[str, str]) -> None:
        """The end of a request: 408 expired, 409 a changed consumer or server, 503 no consumer at all."""
        self._asked = max(0, self._asked - int(headers.get("Nats-Pending-Messages", self._asked)))
        if status == "408":
            self._wake.set()
        else:
            self._log.bind(status=status, description=headers.get("Description", "")).debug("messages not given")
            self._is_broken = True
            asyncio.get_running_loop().call_later(RETRY_PAUSE_S, self._wake.set)

    def _let_go(self, reply: str) -> None:
        self._held.discard(reply)
        self._wake.set()

    async def _report_progress(self) -> None:
        """Tells the server that what is here is alive, so that a long handler is not run twice."""
        while True:
            await asyncio.sleep(self._ack_wait_s / HEARTBEATS_PER_ACK_WAIT)
            for reply in [*self._held, *self._waiting]:
                try:
                    await self._connection.client.publish(reply, Msg.Ack.Progress)
                except FAULTS as fault:
                    self._log.bind(error=repr(fault)).debug("progress not reported")

    # --- handling -----------------------------------------------------------------------------------

    async def _handle(self, message: Msg, tries: int) -> None:
        try:
            await self._settle(message, tries)
        except FAULTS as fault:
            # Not acknowledged: the server delivers it again when the acknowledgement time is over.
            self._log.bind(error=repr(fault)).warning("message could not be settled")

    async def _settle(self, message: Msg, tries: int) -> None:
        """One try. `tries` counts those of this delivery, from 1."""
        delivery, retry = message.metadata.num_delivered, self._retry
        log = self._log.bind(message_id=(message.headers or {}).get("Nats-Msg-Id", ""), delivery=delivery)
        if self._is_stopping:
            await message.nak()  # to another member, now
            return
        if delivery > retry.max_losses:
            log.error("message was delivered too often without an end; dead letter")
            await self._bury(message, f"never finished in {delivery - 1} deliveries")
            return
        try:
            await self._handler(message.data)
        except Reject as fault:
            log.bind(reason=str(fault)).error("message rejected; dead letter")
            await self._bury(message, str(fault))
        except Exception as fault:
            if is_retryable(fault) and not self._is_stopping:
                log.bind(tries=tries, error=repr(fault)).warning("handler lacks something; trying again")
                timer = asyncio.get_running_loop().call_later(
                    retry.pause_after_s(tries), self._begin, message, tries + 1
                )
                self._waiting[message.reply] = (message, timer)
            elif is_retryable(fault) or delivery < retry.max_deliveries:
                log.bind(error=repr(fault)).warning("handler failed; trying again")
                await message.nak(delay=retry.pause_after_s(delivery))
            else:
                log.opt(exception=fault).error("handler failed for the last time; dead letter")
                await self._bury(message, repr(fault))
        else:
            await message.ack()

    async def _on_again(self, message: Msg) -> None:
        """A dead letter, once more: the answer is empty when it is handled, else what the handler said."""
        self._pool.spawn(lambda: self._answer_again(message))

    async def _answer_again(self, message: Msg) -> None:
        said = b""
        try:
            await self._handler(message.data)
        except Exception as fault:
            self._log.opt(exception=fault).warning("a dead letter could not be handled this time either")
            said = (str(fault) if isinstance(fault, Reject) else repr(fault)).encode()[:REASON_CHARS]
        try:
            await message.respond(said)
        except FAULTS as fault:
            self._log.bind(error=repr(fault)).warning("could not answer about a dead letter")

    async def _bury(self, message: Msg, reason: str) -> None:
        """Dead letter first, then the end of the message: dying in between repeats it, and loses nothing."""
        headers = {
            "Nats-Msg-Id": f"{self._group}:{message.metadata.sequence.stream}",
            "Streamgate-Message-Id": (message.headers or {}).get("Nats-Msg-Id", ""),
            "Streamgate-Reason": reason.encode("ascii", "backslashreplace").decode()[:REASON_CHARS],
            "Streamgate-Deliveries": str(message.metadata.num_delivered),
        }
        await self._connection.jetstream.publish(f"dead.{self._group}.{self._subject}", message.data, headers=headers)
        await message.term()
