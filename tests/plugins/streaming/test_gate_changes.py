"""A gate that changes: nothing that was let in by its older rule outlives it, whichever answer is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.events import Received
from streamgate.testing.wait import eventually
from tests.plugins.streaming.others import HOLDER
from tests.plugins.streaming.theatre import Theatre

LEASE_S = 60.0
SEGMENT = "v360/0.m4s"


async def ask(theatre: Theatre, **more: Any) -> httpx.Response:
    async with theatre.client(HOLDER) as http:
        return await http.post("/api/v1/stream/session", json={"content_id": "c_film", **more})


async def asked_times(theatre: Theatre, count: int) -> None:
    """Waits until auth was asked so often."""

    async def enough() -> bool | None:
        return True if len(theatre.auth.calls) >= count else None

    await eventually(enough, every_s=0.002, what=f"{count} questions to auth")


def changed(revision: int) -> events.GateChanged:
    return events.GateChanged(subject_id="c_film", revision=revision, has_gate=True)


def received(body: events.GateChanged) -> Received[events.GateChanged]:
    return Received(event_id="e", body=body, actor=Actor(), request_id="r", name="gate.changed")


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_a_changed_gate_nobody_can_decide_ends_what_the_one_before_had_given(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER, "tv")
    film.auth.unknown = True
    await film.clock.advance(10)
    await film.say(events.GATE_CHANGED, changed(2))
    assert film.auth.asked[-1].min_revision == 2
    assert code(await film.fetch(session, SEGMENT)) == (503, "gate.unknown")
    assert code(await ask(film, client_id="tv")) == (503, "gate.unknown")
    film.auth.unknown = False
    assert (await ask(film, client_id="tv")).json()["hls_url"] == session["hls_url"]
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    film.auth.unknown = True  # which under the same rule leaves the lease to run out
    await film.clock.advance(LEASE_S - 0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await film.clock.advance(0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 503


async def test_in_every_replica_what_an_older_rule_let_in_is_decided_with_the_next_request(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.unknown = True
    hearing = film.home.plugins["streaming"]._hearing
    await hearing.on_gate_changed_everywhere(received(changed(2)))

    async def is_shut() -> bool | None:
        return True if (await film.fetch(session, SEGMENT)).status_code == 503 else None

    await eventually(is_shut, every_s=0.005, what="the new rule")
    assert film.auth.asked[-1].min_revision == 2


@pytest.mark.parametrize("outcome", ["does_not_hold", "unknown"])
async def test_a_session_opened_while_the_gate_changes_is_decided_by_the_new_one(film: Theatre, outcome: str) -> None:
    film.auth.may_answer.clear()
    opening = asyncio.create_task(ask(film))
    await asked_times(film, 1)
    film.auth.holders.clear()
    film.auth.unknown = outcome == "unknown"
    await film.home.events.publish(events.GATE_CHANGED, changed(2), event_id="e1")
    film.auth.may_answer.set()
    wanted = (503, "gate.unknown") if outcome == "unknown" else (410, "stream.session_ended")
    assert code(await opening) == wanted
    assert film.auth.asked[-1].min_revision == 2


async def test_an_answer_by_an_older_rule_changes_nothing(film: Theatre) -> None:
    session = await film.watch("c_film")
    await film.clock.advance(LEASE_S)
    film.auth.may_answer.clear()
    asked = asyncio.create_task(film.fetch(session, SEGMENT))  # its answer was made before the change: it holds
    await asked_times(film, 2)
    film.auth.holders.clear()
    hearing = film.home.plugins["streaming"]._hearing
    await hearing.on_gate_changed_everywhere(received(changed(2)))
    film.auth.may_answer.set()
    assert (await asked).status_code == 410
