"""Every request that changes something is told to whoever keeps the audit trail, and none waits for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest

from streamgate.bus.base import BusUnavailable
from streamgate.bus.memory import MemoryBus
from streamgate.context import Actor
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.errors import Conflict
from streamgate.events import Events, EventsUnit, Received, on_group
from streamgate.sdk.audit_requests import AGAIN_S, MAX_TALLIES, WINDOW_S, RequestAudit
from streamgate.settings import ServerSettings
from streamgate.telemetry.requests import Access
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import bus_unit, running
from streamgate.testing.wait import eventually
from streamgate.web.access import AccessLog
from streamgate.web.app import build_app
from streamgate.web.routes import PUBLIC, SIGNED_IN, Call, Route

ALICE = Actor(kind="user", user_id="u_alice", roles=("creator",), address="0xA11CE")


class Taken(Conflict):
    code, title = "toy.audit_taken", "Taken"


@attrs.define
class Trail:
    """Stands in for monitor. `faults` are raised one a delivery."""

    entries: list[AuditEntry] = attrs.field(factory=list)
    actors: list[Actor] = attrs.field(factory=list)

    async def hear(self, received: Received[AuditEntry]) -> None:
        self.entries.append(received.body)
        self.actors.append(received.actor)

    async def has(self, count: int) -> None:
        async def all_there() -> bool | None:
            return len(self.entries) >= count or None

        await eventually(all_there, what=f"{count} entries")


class AlwaysAlice:
    async def authenticate(self, headers: Any) -> Actor:
        return ALICE


async def done(call: Call[None, None]) -> None:
    return None


async def refused(call: Call[None, None]) -> None:
    raise Taken("it is")


async def failed(call: Call[None, None]) -> None:
    raise KeyError("it broke")


ROUTES = [
    Route("POST", "/things/{thing_id}", done, policy=SIGNED_IN, summary="P"),
    Route("GET", "/things/{thing_id}", done, policy=SIGNED_IN, summary="G"),
    Route("DELETE", "/refused", refused, policy=SIGNED_IN, summary="D"),
    Route("PUT", "/failed", failed, policy=SIGNED_IN, summary="F"),
    Route("POST", "/api/v1/stream/s/{token}", done, policy=PUBLIC, summary="T"),
    Route("POST", "/often", done, policy=PUBLIC, summary="O", audited="none"),
    Route("POST", "/tells", done, policy=PUBLIC, summary="D", audited="refused"),
    Route("PATCH", "/tells", refused, policy=PUBLIC, summary="R", audited="refused"),
]


@asynccontextmanager
async def asked(trail: Trail, unit: RequestAudit, bus: MemoryBus) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        routes=ROUTES,
        authenticator=AlwaysAlice(),
        settings=ServerSettings(),
        service="toy",
        mode="all",
        readiness=lambda: None,  # type: ignore[arg-type, return-value]
        began_s=0.0,
        access_log=AccessLog(lambda batch: None, [unit.on_request]),
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 1))
    hears = EventsUnit(bus, [on_group(AUDITED, trail.hear, group="monitor")], needs=("bus",))
    async with running(bus_unit(bus), hears, unit), httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        yield http


async def test_an_entry_says_who_did_what_on_what_and_how_it_ended() -> None:
    trail, bus = Trail(), MemoryBus()
    async with asked(trail, RequestAudit(Events(bus, source="toy")), bus) as http:
        await http.post("/things/t_1?token=secret", headers={"x-request-id": "abc-12345"})
        await http.delete("/refused")
        await http.put("/failed")
        await trail.has(3)
    by_path = {entry.subject_id: entry for entry in trail.entries}
    first = by_path["/things/t_1"]
    assert (first.act, first.outcome, first.code) == ("http", "done", "")
    assert (first.who, first.who_kind, first.address) == ("u_alice", "user", "0xA11CE")
    assert (first.client, first.request_id) == ("192.0.2.7", "abc-12345")
    assert first.detail == {"method": "POST", "route": "/things/{thing_id}", "status": "204"}
    assert (by_path["/refused"].outcome, by_path["/refused"].code) == ("refused", "toy.audit_taken")
    assert (by_path["/failed"].outcome, by_path["/failed"].code) == ("failed", "internal")
    assert trail.actors[0] == ALICE


async def test_what_changes_nothing_or_reached_no_route_is_not_told() -> None:
    trail, bus = Trail(), MemoryBus()
    async with asked(trail, RequestAudit(Events(bus, source="toy")), bus) as http:
        await http.get("/things/t_1")
        await http.post("/nothing-here")
        await http.post("/often")
        await http.post("/tells")
        await http.post("/api/v1/stream/s/c2VjcmV0")
        await trail.has(1)
    (entry,) = trail.entries  # the stop has drained the rest
    assert entry.subject_id == "/api/v1/stream/s/…"


async def test_what_tells_of_itself_is_told_where_it_is_refused() -> None:
    trail, bus = Trail(), MemoryBus()
    async with asked(trail, RequestAudit(Events(bus, source="toy")), bus) as http:
        await http.post("/tells")
        await http.patch("/tells")
        await trail.has(1)
    (entry,) = trail.entries
    assert (entry.detail["method"], entry.outcome, entry.code) == ("PATCH", "refused", "toy.audit_taken")


NOBODY = Actor()


def refused_to_nobody(number: int, client: str = "192.0.2.7", code: str = "auth.required", path: str = "") -> Access:
    path = path or f"/things/{number}"
    told = ("POST", path, 401, 1.0, 0, f"request-{number}", "", client, "", code)
    return Access(1_700_000_000.0 + number, *told, ROUTES[0], NOBODY)


async def test_what_nobody_is_refused_is_one_row_a_minute_with_its_count() -> None:
    trail, bus, clock = Trail(), MemoryBus(), FakeClock()
    unit = RequestAudit(Events(bus, source="toy"), clock=clock)
    async with asked(trail, unit, bus):
        for number in range(1000):
            unit.on_request(refused_to_nobody(number))
        unit.on_request(refused_to_nobody(1000, client="192.0.2.8"))
        unit.on_request(refused_to_nobody(1001, code="auth.token_invalid", path="/things/one"))
        unit.on_request(refused_to_nobody(1002, code="auth.token_invalid", path="/things/one"))
        unit.on_request(finished(1003))  # who is known is told at once, and each time
        await trail.has(1)
        assert [entry.request_id for entry in trail.entries] == ["request-1003"]
        await eventually(sleeps(clock), what="the window to be open")
        await clock.advance(WINDOW_S)
        await trail.has(4)
        unit.on_request(refused_to_nobody(1004))
        await eventually(sleeps(clock), what="another window to be open")
        await clock.advance(WINDOW_S)
        await trail.has(5)
    many, once, same, later = trail.entries[1:]
    assert many.detail["count"] == "1000"
    assert many.detail["since"].startswith("2023-11-14T22:13:20")
    assert (many.subject_id, many.client, many.code, many.outcome) == (
        "/things/{thing_id}",
        "192.0.2.7",
        "auth.required",
        "refused",
    )
    assert (many.request_id, many.at_ms) == ("request-0", (1_700_000_000 + 999) * 1000)
    assert (once.subject_id, once.client, "count" in once.detail) == ("/things/1000", "192.0.2.8", False)
    assert (same.subject_id, same.code, same.detail["count"]) == ("/things/one", "auth.token_invalid", "2")
    assert (later.subject_id, later.request_id) == ("/things/1004", "request-1004")


async def test_many_addresses_write_no_more_than_so_many_rows() -> None:
    trail, bus = Trail(), MemoryBus()
    unit = RequestAudit(Events(bus, source="toy"))
    async with asked(trail, unit, bus):
        for number in range(MAX_TALLIES + 300):
            unit.on_request(refused_to_nobody(number, client=f"10.0.{number // 250}.{number % 250}"))
        for number in range(50):  # of one customer
            unit.on_request(refused_to_nobody(number, client=f"2001:db8::{number:x}"))
    assert len(trail.entries) == MAX_TALLIES + 1  # told at the stop
    (rest,) = [entry for entry in trail.entries if not entry.client]
    assert (rest.detail["count"], rest.code, rest.subject_id) == ("350", "", "/things/{thing_id}")
    assert "status" not in rest.detail


async def test_addresses_of_one_ipv6_customer_are_one() -> None:
    trail, bus = Trail(), MemoryBus()
    unit = RequestAudit(Events(bus, source="toy"))
    async with asked(trail, unit, bus):
        for number in range(50):
            unit.on_request(refused_to_nobody(number, client=f"2001:db8::{number:x}"))
    assert [(entry.client, entry.detail["count"]) for entry in trail.entries] == [("2001:db8::/64", "50")]


def finished(number: int) -> Access:
    told = ("POST", f"/things/{number}", 204, 1.0, 0, f"request-{number}", "u_alice", "192.0.2.7", "", "")
    return Access(1_700_000_000.0, *told, ROUTES[0], ALICE)


class Away(Events):
    """A bus that cannot be reached until it is `back`."""

    is_back = False

    async def publish(self, event_type: Any, body: Any, *, event_id: str) -> None:
        if not self.is_back:
            raise BusUnavailable("away")
        await super().publish(event_type, body, event_id=event_id)


async def test_entries_wait_for_a_bus_that_is_away_and_keep_their_order() -> None:
    trail, bus, clock = Trail(), MemoryBus(), FakeClock()
    events = Away(bus, source="toy")
    unit = RequestAudit(events, clock=clock)
    async with asked(trail, unit, bus):
        for number in range(100):
            unit.on_request(finished(number))
        await eventually(sleeps(clock), what="the first try to fail")
        assert trail.entries == []
        events.is_back = True
        await clock.advance(AGAIN_S)
        await trail.has(100)
    assert sorted(entry.request_id for entry in trail.entries) == sorted(f"request-{n}" for n in range(100))
    assert trail.entries[0].request_id == "request-0"


async def test_an_entry_that_cannot_be_told_does_not_hold_up_the_others() -> None:
    trail, bus = Trail(), MemoryBus()
    unit = RequestAudit(Events(bus, source="toy"))
    async with asked(trail, unit, bus):
        unit.on_request(finished(0)._replace(code="\ud800"))  # no UTF-8
        await eventually(told_all(unit), what="it to be tried")
        unit.on_request(finished(1))
        await trail.has(1)
    assert [entry.request_id for entry in trail.entries] == ["request-1"]


def sleeps(clock: FakeClock) -> Callable[[], Awaitable[bool | None]]:
    async def look() -> bool | None:
        return clock.sleepers > 0 or None

    return look


def told_all(unit: RequestAudit) -> Callable[[], Awaitable[bool | None]]:
    async def look() -> bool | None:
        return not unit._waiting or None

    return look


async def test_what_finds_no_room_is_counted_and_what_waits_is_told_at_the_stop() -> None:
    trail, bus = Trail(), MemoryBus()
    unit = RequestAudit(Events(bus, source="toy"), max_waiting=50)
    async with asked(trail, unit, bus):
        for number in range(60):
            unit.on_request(finished(number))  # nothing can be told between two of them
    assert len(trail.entries) == 50


@pytest.mark.parametrize(("status", "outcome"), [(204, "done"), (302, "done"), (404, "refused"), (503, "failed")])
def test_the_outcome_follows_from_the_status(status: int, outcome: str) -> None:
    from streamgate.sdk.audit_requests import entry_of

    assert entry_of(finished(1)._replace(status=status)).outcome == outcome
