"""The gate cannot be decided: what runs goes on for a bounded time, and every answer says so."""

from __future__ import annotations

from typing import Any

import httpx

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import AuthUnavailable
from streamgate.sdk.clock import rfc3339
from tests.plugins.streaming.theatre import Theatre

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",), credential="a_one")
CREATOR = Actor(kind="user", user_id="creator", roles=("creator",))
LEASE_S = 60.0
GRACE_S = 300.0


async def ask(theatre: Theatre, actor: Actor, client_id: str) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.post("/api/v1/stream/session", json={"content_id": "c_film", "client_id": client_id})


async def renew(theatre: Theatre, session: Any) -> httpx.Response:
    async with theatre.client(HOLDER) as http:
        return await http.post(f"/api/v1/stream/session/{session['session_id']}/renew")


async def test_on_grace_a_renewal_says_until_when_and_why(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER)
    assert (session["grace"], session["decided_until"]) == (None, session["expires_at"])
    ends_at_s = film.clock.now_s() + GRACE_S
    film.auth.unknown, film.auth.grace_until_s = True, ends_at_s
    await film.clock.advance(LEASE_S)
    told = (await renew(film, session)).json()
    until = rfc3339(round(ends_at_s * 1000))
    assert (told["decided_until"], told["grace"]) == (until, {"until": until, "reason": "cannot be read now"})
    await film.clock.advance(GRACE_S - LEASE_S)
    assert (await renew(film, session)).status_code == 503
    film.auth.unknown = False
    await film.clock.advance(LEASE_S)
    assert (await renew(film, session)).json()["grace"] is None


async def test_no_new_session_but_the_running_one_is_found_again(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER, "tv")
    film.auth.unknown, film.auth.grace_until_s = True, film.clock.now_s() + GRACE_S
    again = await ask(film, HOLDER, "tv")
    assert (again.status_code, again.json()["hls_url"]) == (201, session["hls_url"])
    assert again.json()["grace"]["reason"] == "cannot be read now"
    for actor, client_id in ((HOLDER, "phone"), (CREATOR, "tv")):
        new = await ask(film, actor, client_id)
        assert (new.status_code, new.json()["code"]) == (503, "gate.unknown")
        assert "those that run go on" in new.json()["detail"]
    await film.clock.advance(GRACE_S)
    assert (await ask(film, HOLDER, "tv")).status_code == 503


async def test_without_a_grace_it_is_found_again_while_its_lease_holds(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER, "tv")
    film.auth.unknown = True
    await film.clock.advance(LEASE_S - 1)
    again = (await ask(film, HOLDER, "tv")).json()
    assert (again["hls_url"], again["grace"]) == (session["hls_url"], None)
    await film.clock.advance(1)
    assert (await ask(film, HOLDER, "tv")).status_code == 503


async def test_who_is_not_signed_in_is_asked_to_also_when_nothing_is_known(film: Theatre) -> None:
    film.auth.unknown = True
    assert (await ask(film, ANONYMOUS, "")).status_code == 401


async def test_a_grace_is_not_given_to_who_was_found_without_a_session_here(film: Theatre) -> None:
    """A replica that has just started knows the row, and no lease: auth's own grace is all there is."""
    session = await film.watch("c_film", HOLDER, "tv")
    live = film.home.plugins["streaming"]._keeper.live
    live.leave(list(live))
    film.auth.unknown = True
    assert (await ask(film, HOLDER, "tv")).status_code == 503
    live.leave(list(live))
    film.auth.grace_until_s = film.clock.now_s() + GRACE_S
    assert (await ask(film, HOLDER, "tv")).json()["hls_url"] == session["hls_url"]


async def test_auth_away_is_503_for_a_new_session(film: Theatre) -> None:
    film.auth.fault = AuthUnavailable("gone")
    assert (await ask(film, HOLDER, "tv")).status_code == 503
