"""Events, typed: declared once, enclosed in the cause's transaction, handled in the cause's name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest

from streamgate.bus.base import MAX_PAYLOAD_BYTES, Bus, BusUnavailable, PayloadTooLarge, RetryPolicy
from streamgate.bus.memory import MemoryBus
from streamgate.bus.nats import NatsBus
from streamgate.context import Actor, CallContext, current_call, use_call
from streamgate.envelope import Envelope
from streamgate.events import (
    Events,
    EventSubscription,
    EventsUnit,
    EventType,
    Received,
    Topic,
    make_envelope,
    on_everyone,
    on_group,
)
from streamgate.lifecycle import Unit


@attrs.frozen(kw_only=True)
class Thing:
    """A part of a body."""

    size_bytes: int


@attrs.frozen(kw_only=True)
class ThingHappened:
    subject_id: str
    revision: int
    thing: Thing
    tags: tuple[str, ...] = ()


@attrs.frozen
class Progress:
    done_percent: int


HAPPENED = EventType("thing.happened", ThingHappened)
PROGRESS = Topic("thing.progress", Progress)
BODY = ThingHappened(subject_id="c_1", revision=7, thing=Thing(size_bytes=2**40), tags=("a", "ü"))

SHORT = RetryPolicy(max_deliveries=2, pauses_s=(0.01,))


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made: Bus
    if request.param == "memory":
        made = MemoryBus(retry=SHORT)
    else:
        # The server of the run keeps what other tests have published; this one needs an empty stream.
        made = NatsBus(request.getfixturevalue("own_nats_server").url, name="test", retry=SHORT)
    await made.start()
    yield made
    await made.stop()


class Heard:
    """A handler that keeps what it is given and the call it was given in."""

    def __init__(self) -> None:
        self.received: list[Received[Any]] = []
        self.calls: list[CallContext] = []
        self._changed = asyncio.Condition()

    async def __call__(self, received: Received[Any]) -> None:
        self.received.append(received)
        self.calls.append(current_call())
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, count: int) -> list[Received[Any]]:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
        return self.received


async def no_resync() -> None:
    return None


@pytest.fixture
async def subscribe(bus: Bus) -> AsyncIterator[Callable[..., Any]]:
    units: list[EventsUnit] = []

    async def subscribe(*declared: EventSubscription) -> EventsUnit:
        unit = EventsUnit(bus, declared)
        await unit.start()
        units.append(unit)
        return unit

    yield subscribe
    for unit in units:
        await unit.stop()


# --- there and back ---------------------------------------------------------------------------------


async def test_a_group_receives_the_body_and_whose_doing_it_was(bus: Bus, subscribe: Any) -> None:
    heard = Heard()
    await subscribe(on_group(HAPPENED, heard, group="test"))
    actor = Actor(kind="user", user_id="u_1", roles=("creator",))

    with use_call(CallContext(request_id="r-1", actor=actor, traceparent="00-ab", deadline_s=1.0)):
        await Events(bus, source="test@host-1").publish(HAPPENED, BODY, event_id="e-1")

    (received,) = await heard.wait_for(1)
    assert received == Received(event_id="e-1", body=BODY, actor=actor, request_id="r-1", name="thing.happened")
    assert heard.calls == [CallContext(request_id="r-1", actor=actor, traceparent="00-ab", deadline_s=None)]


async def test_everyone_receives_events_and_broadcasts(bus: Bus, subscribe: Any) -> None:
    heard, progress = Heard(), Heard()
    await subscribe(on_everyone(HAPPENED, heard, resync=no_resync), on_everyone(PROGRESS, progress, resync=no_resync))
    events = Events(bus, source="test")

    await events.publish(HAPPENED, BODY, event_id="e-1")
    await events.broadcast(PROGRESS, Progress(40))

    assert [r.body for r in await heard.wait_for(1)] == [BODY]
    assert [r.body for r in await progress.wait_for(1)] == [Progress(40)]


async def test_the_relay_sends_what_the_row_holds(bus: Bus, subscribe: Any) -> None:
    heard = Heard()
    await subscribe(on_group(HAPPENED, heard, group="test"))
    row = (HAPPENED.subject, make_envelope(HAPPENED, BODY, "e-9", "upload@host-1"), "e-9")

    await Events(bus, source="relay").publish_envelope(*row)
    await Events(bus, source="relay").publish_envelope(*row)  # the relay died before it could delete the row
    await Events(bus, source="relay").publish(HAPPENED, BODY, event_id="e-10")

    assert sorted(r.event_id for r in await heard.wait_for(2)) == ["e-10", "e-9"]


async def test_a_failing_handler_gets_the_same_event_id_again(bus: Bus, subscribe: Any) -> None:
    heard = Heard()

    async def fails_once(received: Received[ThingHappened]) -> None:
        await heard(received)
        if len(heard.received) == 1:
            raise RuntimeError("not yet")

    await subscribe(on_group(HAPPENED, fails_once, group="test"))
    await Events(bus, source="test").publish(HAPPENED, BODY, event_id="e-1")

    first, second = await heard.wait_for(2)
    assert first == second


async def test_what_cannot_be_read_is_a_dead_letter_at_once(bus: Bus, subscribe: Any) -> None:
    heard = Heard()
    await subscribe(on_group(HAPPENED, heard, group="test"))

    await bus.publish(HAPPENED.subject, b"no envelope", message_id="1")
    await bus.publish(HAPPENED.subject, Envelope(id="2", body={"subject_id": "only"}).to_bytes(), message_id="2")

    async with asyncio.timeout(10):
        while (await bus.dead_letters()).get("test") != 2:
            await asyncio.sleep(0.01)
    assert heard.received == []


async def test_an_event_of_a_newer_producer_is_understood(bus: Bus, subscribe: Any) -> None:
    heard = Heard()
    await subscribe(on_group(HAPPENED, heard, group="test"))
    body = {"subject_id": "c_1", "revision": 1, "thing": {"size_bytes": 1, "colour": "red"}, "invented": [1]}

    await bus.publish(HAPPENED.subject, Envelope(id="e-1", body=body).to_bytes(), message_id="e-1")

    (received,) = await heard.wait_for(1)
    assert received.body == ThingHappened(subject_id="c_1", revision=1, thing=Thing(size_bytes=1))


# --- the unit ---------------------------------------------------------------------------------------


async def test_stopping_finishes_what_is_being_handled(bus: Bus) -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: Received[ThingHappened]) -> None:
        began.set()
        await may_end.wait()
        ended.set()

    unit = EventsUnit(bus, [on_group(HAPPENED, slow, group="test")])
    assert isinstance(unit, Unit)
    await unit.start()
    publishing = asyncio.create_task(Events(bus, source="test").publish(HAPPENED, BODY, event_id="e-1"))
    await began.wait()
    asyncio.get_running_loop().call_later(0.05, may_end.set)

    await unit.stop()

    assert ended.is_set()
    await publishing


async def test_a_start_that_fails_leaves_no_subscription(bus: Bus) -> None:
    heard = Heard()
    good = on_everyone(PROGRESS, heard, resync=no_resync)
    bad = on_group(HAPPENED, heard, group="two words")

    with pytest.raises(ValueError, match="two words"):
        await EventsUnit(bus, [good, bad]).start()

    await Events(bus, source="test").broadcast(PROGRESS, Progress(1))
    await bus.ping()
    assert heard.received == []


async def test_publishing_without_a_bus_is_unavailable() -> None:
    with pytest.raises(BusUnavailable):
        await Events(MemoryBus(), source="test").publish(HAPPENED, BODY, event_id="e-1")


# --- declarations -----------------------------------------------------------------------------------


def test_subjects_carry_name_and_version() -> None:
    assert HAPPENED.subject == "evt.thing.happened.v1"
    assert EventType("thing.happened", ThingHappened, version=2).subject == "evt.thing.happened.v2"
    assert PROGRESS.subject == "live.thing.progress.v1"


@pytest.mark.parametrize("name", ["thing", "Thing.Happened", "thing.", "thing happened", "thing.*", ""])
def test_a_name_is_dotted_lower_case_words(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        EventType(name, ThingHappened)


def test_a_body_has_a_subject_and_a_revision() -> None:
    @attrs.frozen
    class WithoutRevision:
        subject_id: str

    @attrs.frozen
    class WithNumber:
        subject_id: int
        revision: int

    class Plain:
        subject_id = ""
        revision = 0

    with pytest.raises(TypeError, match="revision: int"):
        EventType("thing.happened", WithoutRevision)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="subject_id: str"):
        EventType("thing.happened", WithNumber)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="attrs class"):
        EventType("thing.happened", Plain)


def test_an_envelope_is_made_without_a_loop_and_without_a_deadline() -> None:
    call = CallContext(request_id="r-1", actor=Actor(kind="user", user_id="u_1"), deadline_s=1.0)

    envelope = Envelope.from_bytes(make_envelope(HAPPENED, BODY, "e-1", "upload@host-1", call=call))

    assert (envelope.id, envelope.request_id, envelope.source) == ("e-1", "r-1", "upload@host-1")
    assert (envelope.actor.user_id, envelope.deadline_ms) == ("u_1", 0)
    assert envelope.body == {
        "subject_id": "c_1",
        "revision": 7,
        "thing": {"size_bytes": 2**40},
        "tags": ["a", "ü"],
    }


def test_an_event_too_large_for_the_bus_fails_in_its_transaction() -> None:
    large = attrs.evolve(BODY, tags=("x" * MAX_PAYLOAD_BYTES,))

    with pytest.raises(PayloadTooLarge):
        make_envelope(HAPPENED, large, "e-1", "test")
