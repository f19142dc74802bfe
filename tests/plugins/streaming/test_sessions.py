"""The life of a playback session: opened, kept, decided again, ended. Time is a clock moved by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.context import ANONYMOUS
from streamgate.contracts import events
from streamgate.contracts.auth import AuthUnavailable
from streamgate.sdk.clock import rfc3339
from streamgate.testing.attacks import attack
from streamgate_streaming.tables import LeafRow
from tests.plugins.streaming.theatre import Theatre
from tests.plugins.streaming.viewers import (
    CREATOR,
    HOLDER,
    LEASE_S,
    MODERATOR,
    NOBODY,
    SEGMENT,
    STRANGER,
    ask,
    changed,
    close,
    code,
    renew,
    row,
)

# --- opening ----------------------------------------------------------------------------------------


async def test_a_holder_gets_a_session(film: Theatre) -> None:
    answer = await ask(film, HOLDER)
    assert answer.status_code == 201
    session = answer.json()
    folder = session["hls_url"].removesuffix("master.m3u8")
    assert folder.startswith("/api/v1/stream/s/")
    assert session == {
        "session_id": session["session_id"],
        "hls_url": f"{folder}master.m3u8",
        "dash_url": f"{folder}manifest.mpd",
        "poster_url": None,
        "storyboard_url": None,
        "chapters_url": None,
        "captions": [],
        "expires_at": rfc3339(round((film.clock.now_s() + LEASE_S) * 1000)),
        "renew_after_s": LEASE_S / 2,
        "decided_until": session["expires_at"],
        "grace": None,
        "preview_s": None,
        "max_height_px": None,
    }
    assert session["session_id"] not in folder


async def test_the_same_person_client_and_content_get_the_same_addresses(film: Theatre) -> None:
    first = await film.watch("c_film", HOLDER, "tv")
    await film.clock.advance(20)
    again, other = await film.watch("c_film", HOLDER, "tv"), await film.watch("c_film", HOLDER, "phone")
    assert (again["session_id"], again["hls_url"]) == (first["session_id"], first["hls_url"])
    assert other["hls_url"] != first["hls_url"]
    assert (await film.watch("c_film", CREATOR, "tv"))["hls_url"] != first["hls_url"]


async def test_two_requests_at_once_get_one_session(film: Theatre) -> None:
    answers = await asyncio.gather(*(film.watch("c_film", HOLDER, "tv") for _ in range(5)))
    assert len({answer["session_id"] for answer in answers}) == 1


async def test_a_stranger_is_refused_with_the_reason(film: Theatre) -> None:
    answer = await ask(film, STRANGER)
    assert code(answer) == (403, "gate.refused")
    assert answer.json()["explanation"] | {"needed": "1", "held": "0"} == answer.json()["explanation"]


async def test_nobody_is_asked_to_sign_in_for_what_is_not_public(film: Theatre) -> None:
    film.auth.holders.add("")  # even where the rule would hold for somebody without a wallet
    assert code(await ask(film, NOBODY)) == (401, "auth.required")


async def test_what_may_not_be_known_of_is_not_found(film: Theatre) -> None:
    film.metadata.private.add("c_film")
    assert code(await ask(film, STRANGER)) == code(await ask(film, STRANGER, "c_none")) == (404, "content.not_found")
    assert film.auth.calls == []


async def test_public_content_needs_no_sign_in(film: Theatre) -> None:
    film.auth.public.add("c_film")
    session = await film.watch("c_film", NOBODY)
    assert (await film.fetch(session, SEGMENT)).status_code == 200


async def test_without_sign_in_only_an_unguessable_client_finds_its_session_again(film: Theatre) -> None:
    film.auth.public.add("c_film")
    random = "f3b1c2d4e5a69788"
    first = await film.watch("c_film", NOBODY, random)
    assert (await film.watch("c_film", NOBODY, random))["session_id"] == first["session_id"]
    for guessable in ("", "tv", random[:-1]):
        one, two = await film.watch("c_film", NOBODY, guessable), await film.watch("c_film", NOBODY, guessable)
        assert one["session_id"] != two["session_id"]


async def test_an_unreadable_chain_is_503_and_never_a_no(film: Theatre) -> None:
    film.auth.unknown, film.auth.grace_until_s = True, film.clock.now_s() + 600  # a grace is for running sessions
    answer = await ask(film, HOLDER)
    assert code(answer) == (503, "gate.unknown")
    assert "retry-after" in answer.headers


async def test_a_reading_older_than_the_lease_opens_nothing(film: Theatre) -> None:
    film.auth.read_age_s = LEASE_S
    assert code(await ask(film, HOLDER)) == (503, "gate.unknown")
    film.auth.read_age_s = LEASE_S - 1
    assert (await ask(film, HOLDER)).status_code == 201


async def test_not_playable_until_the_base_and_its_sound_are_whole(theatre: Theatre) -> None:
    parts = await theatre.planned(await theatre.upload("c_film"))
    for job in parts:
        assert code(await ask(theatre, HOLDER)) == (409, "stream.not_playable")
        assert code(await ask(theatre, STRANGER)) == (403, "gate.refused")  # who may not watch learns nothing
        await theatre.done(job, await theatre.make(job))
    assert (await ask(theatre, HOLDER)).status_code == 201


@attack("B11")
async def test_too_many_at_once_but_an_idle_one_makes_room(film: Theatre) -> None:
    first = await film.watch("c_film", HOLDER, "tv")
    await film.watch("c_film", HOLDER, "phone")
    assert code(await ask(film, HOLDER, client_id="tablet")) == (409, "stream.too_many")
    assert (await ask(film, CREATOR)).status_code == 201  # somebody else's do not count
    await film.clock.advance(121)
    await film.watch("c_film", HOLDER, "phone")
    await film.watch("c_film", HOLDER, "tablet")
    [ended] = await film.hear(events.SESSION_ENDED)
    assert (ended.subject_id, ended.reason) == (first["session_id"], "replaced")


async def test_a_malformed_request_is_422(theatre: Theatre) -> None:
    long, spaced = {"content_id": "c" * 41}, {"content_id": "c", "client_id": "a b"}
    for body in ({}, {"content_id": "../c"}, long, spaced, {"contentId": "c"}):
        async with theatre.client(HOLDER) as http:
            assert (await http.post("/api/v1/stream/session", json=body)).status_code == 422


# --- renewing and closing ---------------------------------------------------------------------------


async def test_where_a_content_is_named_the_session_is_of_that_content(film: Theatre) -> None:
    path = f"/api/v1/stream/session/{(await ask(film, HOLDER)).json()['session_id']}"
    async with film.client(HOLDER) as http:
        for method, rest in (("POST", "/renew"), ("DELETE", "")):
            other = await http.request(method, f"{path}{rest}?content_id=c_other")
            assert code(other) == (404, "stream.session_unknown")
            assert (await http.request(method, f"{path}{rest}?content_id=c_film")).status_code in (200, 204)


async def test_a_key_that_may_only_read_watches_by_every_road_and_ends_nothing(film: Theatre) -> None:
    reader = attrs.evolve(HOLDER, credential="k_1", scopes=("read",))
    session = await film.watch("c_film", reader)
    assert (await renew(film, session["session_id"], reader)).status_code == 200
    async with film.client(reader) as http:
        assert (await http.get("/api/v1/stream/hls", params={"content_id": "c_film"})).status_code == 200
    assert code(await close(film, session["session_id"], reader)) == (403, "auth.forbidden")
    assert (await film.fetch(session, SEGMENT)).status_code == 200


async def test_renewing_extends_once_half_the_lease_is_over(film: Theatre) -> None:
    session = await film.watch("c_film")
    await film.clock.advance(10)
    early = await renew(film, session["session_id"])
    assert (early.status_code, early.json()["expires_at"]) == (200, session["expires_at"])
    await film.clock.advance(25)
    late = (await renew(film, session["session_id"])).json()
    assert late["expires_at"] == rfc3339(round((film.clock.now_s() + LEASE_S) * 1000))
    assert late["renew_after_s"] == LEASE_S / 2


async def test_a_renewal_without_an_answer_is_good_while_the_lease_is(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.fault = AuthUnavailable("gone")
    await film.clock.advance(LEASE_S - 1)
    assert (await renew(film, session["session_id"])).status_code == 200
    await film.clock.advance(1)
    assert code(await renew(film, session["session_id"])) == (503, "gate.unknown")


async def test_closing_ends_it_at_once_and_again_is_harmless(film: Theatre) -> None:
    session = await film.watch("c_film")
    assert (await close(film, session["session_id"])).status_code == 204
    assert code(await film.fetch(session, SEGMENT)) == (410, "stream.session_ended")
    assert (await close(film, session["session_id"])).status_code == 204
    assert [ended.reason for ended in await film.hear(events.SESSION_ENDED)] == ["closed"]


async def test_an_end_is_told_once_and_keeps_its_first_reason(film: Theatre) -> None:
    session = await film.watch("c_film")
    await close(film, session["session_id"])
    gone = events.ContentDeleted(subject_id="c_film", revision=9, owner="creator")
    await film.say(events.CONTENT_DELETED, gone)
    stored = await row(film, session["session_id"])
    assert (stored.state, stored.reason) == ("ended", "closed")
    await film.play("c_other")  # whatever was told of the end is heard by now
    assert [ended.reason for ended in film.told(events.SESSION_ENDED)] == ["closed"]


@pytest.mark.parametrize("act", [renew, close])
async def test_a_session_is_its_subjects_and_the_owners(film: Theatre, act: Any) -> None:
    session = await film.watch("c_film")
    for actor in (STRANGER, NOBODY):
        assert code(await act(film, session["session_id"], actor)) == (404, "stream.session_unknown")
    for actor in (CREATOR, MODERATOR, HOLDER):
        assert (await act(film, session["session_id"], actor)).status_code in (200, 204)
    assert code(await act(film, "s_" + "0" * 22)) == (404, "stream.session_unknown")


# --- what others change -----------------------------------------------------------------------------


async def test_a_changed_gate_is_applied_to_running_sessions_at_once(film: Theatre) -> None:
    mine, theirs = await film.watch("c_film", HOLDER), await film.watch("c_film", CREATOR)
    film.auth.holders.discard("holder")
    film.auth.revision = 2
    await film.say(events.GATE_CHANGED, changed(2))
    assert code(await film.fetch(mine, SEGMENT)) == (410, "stream.session_ended")
    assert (await film.fetch(theirs, SEGMENT)).status_code == 200
    assert (await row(film, theirs["session_id"])).gate_revision == 2


async def test_a_changed_gate_reaches_every_page_of_sessions(film: Theatre) -> None:
    film.auth.public.add("c_film")
    sessions = await asyncio.gather(*(film.watch("c_film", NOBODY) for _ in range(205)))
    film.auth.public.clear()
    await film.say(events.GATE_CHANGED, changed(2))
    assert film.auth.calls[-2:] == [200, 5]
    answers = await asyncio.gather(*(film.fetch(session, "v360/init.mp4") for session in sessions))
    assert {answer.status_code for answer in answers} == {410}


async def test_sessions_are_found_by_the_contracts_they_rest_on(film: Theatre) -> None:
    session = await film.watch("c_film")

    def leaves(database: Session) -> list[tuple[str, str]]:
        return [(leaf.leaf_key, leaf.session_id) for leaf in database.scalars(select(LeafRow))]

    assert await film.db.read(leaves) == [("eip155:1/0xabc", session["session_id"])]
    await close(film, session["session_id"])
    assert await film.db.read(leaves) == []


@pytest.mark.parametrize("is_told", [True, False])
async def test_what_is_public_no_more_ends_for_those_not_signed_in_even_where_the_rule_holds(
    film: Theatre, is_told: bool
) -> None:
    film.auth.public.add("c_film")
    session = await film.watch("c_film", NOBODY)
    film.auth.public.clear()
    film.auth.holders.add("")  # a rule of `not` holds for somebody without a wallet
    if is_told:
        await film.say(events.GATE_CHANGED, changed(2))
        await film.hear(events.SESSION_ENDED)  # before anybody asks, in every replica
    else:
        await film.clock.advance(LEASE_S)
    assert code(await film.fetch(session, SEGMENT)) == (410, "stream.session_ended")


# --- nobody known -------------------------------------------------------------------------------------


async def test_sessions_without_sign_in_are_bounded_and_idle_ones_give_way(film: Theatre) -> None:
    film.auth.public.add("c_film")
    opening = film.home.plugins["streaming"]._opening
    opening._config = attrs.evolve(opening._config, max_anonymous_sessions=3)
    first = await film.watch("c_film", ANONYMOUS)
    for _ in range(2):
        await film.watch("c_film", ANONYMOUS)
    async with film.client() as http:
        full = await http.post("/api/v1/stream/session", json={"content_id": "c_film"})
    assert code(full) == (409, "stream.too_many")
    await film.watch("c_film")  # who signs in has a bound of their own
    film.clock.jump(121)
    await film.watch("c_film", ANONYMOUS)
    [ended] = await film.hear(events.SESSION_ENDED)
    assert (ended.subject_id, ended.reason) == (first["session_id"], "replaced")
