"""What a registry takes, refuses and knows of the services offered to it."""

from __future__ import annotations

from typing import Protocol, get_args

import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.errors import (
    Unavailable,
)
from streamgate.services import Offer, ServiceRef, Services
from tests.kernel.services.things import THINGS, Implementation, Part, Question


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
