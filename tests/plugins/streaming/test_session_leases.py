"""How long a session is served: by its lease, and by time alone. Time is a clock moved by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.auth import AuthUnavailable
from streamgate.contracts.metadata import ContentNotFound
from streamgate.sdk.clock import rfc3339
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from tests.plugins.streaming.theatre import Theatre
from tests.plugins.streaming.viewers import (
    CREATOR,
    HOLDER,
    LEASE_S,
    NOBODY,
    SEGMENT,
    asked_times,
    code,
    renew,
    row,
)

# --- the lease --------------------------------------------------------------------------------------


async def test_the_first_half_of_a_lease_costs_no_question(film: Theatre) -> None:
    session = await film.watch("c_film")
    await film.clock.advance(LEASE_S / 2 - 0.001)
    for _ in range(20):
        assert (await film.fetch(session, SEGMENT)).status_code == 200
    assert len(film.auth.calls) == 1


async def test_traffic_in_the_second_half_asks_once_in_the_background(film: Theatre) -> None:
    session = await film.watch("c_film")
    await film.clock.advance(LEASE_S / 2)
    film.auth.may_answer.clear()  # auth is slow: nobody waits for it
    answers = await asyncio.gather(*(film.fetch(session, SEGMENT) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    await asked_times(film, 2)
    film.auth.may_answer.set()
    await film.clock.advance(LEASE_S / 2 + 20)  # past the first lease, inside the second
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    assert film.auth.calls[:2] == [1, 1]


@attack("B22", "B24")
async def test_bytes_stop_on_the_tick_when_the_chain_cannot_be_read(film: Theatre) -> None:
    film.auth.read_age_s = 7.0
    session = await film.watch("c_film")
    film.auth.unknown = True
    await film.clock.advance(LEASE_S - 7 - 0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await asked_times(film, 2)
    await film.clock.advance(0.001)
    for path in ("master.m3u8", "manifest.mpd", "v360/playlist.m3u8", "v360/init.mp4", SEGMENT):
        assert code(await film.fetch(session, path)) == (503, "gate.unknown")
    film.auth.unknown = False
    await film.clock.advance(3)  # the pause between questions
    assert (await film.fetch(session, SEGMENT)).status_code == 200


async def test_bytes_stop_on_the_tick_when_auth_is_silent(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.fault = AuthUnavailable("gone")
    await film.clock.advance(LEASE_S - 0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await film.clock.advance(0.001)
    assert code(await film.fetch(session, SEGMENT)) == (503, "gate.unknown")


async def test_bytes_stop_on_the_tick_when_auth_never_answers(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.may_answer.clear()
    await film.clock.advance(LEASE_S)
    answer = await film.fetch(session, SEGMENT)
    assert code(answer) == (503, "gate.unknown")
    film.auth.may_answer.set()


async def test_a_grace_is_served_to_its_end_and_not_beyond(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.unknown, film.auth.grace_until_s = True, film.clock.now_s() + 300
    await film.clock.advance(LEASE_S + 100)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await film.clock.advance(139.999)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await film.clock.advance(0.001)
    assert code(await film.fetch(session, SEGMENT)) == (503, "gate.unknown")


async def test_a_wall_clock_that_is_set_back_opens_nothing_longer(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.clock.step(-3_600)
    await film.clock.advance(LEASE_S / 2)
    film.auth.unknown = True
    asked = len(film.auth.calls)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await asked_times(film, asked + 1)
    await film.clock.advance(LEASE_S / 2 - 0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    await film.clock.advance(0.001)
    assert code(await film.fetch(session, SEGMENT)) == (503, "gate.unknown")


async def test_a_wall_clock_that_is_set_ahead_ends_nothing_early(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.unknown = True
    film.clock.step(3_600)
    film.clock.jump(LEASE_S - 0.001)
    assert (await film.fetch(session, SEGMENT)).status_code == 200


@attack("B15")
async def test_whoever_loses_the_token_is_out_within_the_lease(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.holders.clear()
    await film.clock.advance(LEASE_S)
    for path in (SEGMENT, "master.m3u8", "manifest.mpd", "v360/init.mp4"):
        answer = await film.fetch(session, path)
        assert code(answer) == (410, "stream.session_ended")
        assert answer.json()["reason"] == "refused"
    [ended] = await film.hear(events.SESSION_ENDED)
    assert (ended.subject_id, ended.content_id, ended.reason) == (session["session_id"], "c_film", "refused")
    stored = await row(film, session["session_id"])
    assert (stored.state, stored.reason) == ("ended", "refused")
    assert code(await renew(film, session["session_id"])) == (410, "stream.session_ended")


async def test_a_background_refusal_ends_a_session_before_its_lease(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.holders.clear()
    await film.clock.advance(LEASE_S / 2)
    assert (await film.fetch(session, SEGMENT)).status_code == 200  # the question goes out with this
    await film.hear(events.SESSION_ENDED)
    assert code(await film.fetch(session, SEGMENT)) == (410, "stream.session_ended")


async def test_a_refusal_is_told_before_it_is_written_down(film: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await film.watch("c_film")
    film.auth.holders.clear()
    await film.clock.advance(LEASE_S)
    write, may_write = film.db.write, asyncio.Event()

    async def slow(change: Any) -> Any:
        await may_write.wait()
        return await write(change)

    monkeypatch.setattr(film.db, "write", slow)
    assert code(await film.fetch(session, SEGMENT)) == (410, "stream.session_ended")
    may_write.set()
    await film.hear(events.SESSION_ENDED)


async def test_an_ended_session_never_comes_back(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.holders.discard("holder")
    await film.clock.advance(LEASE_S)
    assert (await film.fetch(session, SEGMENT)).status_code == 410
    film.auth.holders.add("holder")
    await film.clock.advance(LEASE_S)
    assert (await film.fetch(session, SEGMENT)).status_code == 410
    assert (await film.watch("c_film"))["session_id"] != session["session_id"]


async def test_many_sessions_are_decided_in_few_calls(film: Theatre) -> None:
    film.auth.public.add("c_film")
    sessions = await asyncio.gather(*(film.watch("c_film", NOBODY) for _ in range(230)))
    before = len(film.auth.calls)
    await film.clock.advance(LEASE_S / 2)
    await asyncio.gather(*(film.fetch(session, "v360/init.mp4") for session in sessions))

    async def all_asked() -> bool | None:
        return True if sum(film.auth.calls[before:]) == 230 else None

    await eventually(all_asked, every_s=0.002, what="230 questions")
    assert max(film.auth.calls[before:]) <= 200
    assert len(film.auth.calls[before:]) < 60


async def test_one_question_that_cannot_be_answered_does_not_silence_the_others(film: Theatre) -> None:
    await film.play("c_gone")
    good, bad = await film.watch("c_film", HOLDER), await film.watch("c_gone", CREATOR)
    ask_auth = film.auth.decide_many

    async def picky(query: Any) -> Any:
        if any(each.content_id == "c_gone" for each in query.queries):
            raise ContentNotFound("gone")
        return await ask_auth(query)

    film.auth.decide_many = picky  # type: ignore[method-assign]
    await film.clock.advance(LEASE_S)
    answers = await asyncio.gather(film.fetch(bad, SEGMENT), film.fetch(good, SEGMENT))
    assert [answer.status_code for answer in answers] == [503, 200]


async def test_re_decisions_use_the_roles_of_the_latest_request(film: Theatre) -> None:
    demoted = Actor(kind="user", user_id="holder", roles=("viewer",))
    promoted = Actor(kind="user", user_id="holder", roles=("viewer", "moderator"), address="0x1")
    session = await film.watch("c_film", promoted)
    await film.clock.advance(LEASE_S / 2)
    assert (await renew(film, session["session_id"], demoted)).status_code == 200
    assert film.auth.asked[-1].actor == demoted


# --- what time alone changes ------------------------------------------------------------------------


@pytest.mark.parametrize("is_over", [True, False])
async def test_nothing_is_served_past_the_moment_at_which_time_may_change_the_answer(
    film: Theatre, is_over: bool
) -> None:
    film.auth.valid_until_s = film.clock.now_s() + 4
    session = await film.watch("c_film")
    assert session["decided_until"] == rfc3339(round(film.auth.valid_until_s * 1000))
    await film.clock.advance(3.999)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    assert len(film.auth.calls) == 1
    if is_over:
        film.auth.holders.clear()
    film.auth.valid_until_s = None
    await film.clock.advance(0.001)  # decided right then, before the first byte
    assert (await film.fetch(session, SEGMENT)).status_code == (410 if is_over else 200)


# --- time alone -------------------------------------------------------------------------------------


async def test_segments_write_nothing_and_notes_are_half_a_minute_apart(film: Theatre) -> None:
    session = await film.watch("c_film")
    opened_at_ms = (await row(film, session["session_id"])).seen_at_ms
    await film.clock.advance(12)
    for _ in range(5):
        await film.fetch(session, SEGMENT)
    assert (await row(film, session["session_id"])).seen_at_ms == opened_at_ms

    async def is_noted() -> bool | None:
        return True if (await row(film, session["session_id"])).seen_at_ms == opened_at_ms + 12_000 else None

    await film.clock.advance(18)
    await eventually(is_noted, every_s=0.01, what="the note")


async def test_an_unused_session_becomes_idle_and_comes_back_by_a_decision(film: Theatre) -> None:
    session = await film.watch("c_film")

    async def is_idle() -> bool | None:
        await film.clock.advance(30)
        return True if (await row(film, session["session_id"])).state == "idle" else None

    await eventually(is_idle, every_s=0.01, what="idleness")
    before = len(film.auth.calls)
    assert (await film.fetch(session, SEGMENT)).status_code == 200
    assert len(film.auth.calls) == before + 1


@pytest.mark.parametrize(("used", "reason", "after_s"), [(False, "abandoned", 14_400), (True, "expired", 43_200)])
async def test_a_session_does_not_live_for_ever(film: Theatre, used: bool, reason: str, after_s: float) -> None:
    session = await film.watch("c_film")
    began_s = film.clock.now_s()

    async def is_over() -> bool | None:
        film.clock.jump(1_800)
        await film.clock.advance(60)
        if used and film.clock.now_s() - began_s < after_s:
            assert (await film.fetch(session, SEGMENT)).status_code == 200
        return True if (await row(film, session["session_id"])).state == "ended" else None

    await eventually(is_over, every_s=0.01, what="the end")
    assert film.clock.now_s() - began_s >= after_s
    assert (await row(film, session["session_id"])).reason == reason
    await film.hear(events.SESSION_ENDED)
    assert (await film.fetch(session, SEGMENT)).status_code == 410
