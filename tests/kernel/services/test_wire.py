"""What crosses the wire between caller and callee, and what a caller does about what is lost there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from streamgate.bus.base import Bus, PayloadTooLarge
from streamgate.bus.memory import MemoryBus
from streamgate.context import Actor, CallContext, use_call
from streamgate.envelope import Envelope
from streamgate.errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    Internal,
    Unavailable,
)
from streamgate.services import Offer, ServiceRef, Services
from tests.kernel.services.things import THINGS, Base, Caught, Implementation, Q, Question, Things, UnknownHere


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
