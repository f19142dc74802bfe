"""One line of code, three roads: a plain call, its wire form, the bus (in memory and over NATS)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol, get_args

import attrs
import pytest

from streamgate.bus.base import Bus, PayloadTooLarge
from streamgate.bus.memory import MemoryBus
from streamgate.bus.nats import NatsBus
from streamgate.context import Actor, CallContext, current_call, use_call
from streamgate.envelope import Envelope
from streamgate.errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    FieldError,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    StreamgateError,
    TooMany,
    Unavailable,
)
from streamgate.services import Offer, ServiceRef, Services, method

# --- a contract -------------------------------------------------------------------------------------


class TestRefused(Forbidden):
    __test__ = False
    code, title = "services_test.refused", "Refused by the test"


class UnknownHere(Conflict):
    """Known to the service, not to the caller: taken out of the registry below."""

    code, title, retryable = "services_test.unknown_here", "Only known over there", True


del StreamgateError._by_code[UnknownHere.code]


@attrs.frozen(kw_only=True)
class Part:
    n: int
    tags: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Question:
    text: str
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    amount: str = "0"


@attrs.frozen(kw_only=True)
class Seen:
    """What the service saw of its caller."""

    request_id: str
    user_id: str
    roles: tuple[str, ...]
    remaining_s: float | None
    traceparent: str


class Base(Protocol):
    async def inherited(self) -> str: ...


class Things(Base, Protocol):
    async def echo(self, question: Question) -> Question: ...

    async def nothing(self) -> None: ...

    async def maybe(self, question: Question) -> Part | None: ...

    async def seen(self) -> Seen: ...

    async def fail(self, question: Question) -> None: ...

    @method(timeout_s=0.1)
    async def slow(self, question: Question) -> str: ...

    @method(timeout_s=1.0, idempotent=True)
    async def again(self, question: Question) -> str: ...


THINGS = ServiceRef("things", Things)


class Implementation:
    """Faults come from `faults`, one a call; `waits_s` likewise for `again`."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.waits_s: list[float] = []
        self.calls = 0
        self.finished = asyncio.Event()

    async def inherited(self) -> str:
        return "inherited"

    async def echo(self, question: Question) -> Question:
        return question

    async def nothing(self) -> None:
        return None

    async def maybe(self, question: Question) -> Part | None:
        return question.part

    async def seen(self) -> Seen:
        call = current_call()
        return Seen(
            request_id=call.request_id,
            user_id=call.actor.user_id,
            roles=call.actor.roles,
            remaining_s=call.remaining_s(),
            traceparent=call.traceparent,
        )

    async def fail(self, question: Question) -> None:
        raise self.faults.pop(0)

    async def slow(self, question: Question) -> str:
        try:
            await asyncio.sleep(30)
        finally:
            self.finished.set()
        return "too late"

    async def again(self, question: Question) -> str:
        self.calls += 1
        mine = self.calls
        if self.waits_s:
            await asyncio.sleep(self.waits_s.pop(0))
        if self.faults:
            raise self.faults.pop(0)
        return f"answer {mine}"


class Caught:
    """The lines logged at error level while the fixture lives."""

    def __init__(self) -> None:
        self.lines: list[str] = []


@pytest.fixture
def logged() -> Any:
    from loguru import logger

    caught = Caught()
    sink = logger.add(lambda message: caught.lines.append(str(message)), level="ERROR")
    yield caught
    logger.remove(sink)


@pytest.fixture
def implementation() -> Implementation:
    return Implementation()


Road = Any
ROADS = ["direct", "wired", "memory", "nats"]


def shared_memory_bus() -> Bus:
    return MemoryBus(is_local=False)


@pytest.fixture
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Awaitable[Services]]]:
    """`await connect(road, *offers)`: the registry of a caller who reaches what is offered by that road."""
    async with AsyncExitStack() as cleanup:

        async def connect(road: str, *offers: Offer[Any]) -> Services:
            if road in ("direct", "wired"):
                buses = [MemoryBus()]
            elif road == "memory":
                buses = [shared_memory_bus()] * 2  # type: ignore[list-item]
            else:
                url = request.getfixturevalue("nats_server").url
                buses = [NatsBus(url, name=name) for name in ("caller", "callee")]  # type: ignore[misc]
            registries = [Services(bus, source=f"side{n}", wire_local=road == "wired") for n, bus in enumerate(buses)]
            for bus, services in zip(buses, registries, strict=True):
                await bus.start()
                cleanup.push_async_callback(bus.stop)
                cleanup.push_async_callback(services.stop)
            for offer in offers:
                registries[-1].offer(offer)
            for services in registries:
                services.settle()
                await services.start()
            return registries[0]

        yield connect


@pytest.fixture(params=ROADS)
async def things(request: pytest.FixtureRequest, connect: Any, implementation: Implementation) -> Things:
    """The service, by each road in turn."""
    services: Services = await connect(request.param, Offer(THINGS, implementation))
    return services.get(THINGS)


Q = Question(text="ü", part=Part(n=1, tags=("a", "b")), parts=(Part(n=2), Part(n=3)), amount=str(2**256 - 1))

# --- every road alike -------------------------------------------------------------------------------


async def test_values_arrive_as_they_were_sent(things: Things) -> None:
    assert await things.echo(Q) == Q
    assert await things.maybe(Q) == Part(n=1, tags=("a", "b"))
    assert await things.maybe(Question(text="")) is None
    assert await things.inherited() == "inherited"
    await things.nothing()


async def test_the_callee_sees_who_calls_and_how_long_it_may_take(things: Things) -> None:
    actor = Actor(kind="user", user_id="u_1", roles=("viewer", "creator"))
    with use_call(CallContext(request_id="r-1", actor=actor, traceparent="00-ab-cd-01")):
        seen = await things.seen()

    assert (seen.request_id, seen.user_id, seen.roles) == ("r-1", "u_1", ("viewer", "creator"))
    assert seen.traceparent == "00-ab-cd-01"
    assert seen.remaining_s is not None
    assert 9 < seen.remaining_s <= 10


async def test_the_callers_nearer_deadline_counts(things: Things) -> None:
    with use_call(CallContext(request_id="r", deadline_s=time.monotonic() + 1.0)):
        seen = await things.seen()

    assert seen.remaining_s is not None
    assert 0 < seen.remaining_s <= 1


async def test_the_callers_own_context_is_untouched(things: Things) -> None:
    outer = CallContext(request_id="outer")
    with use_call(outer):
        await things.seen()

        assert current_call() is outer


async def test_a_method_that_takes_too_long_is_ended(things: Things, implementation: Implementation) -> None:
    began = time.monotonic()

    with pytest.raises(DeadlineExceeded) as raised:
        await things.slow(Q)

    assert time.monotonic() - began < 2
    assert (raised.value.code, raised.value.retryable) == ("service.deadline_exceeded", True)
    assert "things.slow" in raised.value.detail
    async with asyncio.timeout(2):
        await implementation.finished.wait()  # the callee does not work on for nobody


async def test_without_time_left_nobody_is_asked(things: Things, implementation: Implementation) -> None:
    with (
        use_call(CallContext(request_id="r", deadline_s=time.monotonic() - 1)),
        pytest.raises(DeadlineExceeded, match=r"no time was left to ask things\.again"),
    ):
        await things.again(Q)

    assert implementation.calls == 0


@pytest.mark.parametrize(
    "fault",
    [
        NotFound("video v_1 is not here"),
        TestRefused("you hold none of these", extra={"needed": ["erc721", {"count": 1}]}),
        Invalid("look again", errors=(FieldError("gate.any[0].chain", "unknown"), FieldError("title", "too long"))),
        TooMany("slower", retry_after_s=1.5),
    ],
)
async def test_an_error_arrives_as_its_own_class(
    things: Things, implementation: Implementation, fault: StreamgateError
) -> None:
    implementation.faults.append(fault)

    with pytest.raises(type(fault)) as raised:
        await things.fail(Q)

    assert type(raised.value) is type(fault)
    assert raised.value.to_wire() == fault.to_wire()


@pytest.mark.parametrize("fault", [ValueError("password=hunter2"), KeyError("hunter2"), TimeoutError("hunter2")])
async def test_any_other_exception_is_logged_there_and_internal_here(
    things: Things, implementation: Implementation, fault: Exception, logged: Caught
) -> None:
    implementation.faults.append(fault)

    with pytest.raises(Internal) as raised:
        await things.fail(Q)

    assert type(raised.value) is Internal
    assert raised.value.code == "internal"
    assert "hunter2" not in str(raised.value.to_wire())
    assert "hunter2" in "".join(logged.lines)


async def test_an_idempotent_call_is_not_repeated_for_the_services_own_word(
    things: Things, implementation: Implementation
) -> None:
    implementation.faults = [Unavailable("the chain is away"), Unavailable("again")]

    with pytest.raises(Unavailable, match="the chain is away"):
        await things.again(Q)

    assert implementation.calls == 1


async def test_a_slow_idempotent_call_has_its_whole_time(things: Things, implementation: Implementation) -> None:
    """Beyond half time a remote one is asked again; the first answer counts, whichever question it is to."""
    implementation.waits_s = [0.7, 30.0]

    assert await things.again(Q) == "answer 1"


async def test_an_absent_service_is_unavailable_by_name(things: Things, connect: Any) -> None:
    for road in ROADS:
        services: Services = await connect(road)
        began = time.monotonic()

        with pytest.raises(Unavailable, match=r"absent\.echo") as raised:
            await services.get(ServiceRef("absent", Things)).echo(Q)

        assert (raised.value.code, raised.value.status) == ("service.unavailable", 503)
        assert time.monotonic() - began < 1


async def test_cancelling_the_caller_is_no_error(things: Things) -> None:
    calling = asyncio.ensure_future(things.slow(Q))
    await asyncio.sleep(0.02)
    calling.cancel()

    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_many_calls_at_once_keep_their_answers_apart(things: Things) -> None:
    async def ask(n: int) -> str:
        with use_call(CallContext(request_id=f"r-{n}")):
            return (await things.seen()).request_id

    assert await asyncio.gather(*(ask(n) for n in range(30))) == [f"r-{n}" for n in range(30)]


# --- the wire ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("road", ["wired", "memory", "nats"])
async def test_an_error_unknown_here_keeps_its_code_and_its_kind(
    connect: Any, implementation: Implementation, road: str
) -> None:
    things: Things = (await connect(road, Offer(THINGS, implementation))).get(THINGS)
    implementation.faults.append(UnknownHere("of a newer version", retry_after_s=3, extra={"a": 1}))

    with pytest.raises(Conflict) as raised:
        await things.fail(Q)

    fault = raised.value
    assert not isinstance(fault, UnknownHere)
    assert (fault.code, fault.status, fault.title) == ("services_test.unknown_here", 409, "Only known over there")
    assert (fault.detail, fault.retryable, fault.retry_after_s) == ("of a newer version", True, 3)
    assert fault.extra == {"a": 1}


@pytest.mark.parametrize("road", ["wired", "memory", "nats"])
async def test_an_answer_that_has_no_wire_form_is_internal(
    connect: Any, implementation: Implementation, road: str, logged: Caught
) -> None:
    class Number(Protocol):
        async def number(self) -> int: ...

    class Big:
        async def number(self) -> int:
            return 2**256  # JSON here ends at 64 bits: contracts type such numbers as str

    ref = ServiceRef("number", Number)

    with pytest.raises(Internal):
        await (await connect(road, Offer(ref, Big()))).get(ref).number()
    assert "service answer failed" in "".join(logged.lines)


@pytest.mark.parametrize("road", ["memory", "nats"])
async def test_an_answer_too_large_for_the_bus_says_so(connect: Any, road: str) -> None:
    class Large:
        async def inherited(self) -> str:
            return "x" * 1_000_000

    ref = ServiceRef("large", Base)

    with pytest.raises(PayloadTooLarge):
        await (await connect(road, Offer(ref, Large()))).get(ref).inherited()


class Tapped(MemoryBus):
    """A bus that shows the payloads, and may lose questions."""

    def __init__(self) -> None:
        super().__init__(is_local=False)
        self.questions: list[Envelope] = []
        self.responders: dict[str, Any] = {}
        self.to_lose = 0
        self.to_refuse = 0

    async def serve(self, subject: str, group: str, responder: Any, *, concurrency: int = 64) -> Any:
        self.responders[subject] = responder
        return await super().serve(subject, group, responder, concurrency=concurrency)

    async def request(self, subject: str, payload: bytes, *, timeout_s: float) -> bytes:
        self.questions.append(Envelope.from_bytes(payload))
        if self.to_refuse:
            self.to_refuse -= 1
            raise Unavailable(f"nobody serves {subject}")
        if self.to_lose:
            self.to_lose -= 1
            await asyncio.sleep(timeout_s)
            raise DeadlineExceeded(f"{subject} did not answer")
        return await super().request(subject, payload, timeout_s=timeout_s)


@pytest.fixture
async def tapped(implementation: Implementation) -> AsyncIterator[Tapped]:
    bus = Tapped()
    await bus.start()
    callee = Services(bus, source="callee")
    callee.offer(Offer(THINGS, implementation))
    await callee.start()
    yield bus
    await callee.stop()
    await bus.stop()


def caller_on(bus: Bus) -> Things:
    return Services(bus, source="caller@host-1").get(THINGS)


async def test_the_envelope_of_a_question(tapped: Tapped) -> None:
    actor = Actor(kind="user", user_id="u_1")
    with use_call(CallContext(request_id="r-1", actor=actor, deadline_s=time.monotonic() + 1)):
        await caller_on(tapped).echo(Question(text="hello"))

    question = tapped.questions[0]
    assert (question.request_id, question.actor, question.source) == ("r-1", actor, "caller@host-1")
    assert 900 < question.deadline_ms <= 1000
    assert question.body["text"] == "hello"


async def test_an_idempotent_call_is_asked_again_when_nobody_was_there(
    tapped: Tapped, implementation: Implementation
) -> None:
    tapped.to_refuse = 1

    assert await caller_on(tapped).again(Q) == "answer 1"

    assert len(tapped.questions) == 2


async def test_an_idempotent_call_is_asked_again_when_its_question_is_lost(
    tapped: Tapped, implementation: Implementation
) -> None:
    tapped.to_lose = 1
    began = time.monotonic()

    assert await caller_on(tapped).again(Q) == "answer 1"

    assert time.monotonic() - began < 0.9  # at half of its second
    first, second = tapped.questions
    assert second.deadline_ms <= first.deadline_ms - 450  # what is left, not what was


async def test_twice_is_enough_and_the_deadline_holds(tapped: Tapped) -> None:
    tapped.to_lose = 99
    began = time.monotonic()

    with pytest.raises(DeadlineExceeded, match=r"things\.again"):
        await caller_on(tapped).again(Q)

    assert 0.9 < time.monotonic() - began < 1.5
    assert len(tapped.questions) == 2


async def test_any_other_call_is_asked_once(tapped: Tapped) -> None:
    tapped.to_refuse = 99

    with pytest.raises(Unavailable, match=r"things\.echo"):
        await caller_on(tapped).echo(Q)

    assert len(tapped.questions) == 1


async def test_unknown_fields_are_ignored_and_missing_ones_have_their_default(tapped: Tapped) -> None:
    body = {"text": "of a newer caller", "invented": True}
    answer = await tapped.responders["svc.things.v1.echo"](Envelope(id="1", body=body).to_bytes())

    assert Envelope.from_bytes(answer).body["text"] == "of a newer caller"


async def test_a_question_without_an_envelope_is_answered_with_a_fault(tapped: Tapped) -> None:
    answer = Envelope.from_bytes(await tapped.responders["svc.things.v1.echo"](b"garbage"))

    assert answer.error is not None
    assert answer.error["code"] == BadRequest.code


# --- the registry -----------------------------------------------------------------------------------


def registry() -> Services:
    return Services(MemoryBus(), source="test")


def test_a_service_is_offered_once() -> None:
    services = registry()
    services.offer(Offer(THINGS, Implementation()))

    with pytest.raises(ValueError, match="twice"):
        services.offer(Offer(THINGS, Implementation()))
    assert services.is_local(THINGS)


def test_an_implementation_that_lacks_a_method_is_refused() -> None:
    class Half:
        async def echo(self, question: Question) -> Question:
            return question

    with pytest.raises(TypeError, match=r"Half offers 'things' but lacks .*again.*inherited"):
        registry().offer(Offer(THINGS, Half()))


def test_a_method_takes_one_request_at_most() -> None:
    class Two(Protocol):
        async def method(self, a: Question, b: Question) -> None: ...

    with pytest.raises(TypeError, match="2 arguments"):
        _ = ServiceRef("two", Two).methods


def test_what_a_reference_knows_of_its_methods() -> None:
    assert sorted(THINGS.methods) == ["again", "echo", "fail", "inherited", "maybe", "nothing", "seen", "slow"]
    again, echo = THINGS.methods["again"], THINGS.methods["echo"]
    assert (again.timeout_s, again.is_idempotent, again.what) == (1.0, True, "things.again")
    assert (echo.timeout_s, echo.is_idempotent, echo.request, echo.answer) == (10.0, False, Question, Question)
    assert get_args(THINGS.methods["maybe"].answer) == (Part, type(None))
    assert THINGS.subject("echo") == "svc.things.v1.echo"


def test_a_method_that_the_contract_has_not() -> None:
    with pytest.raises(AttributeError, match="things has no method invented"):
        _ = registry().get(THINGS).invented  # type: ignore[attr-defined]


async def test_a_reference_taken_before_the_offer_finds_it() -> None:
    services = registry()
    things = services.get(THINGS)
    with pytest.raises(Unavailable):
        await (await _started(services)).get(THINGS).nothing()

    services.offer(Offer(THINGS, Implementation()))
    services.settle()

    await things.nothing()
    assert things.nothing is things.nothing  # its road is found once


async def _started(services: Services) -> Services:
    await services._bus.start()
    return services


async def test_nobody_is_served_by_a_bus_of_one_process() -> None:
    bus = MemoryBus()
    await bus.start()
    services = Services(bus, source="test")
    services.offer(Offer(THINGS, Implementation()))
    await services.start()

    with pytest.raises(Unavailable):
        await bus.request("svc.things.v1.nothing", b"", timeout_s=1)
    await bus.stop()
