"""What is traced, whose word on it counts, and how steps hang together."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Protocol

import attrs
import httpx
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.context import CallContext, current_call, use_call
from streamgate.errors import Conflict
from streamgate.events import Events, EventsUnit, EventType, Received, on_group
from streamgate.services import Offer, ServiceRef, Services
from streamgate.settings import ServerSettings
from streamgate.telemetry.process import trust_of
from streamgate.telemetry.tracing import TRACING, Tracing, child_of, is_traced, spanned, trace_id_of
from streamgate.testing.context import bus_unit, running
from streamgate.web.app import build_app
from streamgate.web.edge import HOP_HEADER
from streamgate.web.routes import PUBLIC, Call, Route

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = SENT[3:35]


# --- the decision at the door -------------------------------------------------------------------------


def test_a_new_trace_is_well_formed_and_unsampled_without_a_recorder() -> None:
    tracing = Tracing()
    tracing.sample_ratio = 1.0
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", tracing.root("", is_believed=False))


def test_the_share_of_sampled_roots_is_the_ratio(recorded: Any) -> None:
    TRACING.sample_ratio = 0.25
    sampled = sum(is_traced(TRACING.root("", is_believed=False)) for _ in range(4_000))
    assert 800 < sampled < 1_200
    TRACING.sample_ratio = 0.0
    assert not any(is_traced(TRACING.root("", is_believed=False)) for _ in range(100))


def test_an_unbelieved_traceparent_is_replaced_and_a_believed_one_kept() -> None:
    tracing = Tracing()
    assert trace_id_of(tracing.root(SENT, is_believed=False)) != TRACE_ID
    assert tracing.root(SENT, is_believed=True) == SENT
    assert tracing.root(SENT[:-2] + "03", is_believed=True) == SENT  # flags we do not know are not handed on
    assert tracing.root(SENT[:-2] + "00", is_believed=True) == SENT[:-2] + "00"


@pytest.mark.parametrize(
    ("whom", "address", "is_trusted"),
    [
        ("proxies", "127.0.0.1", True),
        ("proxies", "::1", True),
        ("proxies", "10.1.2.3", True),
        ("proxies", "192.0.2.7", False),
        ("proxies", "no address", False),
        ("everybody", "192.0.2.7", True),
        ("nobody", "127.0.0.1", False),
    ],
)
def test_whose_word_counts(whom: str, address: str, is_trusted: bool) -> None:
    trusts = trust_of(whom, ("10.0.0.0/8",))
    assert trusts(address) is is_trusted
    assert trusts(address) is is_trusted  # remembered


def test_a_hop_of_ours_counts_from_anywhere() -> None:
    tracing = Tracing()
    assert not tracing.believes("192.0.2.7", b"")
    tracing.hop = b"secret"
    assert tracing.believes("192.0.2.7", b"secret")
    assert not tracing.believes("192.0.2.7", b"guess")
    assert not tracing.believes("192.0.2.7", None)


def test_a_step_has_a_name_of_its_own_in_the_same_trace() -> None:
    step = child_of(SENT)
    assert (step[:36], step[-3:]) == (SENT[:36], "-01")
    assert step != SENT


# --- steps --------------------------------------------------------------------------------------------


async def test_what_is_not_sampled_is_run_as_it_is(recorded: Any) -> None:
    call = CallContext(request_id="r", traceparent=SENT[:-2] + "00")

    async def run(step: CallContext) -> CallContext:
        return step

    assert await spanned("x", "internal", call, run) is call
    assert recorded.spans == []


async def test_a_fault_is_told_by_its_code_not_by_its_text(recorded: Any) -> None:
    class Taken(Conflict):
        code = "toy.taken_by_trace"

    async def run(_: CallContext) -> None:
        raise Taken("the secret is 42")

    with pytest.raises(Taken):
        await spanned("x", "internal", CallContext(request_id="r", traceparent=SENT), run)
    assert recorded.named("x").error == "toy.taken_by_trace"


@attrs.frozen
class Asked:
    text: str


class Inner(Protocol):
    async def ask(self, asked: Asked) -> str: ...


class Outer(Protocol):
    async def ask(self, asked: Asked) -> str: ...


INNER, OUTER = ServiceRef("inner", Inner), ServiceRef("outer", Outer)


@attrs.define
class OuterService:
    services: Services

    async def ask(self, asked: Asked) -> str:
        return await self.services.get(INNER).ask(asked)


class InnerService:
    async def ask(self, asked: Asked) -> str:
        return current_call().traceparent


@pytest.mark.parametrize("wire_local", [False, True])
async def test_a_call_within_a_call_is_a_step_within_a_step(recorded: Any, wire_local: bool) -> None:
    services = Services(MemoryBus(), source="toy", wire_local=wire_local)
    services.offer(Offer(INNER, InnerService()))
    services.offer(Offer(OUTER, OuterService(services)))
    services.settle()
    with use_call(CallContext(request_id="r", traceparent=SENT)):
        seen = await services.get(OUTER).ask(Asked("x"))
    outer, inner = recorded.named("outer.ask"), recorded.named("inner.ask")
    assert (outer.parent, inner.parent, seen) == (SENT, outer.traceparent, inner.traceparent)
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns


@attrs.frozen(kw_only=True)
class Happened:
    subject_id: str
    revision: int = 0


HAPPENED = EventType("toy.traced", Happened)


async def test_an_event_carries_the_trace_to_who_hears_it(recorded: Any) -> None:
    bus = MemoryBus()
    seen: list[str] = []

    async def hear(event: Received[Happened]) -> None:
        seen.append(current_call().traceparent)

    async with running(bus_unit(bus), EventsUnit(bus, [on_group(HAPPENED, hear, group="toy")], needs=("bus",))):
        with use_call(CallContext(request_id="r", traceparent=SENT)):
            await Events(bus, source="toy").publish(HAPPENED, Happened(subject_id="s"), event_id="e-1")
    told, heard = recorded.named("publish evt.toy.traced.v1"), recorded.named("handle evt.toy.traced.v1")
    assert (told.parent, heard.parent, seen) == (SENT, told.traceparent, [heard.traceparent])
    assert heard.attributes == {"messaging.message.id": "e-1", "messaging.consumer.group.name": "toy"}


# --- over HTTP ----------------------------------------------------------------------------------------


class Nobody:
    async def authenticate(self, headers: Any) -> Any:
        raise AssertionError("nobody signs in here")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async def look(call: Call[None, None]) -> None:
        seen = dict(call.request.headers)
        assert seen["traceparent"] == current_call().traceparent  # what a forwarder would hand on

    async def fail(call: Call[None, None]) -> None:
        raise KeyError("secret")

    app = build_app(
        routes=[
            Route("GET", "/look/{what}", look, policy=PUBLIC, summary="L", reads_bearer=False),
            Route("GET", "/fail", fail, policy=PUBLIC, summary="F", reads_bearer=False),
        ],
        authenticator=Nobody(),
        settings=ServerSettings(),
        service="toy",
        mode="all",
        readiness=lambda: None,  # type: ignore[arg-type, return-value]
        began_s=0.0,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://toy") as client:
        yield client


async def test_a_request_is_the_root_of_its_trace(recorded: Any, client: httpx.AsyncClient) -> None:
    await client.get("/look/a?token=secret", headers={"x-request-id": "abc-12345"})
    span = recorded.named("GET /look/{what}")
    assert (span.kind, span.parent, span.error) == ("server", "", "")
    assert span.attributes == {
        "http.response.status_code": 204,
        "url.path": "/look/a",
        "streamgate.request_id": "abc-12345",
    }


async def test_a_stranger_cannot_have_a_request_traced(recorded: Any, client: httpx.AsyncClient) -> None:
    TRACING.sample_ratio = 0.0
    await client.get("/look/a", headers={"traceparent": SENT})
    assert recorded.spans == []
    TRACING.hop = b"secret"
    await client.get("/look/a", headers={"traceparent": SENT, HOP_HEADER.decode(): "secret"})
    assert recorded.named("GET /look/{what}").parent == SENT


async def test_a_failed_request_says_so(recorded: Any, client: httpx.AsyncClient) -> None:
    assert (await client.get("/fail")).status_code == 500
    assert recorded.named("GET /fail").error == "internal"
    await client.get("/nothing-here")
    assert recorded.named("GET none").error == ""
