"""A token moves: whose playback rests on it is decided again, by an answer that has seen the block."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.auth import AuthUnavailable
from streamgate.events import Received
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_streaming.transfers import KEPT_S, MAX_PEOPLE, Transfers
from tests.plugins.streaming.others import SteppedClock
from tests.plugins.streaming.theatre import Theatre

CREATOR = Actor(kind="user", user_id="creator", roles=("creator",))
HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
CONTRACT = "eip155:1/0xabc"
SEGMENT = "v360/0.m4s"
LEASE_S = 60.0


def moved(*user_ids: str, revision: int = 1, block: int = 100, contract: str = CONTRACT) -> events.TokenTransferred:
    return events.TokenTransferred(
        subject_id=contract,
        revision=revision,
        chain="eip155:1",
        contract=contract.split("/")[1],
        user_ids=user_ids,
        block_number=block,
    )


@attack("B15")
async def test_who_gives_the_token_away_is_out_at_once_and_nobody_else(film: Theatre) -> None:
    mine, theirs = await film.watch("c_film", HOLDER), await film.watch("c_film", CREATOR)
    film.auth.holders.discard("holder")
    await film.say(events.TOKEN_TRANSFERRED, moved("holder", "creator", "unheard_of"))
    answer = await film.fetch(mine, SEGMENT)
    assert (answer.status_code, answer.json()["reason"]) == (410, "refused")
    assert (await film.fetch(theirs, SEGMENT)).status_code == 200
    assert [each.subject_id for each in await film.hear(events.SESSION_ENDED)] == [mine["session_id"]]
    assert {query.actor.user_id for query in film.auth.asked[2:]} == {"holder", "creator"}
    assert all(query.min_block == {"eip155:1": 100} for query in film.auth.asked[2:])


async def test_a_session_that_nobody_has_in_memory_ends_as_well(film: Theatre) -> None:
    session = await film.watch("c_film")
    keeper = film.home.plugins["streaming"]._keeper
    keeper.live.leave(list(keeper.live))
    film.auth.holders.discard("holder")
    await film.say(events.TOKEN_TRANSFERRED, moved("holder"))
    await film.hear(events.SESSION_ENDED)
    assert (await film.fetch(session, SEGMENT)).status_code == 410


async def test_only_sessions_that_rest_on_the_contract_are_asked_about(film: Theatre) -> None:
    await film.watch("c_film")
    await film.say(events.TOKEN_TRANSFERRED, moved("holder", contract="eip155:1/0xdef"))
    assert len(film.auth.asked) == 1


async def test_unknown_leaves_the_lease_to_run_out(film: Theatre) -> None:
    session = await film.watch("c_film")
    await film.clock.advance(10)
    film.auth.unknown = True
    await film.say(events.TOKEN_TRANSFERRED, moved("holder"))
    assert film.auth.calls == [1, 1]
    await film.clock.advance(LEASE_S - 10 - 0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await film.clock.advance(0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 503


async def test_told_twice_or_late_it_is_asked_once_by_person(film: Theatre) -> None:
    await film.watch("c_film", HOLDER)
    await film.watch("c_film", CREATOR)
    for told in (moved("holder", revision=7), moved("holder", revision=7), moved("holder", "creator", revision=6)):
        await film.say(events.TOKEN_TRANSFERRED, told)
    assert [query.actor.user_id for query in film.auth.asked[2:]] == ["holder", "creator"]


async def test_what_auth_could_not_be_asked_is_told_again(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.holders.discard("holder")
    hearing = film.home.plugins["streaming"]._hearing
    event: Any = received(moved("holder"))
    film.auth.fault = AuthUnavailable("gone")
    with pytest.raises(AuthUnavailable):
        await hearing.on_token_transferred(event)
    film.auth.fault = None
    await hearing.on_token_transferred(event)
    assert (await film.fetch(session, SEGMENT)).status_code == 410


def received(body: events.TokenTransferred) -> Any:
    return Received(event_id="e", body=body, actor=Actor(), request_id="r", name="token.transferred")


async def test_many_sessions_of_one_person_go_by_pages(film: Theatre) -> None:
    opening = film.home.plugins["streaming"]._opening
    opening._config = attrs.evolve(opening._config, max_sessions=205)
    sessions = await asyncio.gather(*(film.watch("c_film", HOLDER, f"tv{n}") for n in range(205)))
    film.auth.holders.discard("holder")
    await film.say(events.TOKEN_TRANSFERRED, moved("holder"))
    assert film.auth.calls[-2:] == [200, 5]
    assert {(await film.fetch(each, "v360/init.mp4")).status_code for each in sessions[::20]} == {410}


async def test_an_answer_that_was_under_way_while_the_token_moved_opens_nothing(film: Theatre) -> None:
    session = await film.watch("c_film")
    await film.clock.advance(LEASE_S)
    film.auth.may_answer.clear()
    asked = asyncio.create_task(film.fetch(session, SEGMENT))  # its answer was made before the transfer: it holds
    await eventually(lambda: _so(len(film.auth.asked) == 2), every_s=0.002, what="the question")
    film.auth.holders.discard("holder")
    hearing = film.home.plugins["streaming"]._hearing
    await hearing.on_transfer_everywhere(received(moved("holder", block=7)))
    film.auth.may_answer.set()
    assert (await asked).status_code == 410
    assert film.auth.asked[-1].min_block == {"eip155:1": 7}


@attack("B24")
async def test_a_session_opened_while_the_token_moves_is_decided_again(film: Theatre) -> None:
    film.auth.may_answer.clear()

    async def open_one() -> Any:
        async with film.client(HOLDER) as http:
            return await http.post("/api/v1/stream/session", json={"content_id": "c_film"})

    opening = asyncio.create_task(open_one())
    await eventually(lambda: _so(bool(film.auth.asked)), every_s=0.002, what="the question")
    film.auth.holders.discard("holder")
    await film.home.events.publish(events.TOKEN_TRANSFERRED, moved("holder"), event_id="e1")
    film.auth.may_answer.set()
    answer = await opening
    assert (answer.status_code, answer.json()["code"]) == (410, "stream.session_ended")


async def _so(fact: bool) -> bool | None:
    return True if fact else None


async def test_after_a_lost_connection_everything_is_decided_again(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.holders.discard("holder")
    await film.home.plugins["streaming"]._hearing.resync()
    await film.fetch(session, SEGMENT)  # the question goes out with this
    await film.hear(events.SESSION_ENDED)


def test_what_has_moved_is_remembered_as_long_as_it_matters(clock: SteppedClock) -> None:
    transfers = Transfers(clock, max_age_s=30.0)
    transfers.note(moved("holder", block=9))
    transfers.note(moved("holder", block=7))
    assert transfers.question("c", HOLDER).min_block == {"eip155:1": 9}
    assert transfers.question("c", CREATOR).min_block == {}
    clock.jump(KEPT_S + 1)
    assert transfers.question("c", HOLDER).min_block == {}


async def test_what_auth_keeps_is_never_older_than_half_a_lease(film: Theatre) -> None:
    """Otherwise a short lease would be over with the very answer that should extend it."""
    await film.watch("c_film")
    assert {query.max_age_s for query in film.auth.asked} == {LEASE_S / 2}


def test_no_more_people_are_remembered_than_there_is_room_for(clock: SteppedClock) -> None:
    transfers = Transfers(clock, max_age_s=30.0)
    told = moved(*(f"p{n}" for n in range(MAX_PEOPLE + 5)))
    transfers.note(told)
    transfers.note_decided(told, told.user_ids)
    assert len(transfers._moved) == len(transfers._decided) == MAX_PEOPLE
