"""What auth knows of somebody changes (a wallet unlinked, an invitation revoked): what they play is decided again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streamgate.contracts import events
from streamgate.testing.wait import eventually
from tests.plugins.streaming.others import CREATOR, HOLDER
from tests.plugins.streaming.theatre import Theatre

SEGMENT = "v360/0.m4s"
LEASE_S = 60.0


@pytest.fixture
async def film(theatre: Theatre) -> Theatre:
    for content_id in ("c_film", "c_second"):
        await theatre.play(content_id)
    return theatre


def changed(*user_ids: str) -> events.PeopleChanged:
    return events.PeopleChanged(subject_id="i_code", revision=1, user_ids=user_ids)


async def test_all_that_they_play_ends_at_once_where_it_is_open_to_them_no_more(film: Theatre) -> None:
    mine = [await film.watch(each, HOLDER) for each in ("c_film", "c_second")]
    theirs = await film.watch("c_film", CREATOR)
    keeper = film.home.plugins["streaming"]._keeper
    keeper.live.leave([live for live in keeper.live if live.session_id == mine[1]["session_id"]])
    film.auth.holders.discard("holder")
    await film.say(events.PEOPLE_CHANGED, changed("holder", "creator", "unheard_of"))
    assert len(await film.hear(events.SESSION_ENDED, 2)) == 2, "also what nobody has in memory"
    for session in mine:
        answer = await film.fetch(session, SEGMENT)
        assert (answer.status_code, answer.json()["reason"]) == (410, "refused")
    assert (await film.fetch(theirs, SEGMENT)).status_code == 200


async def test_who_loses_nothing_by_it_watches_on_and_nobody_else_is_asked_about(film: Theatre) -> None:
    mine = await film.watch("c_film", HOLDER)
    await film.watch("c_film", CREATOR)
    await film.say(events.PEOPLE_CHANGED, changed("holder"))
    assert (await film.fetch(mine, SEGMENT)).status_code == 200
    assert {query.actor.user_id for query in film.auth.asked[2:]} == {"holder"}


async def test_unknown_leaves_the_lease_to_run_out(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.unknown = True
    await film.say(events.PEOPLE_CHANGED, changed("holder"))
    await film.clock.advance(LEASE_S - 0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await film.clock.advance(0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 503


async def test_a_session_opened_meanwhile_is_decided_again(film: Theatre) -> None:
    film.auth.may_answer.clear()

    async def open_one() -> Any:
        async with film.client(HOLDER) as http:
            return await http.post("/api/v1/stream/session", json={"content_id": "c_film"})

    async def is_asked() -> bool | None:
        return bool(film.auth.asked) or None

    opening = asyncio.create_task(open_one())
    await eventually(is_asked, every_s=0.002, what="the question")
    film.auth.holders.discard("holder")
    await film.say(events.PEOPLE_CHANGED, changed("holder"))
    film.auth.may_answer.set()
    answer = await opening
    assert (answer.status_code, answer.json()["code"]) == (410, "stream.session_ended")
