"""One line of code, three roads: a plain call, its wire form, the bus (in memory and over NATS)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from streamgate.context import Actor, CallContext, current_call, use_call
from streamgate.errors import (
    DeadlineExceeded,
    FieldError,
    Internal,
    Invalid,
    NotFound,
    StreamgateError,
    TooMany,
    Unavailable,
)
from streamgate.services import ServiceRef, Services
from tests.kernel.services.things import ROADS, Caught, Implementation, Part, Q, Question, TestRefused, Things


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
