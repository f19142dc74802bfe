"""Events, typed: what happened, who hears it, in which envelope.

    UPLOAD_FINISHED = EventType("upload.finished", UploadFinished)             # contracts

    outbox.add(UPLOAD_FINISHED, UploadFinished(...))                           # in the cause's transaction

    on_group(UPLOAD_FINISHED, service.on_upload_finished, group="metadata")    # plugin.py
    on_everyone(SESSION_ENDED, tokens.on_session_ended, resync=tokens.reload)

Nothing is published before its cause is committed: a service writes the row that `make_envelope` gives it,
and the relay hands the bytes to `Events.publish_envelope` afterwards.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar, overload

import attrs

from streamgate.bus.base import MAX_PAYLOAD_BYTES, Bus, Handler, Reject, Resync, Subscription, check_size
from streamgate.context import Actor, CallContext, current_call, use_call
from streamgate.envelope import Envelope
from streamgate.telemetry.measures import Counts, Timings
from streamgate.telemetry.tracing import note_span, spanned
from streamgate.wire import from_plain, to_plain

PUBLISHED = Counts("streamgate_events_published_total", "Events that the bus has taken.", ("event",))
HANDLED = Timings(
    "streamgate_event_handling_duration_seconds",
    "Deliveries of events to a group, or to everyone; outcome: done, failed (tried again), rejected (dead letter).",
    ("event", "group", "outcome"),
)

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class EventBody(Protocol):
    """What each body has beside its own fields."""

    @property
    def subject_id(self) -> str:
        """What it happened to."""

    @property
    def revision(self) -> int:
        """The producer's row counter; a consumer ignores a lower one than it has seen of the same subject."""


T = TypeVar("T")
B = TypeVar("B", bound=EventBody)


@attrs.frozen
class Topic(Generic[T]):
    """Something worth telling those who listen now, and kept nowhere (`upload.progress`): no outbox, no group.

    Whatever must not be lost is an event.
    """

    name: str = attrs.field(validator=attrs.validators.matches_re(_NAME))
    body: type[T]
    version: int = 1

    @property
    def subject(self) -> str:
        return f"live.{self.name}.v{self.version}"


@attrs.frozen
class EventType(Generic[B]):
    """Names an event and the class of its body, once, beside the contract.

    Adding a field with a default keeps the version: consumers ignore what they do not know. Any other change
    is a new version, published beside the old one for as long as the old has consumers.

    Raises:
        TypeError: the body is no attrs class with `subject_id: str` and `revision: int`.
        ValueError: the name is not dotted lower-case words.
    """

    name: str = attrs.field(validator=attrs.validators.matches_re(_NAME))
    body: type[B] = attrs.field()
    version: int = 1

    @body.validator
    def _has_what_each_body_has(self, _: attrs.Attribute[Any], body: type[Any]) -> None:
        fields = {field.name: field.type for field in attrs.fields(body)} if attrs.has(body) else {}
        for name, kind in (("subject_id", str), ("revision", int)):
            if fields.get(name) not in (kind, kind.__name__):
                raise TypeError(
                    f"event {self.name!r}: {body.__name__} must be an attrs class with {name}: {kind.__name__}"
                )

    @property
    def subject(self) -> str:
        return f"evt.{self.name}.v{self.version}"


@attrs.frozen(kw_only=True)
class Received(Generic[T]):
    """One delivery. `event_id` is the same at each repetition: the key of a consumer's inbox."""

    event_id: str
    body: T
    actor: Actor
    request_id: str
    name: str


# --- declarations: what plugins return from `collect_subscriptions` ---------------------------------


@attrs.frozen(kw_only=True)
class GroupSubscription:
    """Made by `on_group`."""

    event: EventType[Any]
    handler: Callable[[Received[Any]], Awaitable[None]]
    group: str
    concurrency: int = 8


@attrs.frozen(kw_only=True)
class EveryoneSubscription:
    """Made by `on_everyone`."""

    event: EventType[Any] | Topic[Any]
    handler: Callable[[Received[Any]], Awaitable[None]]
    resync: Resync


EventSubscription = GroupSubscription | EveryoneSubscription


def on_group(
    event: EventType[B], handler: Callable[[Received[B]], Awaitable[None]], *, group: str, concurrency: int = 8
) -> GroupSubscription:
    """Durable, at least once, one copy per group (named after the plugin), in any order.

    The handler is idempotent by `event_id`. Raising means "again, later"; after the retries the event goes to
    the group's dead letters.
    """
    return GroupSubscription(event=event, handler=handler, group=group, concurrency=concurrency)


@overload
def on_everyone(
    event: EventType[B], handler: Callable[[Received[B]], Awaitable[None]], *, resync: Resync
) -> EveryoneSubscription: ...


@overload
def on_everyone(
    event: Topic[T], handler: Callable[[Received[T]], Awaitable[None]], *, resync: Resync
) -> EveryoneSubscription: ...


def on_everyone(
    event: EventType[Any] | Topic[Any], handler: Callable[[Received[Any]], Awaitable[None]], *, resync: Resync
) -> EveryoneSubscription:
    """Every live process hears it, at most once. The code must be right without it, only later: `resync` reads
    the truth at subscribing, after each reconnect and after each gap."""
    return EveryoneSubscription(event=event, handler=handler, resync=resync)


# --- sending ------------------------------------------------------------------------------------------


def make_envelope(
    event_type: EventType[B], body: B, event_id: str, source: str, *, call: CallContext | None = None
) -> bytes:
    """The bytes an outbox row keeps and the bus carries; synchronous, for use inside a transaction.

    Args:
        event_id: UUIDv7, made with the row.
        source: who publishes (`upload@host-4711`).
        call: whose doing it was; the current call where none is given. Context variables do not follow into a
            writer's thread by themselves, so code that runs there passes it.

    Raises:
        PayloadTooLarge: now, in the transaction, and not in a relay that could never deliver it.
    """
    return _enclose(event_type.subject, body, event_id, source, call or current_call())


def _enclose(subject: str, body: Any, message_id: str, source: str, call: CallContext) -> bytes:
    about = {"messaging.message.id": message_id}
    told = note_span(f"publish {subject}", "producer", call.traceparent, start_ns=time.time_ns(), attributes=about)
    envelope = Envelope(  # no deadline: what has happened is not late
        id=message_id,
        body=to_plain(body),
        request_id=call.request_id,
        traceparent=told,
        actor=call.actor,
        source=source,
    ).to_bytes()
    check_size(subject, envelope, MAX_PAYLOAD_BYTES)
    return envelope


class Events:
    """Sends events.

    Args:
        source: who we are, for the envelope.
    """

    def __init__(self, bus: Bus, *, source: str) -> None:
        self._bus = bus
        self.source = source

    async def publish(self, event_type: EventType[B], body: B, *, event_id: str) -> None:
        """For what has no transaction to ride; everything else goes by the outbox.

        Raises:
            BusUnavailable: unknown whether it was taken; publish again with the same id.
        """
        await self.publish_envelope(
            event_type.subject, make_envelope(event_type, body, event_id, self.source), event_id
        )

    async def publish_envelope(self, subject: str, envelope: bytes, event_id: str) -> None:
        """What the outbox relay calls for a row; returns when the row may go (see `Bus.publish`).

        Raises:
            BusUnavailable: keep the row and try again.
        """
        await self._bus.publish(subject, envelope, message_id=event_id)
        PUBLISHED.of(subject).add()

    async def broadcast(self, topic: Topic[T], body: T) -> None:
        """Tells whoever listens now; never fails for want of listeners or of a connection."""
        envelope = _enclose(topic.subject, body, uuid.uuid4().hex, self.source, current_call())
        await self._bus.broadcast(topic.subject, envelope)


# --- hearing ------------------------------------------------------------------------------------------


class EventsUnit:
    """Subscribes everything declared at its start, and drains at its stop.

    Args:
        needs: units that must run before the first event is handled (stores, the plugins' own units).
    """

    name = "events"

    def __init__(self, bus: Bus, declared: Iterable[EventSubscription], *, needs: Iterable[str] = ()) -> None:
        self.needs = tuple(needs)
        self._bus = bus
        self._declared = tuple(declared)
        self._subscribed: list[Subscription] = []

    async def start(self) -> None:
        try:
            for declared in self._declared:
                self._subscribed.append(await self._subscribe(declared))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        subscribed, self._subscribed = self._subscribed, []
        await asyncio.gather(*(subscription.stop() for subscription in subscribed))

    async def _subscribe(self, declared: EventSubscription) -> Subscription:
        subject = declared.event.subject
        group = declared.group if isinstance(declared, GroupSubscription) else "everyone"
        handler = _opened(declared.event, declared.handler, group)
        if isinstance(declared, GroupSubscription):
            return await self._bus.subscribe_group(subject, declared.group, handler, concurrency=declared.concurrency)
        return await self._bus.subscribe_everyone(subject, handler, resync=declared.resync)


def _opened(
    event: EventType[Any] | Topic[Any], handler: Callable[[Received[Any]], Awaitable[None]], group: str
) -> Handler:
    async def run(received: Received[Any], call: CallContext) -> None:
        with use_call(call):
            await handler(received)

    def ended(duration_s: float, fault: BaseException | None) -> None:
        outcome = "done" if fault is None else "rejected" if isinstance(fault, Reject) else "failed"
        HANDLED.of(event.subject, group, outcome).observe(duration_s)

    async def handle(payload: bytes) -> None:
        try:
            envelope = Envelope.from_bytes(payload)
            body = from_plain(event.body, envelope.body)
        except Exception as fault:  # cattrs and orjson raise many kinds
            HANDLED.of(event.subject, group, "rejected").observe(0.0)
            raise Reject(f"{event.subject} cannot be read: {fault}") from fault
        call = CallContext(request_id=envelope.request_id, actor=envelope.actor, traceparent=envelope.traceparent)
        received = Received(
            event_id=envelope.id, body=body, actor=envelope.actor, request_id=envelope.request_id, name=event.name
        )
        about = {"messaging.message.id": envelope.id, "messaging.consumer.group.name": group}
        await spanned(f"handle {event.subject}", "consumer", call, lambda step: run(received, step), about, ended)

    return handle
