"""Playback taken back: from whom, by whom, for how long, and given again."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts import events
from streamgate.contracts.audit import AUDITED
from streamgate.contracts.auth import AuthUnavailable
from streamgate.settings import KernelSettings
from streamgate_streaming.addresses import comparable
from streamgate_streaming.tables import RevokedRow, SessionRow
from tests.plugins.streaming.theatre import Open, Theatre

CREATOR = Actor(kind="user", user_id="creator", roles=("creator",))
HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
OTHER = Actor(kind="user", user_id="other", roles=("viewer",))
MODERATOR = Actor(kind="user", user_id="mod", roles=("moderator",))
ADMIN = Actor(kind="user", user_id="root", roles=("admin",))
SEGMENT = "v360/0.m4s"
WALLET = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
THIRD = "0x52908400098527886E0F7030069857D2E4169EE7"
SOLANA = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"


@pytest.fixture
async def film(theatre: Theatre) -> Theatre:
    for content_id in ("c_film", "c_second"):
        await theatre.play(content_id)
    theatre.auth.holders |= {"other", "mod", "root"}
    return theatre


async def revoke(theatre: Theatre, actor: Actor, **what: Any) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.post("/api/v1/stream/revoke", json=what)


async def ended(theatre: Theatre, actor: Actor, **what: Any) -> int:
    answer = await revoke(theatre, actor, **what)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["sessions_ended"])


async def asked(theatre: Theatre, actor: Actor, content_id: str) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.post("/api/v1/stream/session", json={"content_id": content_id})


async def ask(theatre: Theatre, actor: Actor, content_id: str = "c_film") -> tuple[int, str]:
    answer = await asked(theatre, actor, content_id)
    return answer.status_code, answer.json().get("code", "")


async def refusal(theatre: Theatre, actor: Actor) -> Any:
    answer = await asked(theatre, actor, "c_film")
    assert (answer.status_code, answer.json()["code"]) == REFUSED
    return answer.json()


async def statuses(theatre: Theatre, *sessions: Any) -> list[int]:
    return [(await theatre.fetch(session, SEGMENT)).status_code for session in sessions]


REFUSED = (403, "stream.revoked")


async def test_one_viewer_of_a_content(film: Theatre) -> None:
    mine, second = await film.watch("c_film", HOLDER), await film.watch("c_second", HOLDER)
    theirs = await film.watch("c_film", OTHER)
    answer = await revoke(film, CREATOR, content_id="c_film", user_id="holder", for_s=600, reason="shared the link")
    assert answer.json()["sessions_ended"] == 1
    assert await statuses(film, mine, second, theirs) == [410, 200, 200]
    assert (await film.fetch(mine, SEGMENT)).json()["reason"] == "revoked"
    assert await ask(film, HOLDER) == REFUSED
    assert (await ask(film, HOLDER, "c_second"))[0] == (await ask(film, OTHER))[0] == 201
    told = await refusal(film, HOLDER)
    assert (told["until"], told["reason"], told["by"]) == (answer.json()["until"], "shared the link", "owner")
    assert "creator" not in str(told), "nobody is told which person it was"
    await revoke(film, MODERATOR, content_id="c_film", for_s=601)
    assert (await refusal(film, OTHER))["by"] == "server"
    await film.clock.advance(601)
    assert (await ask(film, HOLDER))[0] == 201


async def test_without_a_time_it_only_ends_what_runs(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER)
    answer = (await revoke(film, CREATOR, content_id="c_film")).json()
    assert answer == {"sessions_ended": 1, "revocation_id": None, "until": None}
    over = await film.fetch(session, SEGMENT)
    assert (over.status_code, over.json()["reason"]) == (410, "ended_by_owner")
    assert (await ask(film, HOLDER))[0] == 201
    assert await ended(film, CREATOR, content_id="c_second") == 0


async def test_a_whole_content_for_all_but_its_owner_and_moderators(film: Theatre) -> None:
    film.auth.public.add("c_film")
    sessions = [await film.watch("c_film", actor) for actor in (HOLDER, OTHER, ANONYMOUS)]
    assert await ended(film, CREATOR, content_id="c_film", for_s=60) == 3
    assert await statuses(film, *sessions) == [410] * 3
    assert [await ask(film, actor) for actor in (HOLDER, OTHER, ANONYMOUS)] == [REFUSED] * 3
    assert [(await ask(film, actor))[0] for actor in (CREATOR, MODERATOR, ADMIN)] == [201] * 3


@pytest.mark.parametrize("written", [WALLET, WALLET.lower(), f"eip155:137:{WALLET}"])
async def test_a_viewer_by_any_wallet_of_theirs(film: Theatre, written: str) -> None:
    film.accounts.wallets = {"holder": (SOLANA, WALLET), "other": ("0x1",)}
    sessions = [await film.watch("c_film", actor) for actor in (HOLDER, OTHER)]
    assert await ended(film, CREATOR, content_id="c_film", address=written, for_s=60) == 1
    assert await statuses(film, *sessions) == [410, 200]
    assert await ask(film, HOLDER) == REFUSED
    assert (await ask(film, OTHER))[0] == 201
    film.accounts.fault = AuthUnavailable("gone")
    assert (await ask(film, OTHER))[0] == 503, "who it is cannot be asked"
    assert (await ask(film, OTHER, "c_second"))[0] == 201


async def test_where_wallets_cannot_be_asked_nothing_is_done(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER)
    film.accounts.fault = AuthUnavailable("gone")
    for somebody in ({"address": WALLET}, {"user_id": "holder"}):
        assert (await revoke(film, CREATOR, content_id="c_film", **somebody, for_s=60)).status_code == 503
    assert await statuses(film, session) == [200]
    assert (await listed(film, CREATOR, content_id="c_film")).json()["items"] == []
    assert await ended(film, CREATOR, content_id="c_film", user_id="holder") == 1, "no wallets are needed for that"


async def test_somebody_everywhere_and_everybody(film: Theatre) -> None:
    mine = [await film.watch(content_id, HOLDER) for content_id in ("c_film", "c_second")]
    theirs = await film.watch("c_film", OTHER)
    assert await ended(film, MODERATOR, user_id="holder", for_s=60) == 2
    assert await statuses(film, *mine, theirs) == [410, 410, 200]
    assert [await ask(film, HOLDER, each) for each in ("c_film", "c_second")] == [REFUSED] * 2
    assert await ended(film, ADMIN, everyone=True, for_s=30) == 1
    assert await statuses(film, theirs) == [410]
    assert (await refusal(film, OTHER))["by"] == "server"
    assert (await ask(film, CREATOR))[0] == 201


async def test_many_go_by_pages_and_other_replicas_are_told(film: Theatre) -> None:
    film.auth.public.add("c_film")
    sessions = await asyncio.gather(*(film.watch("c_film", ANONYMOUS) for _ in range(205)))
    assert await ended(film, ADMIN, everyone=True) == 205
    told = await film.hear(events.SESSION_ENDED, 205)
    assert {each.subject_id for each in told} == {each["session_id"] for each in sessions}
    assert {each.reason for each in told} == {"ended_by_server"}


@pytest.mark.parametrize(
    ("actor", "what", "status"),
    [
        (ANONYMOUS, {"content_id": "c_film"}, 401),
        (HOLDER, {"content_id": "c_film"}, 404),
        (HOLDER, {"user_id": "other"}, 403),
        (CREATOR, {"user_id": "other"}, 403),
        (CREATOR, {"address": WALLET}, 403),
        (MODERATOR, {"everyone": True}, 403),
        (CREATOR, {"content_id": "c_none"}, 404),
        (ADMIN, {}, 422),
        (ADMIN, {"everyone": True, "content_id": "c_film"}, 422),
        (ADMIN, {"user_id": "a", "address": WALLET}, 422),
        (ADMIN, {"address": "0x12"}, 422),
        (ADMIN, {"address": WALLET.replace("ec7", "Ec7")}, 422),  # mistyped: its checksum is wrong
        (ADMIN, {"address": "z" * 44}, 422),  # base58, but of 33 bytes
        (ADMIN, {"address": f"solana:mainnet:{WALLET}"}, 422),
        (ADMIN, {"address": f"bip122:1:{WALLET}"}, 422),
        (ADMIN, {"everyone": True, "for_s": -1}, 422),
        (ADMIN, {"everyone": True, "for_s": 1e12}, 422),
        (ADMIN, {"content_id": "c_film", "reason": "a\nb"}, 422),
    ],
)
async def test_who_may_not_and_what_is_not_clear(
    film: Theatre, actor: Actor, what: dict[str, Any], status: int
) -> None:
    session = await film.watch("c_film", HOLDER)
    assert (await revoke(film, actor, **what)).status_code == status
    assert await statuses(film, session) == [200]


async def listed(theatre: Theatre, actor: Actor, **query: Any) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.get("/api/v1/stream/revocations", params=query)


async def lift(theatre: Theatre, actor: Actor, revocation_id: str) -> int:
    async with theatre.client(actor) as http:
        return (await http.delete(f"/api/v1/stream/revocations/{revocation_id}")).status_code


async def test_what_is_in_force_is_listed_and_lifted(film: Theatre) -> None:
    first = (await revoke(film, CREATOR, content_id="c_film", user_id="holder", for_s=60)).json()["revocation_id"]
    await revoke(film, CREATOR, content_id="c_second", for_s=60)
    await revoke(film, ADMIN, address=WALLET, for_s=3_600)
    [own] = (await listed(film, CREATOR, content_id="c_film")).json()["items"]
    assert (own["revocation_id"], own["user_id"], own["address"], own["made_by"]) == (first, "holder", None, "creator")
    made = [each["made_by"] for each in (await listed(film, CREATOR)).json()["items"]]
    assert made == ["creator", "creator"]
    assert (await listed(film, HOLDER)).json() == {"items": [], "next_cursor": None}
    assert (await listed(film, HOLDER, content_id="c_film")).status_code == 404
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await listed(film, MODERATOR, limit=1, cursor=cursor)).json()
        seen += [each["revocation_id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert len(set(seen)) == 3
    assert [await lift(film, actor, first) for actor in (HOLDER, CREATOR, CREATOR)] == [404, 204, 404]
    assert (await ask(film, HOLDER))[0] == 201
    await film.clock.advance(60)
    await film.turn("streaming.sweep")
    [left] = (await listed(film, ADMIN)).json()["items"]
    assert left["address"] == WALLET
    assert [await lift(film, actor, left["revocation_id"]) for actor in (CREATOR, MODERATOR)] == [404, 204]


async def test_it_is_audited(film: Theatre) -> None:
    answer = await revoke(film, CREATOR, content_id="c_film", user_id="holder", for_s=60, reason="why")
    await lift(film, CREATOR, answer.json()["revocation_id"])

    entries = [each for each in await film.hear(AUDITED, 2) if each.act.startswith("stream.revo")]
    assert {each.act for each in entries} == {"stream.revoked", "stream.revocation_lifted"}
    [entry] = [each for each in entries if each.act == "stream.revoked"]
    assert (entry.subject_id, entry.who) == ("content:c_film", "creator")
    assert entry.detail == {"for_s": "60", "user_id": "holder", "reason": "why"}


async def test_an_address_is_named_in_its_one_form_however_it_was_written(film: Theatre) -> None:
    for written in (f"solana:mainnet:{SOLANA}", f"eip155:1:{WALLET.lower()}"):
        await revoke(film, ADMIN, address=written, for_s=60)
    assert {each["address"] for each in (await listed(film, ADMIN)).json()["items"]} == {SOLANA, WALLET}
    entries = [each for each in await film.hear(AUDITED, 2) if each.act == "stream.revoked"]
    assert {each.detail["address"] for each in entries} == {SOLANA, WALLET}
    answer = await revoke(film, ADMIN, address=WALLET.replace("ec7", "Ec7"))
    assert (answer.json()["code"], answer.json()["errors"][0]["field"]) == ("auth.address_invalid", "address")


@pytest.mark.parametrize("named", [{"address": WALLET.lower()}, {"user_id": "holder"}])
async def test_who_is_meant_stays_meant_whatever_becomes_of_their_wallets(
    open_theatre: Open, stored_in: KernelSettings | None, named: dict[str, str]
) -> None:
    async with open_theatre(stored_in) as theatre:
        await theatre.play("c_film")
        theatre.auth.holders |= {"other", "mod"}
        theatre.accounts.wallets = {"holder": (SOLANA, WALLET), "other": (THIRD,)}
        # Nobody plays anything: whose the wallet is, auth knows.
        made = [await revoke(theatre, CREATOR, content_id="c_film", for_s=60, **named) for _ in range(2)]
        for theirs in ((SOLANA, WALLET), (SOLANA,), ()):
            theatre.accounts.wallets["holder"] = theirs
            assert await ask(theatre, HOLDER) == REFUSED
        for wallet in (SOLANA, WALLET):  # by a new account, or linked to somebody else's
            theatre.accounts.wallets["other"] = (THIRD, wallet)
            assert await ask(theatre, OTHER) == REFUSED
        theatre.accounts.wallets["other"] = (THIRD,)
        assert (await ask(theatre, OTHER))[0] == 201
        [one, two] = [each.json()["revocation_id"] for each in made]
        assert await lift(theatre, CREATOR, one) == 204
        theatre.accounts.wallets["other"] = (SOLANA,)
        assert [await ask(theatre, actor) for actor in (HOLDER, OTHER)] == [REFUSED] * 2
        await theatre.clock.advance(30)
        assert await lift(theatre, MODERATOR, two) == 204
        assert [(await ask(theatre, actor))[0] for actor in (HOLDER, OTHER)] == [201] * 2
        assert await theatre.db.read(lambda session: session.query(RevokedRow).count()) == 0


async def test_what_was_remembered_of_a_revocation_is_forgotten_with_it(film: Theatre) -> None:
    film.accounts.wallets = {"holder": (SOLANA, WALLET)}
    for for_s in (30, 90):
        await revoke(film, CREATOR, content_id="c_film", user_id="holder", for_s=for_s)
    await film.clock.advance(30)
    await film.turn("streaming.sweep")
    remembered = await film.db.read(lambda session: {row.name for row in session.query(RevokedRow)})
    assert remembered == {"holder", SOLANA, WALLET.lower()}
    assert await film.db.read(lambda session: session.query(RevokedRow).count()) == 3
    await film.clock.advance(60)
    await film.turn("streaming.sweep")
    assert await film.db.read(lambda session: session.query(RevokedRow).count()) == 0


async def test_who_has_a_wallet_of_theirs_while_it_is_revoked_is_out_as_well(film: Theatre) -> None:
    film.accounts.wallets = {"holder": (WALLET,)}
    theirs = await film.watch("c_film", OTHER)

    def moves() -> None:
        film.accounts.wallets = {"holder": (), "other": (WALLET,)}

    film.accounts.after_answer = moves  # it goes to another account between the question and the revocation
    assert await ended(film, CREATOR, content_id="c_film", user_id="holder", for_s=60) == 1
    assert await statuses(film, theirs) == [410]


async def test_nobody_slips_in_beside_a_revocation(open_theatre: Open, stored_in: KernelSettings | None) -> None:
    async with open_theatre(stored_in) as theatre:
        await theatre.play("c_film")
        theatre.auth.public.add("c_film")
        openings = [ask(theatre, ANONYMOUS) for _ in range(10)]
        answers = await asyncio.gather(
            *openings[:5], revoke(theatre, CREATOR, content_id="c_film", for_s=60), *openings[5:]
        )
        opened = sum(answer[0] == 201 for answer in answers if isinstance(answer, tuple))
        [answer] = [answer for answer in answers if isinstance(answer, httpx.Response)]
        assert opened <= answer.json()["sessions_ended"]  # one that ends before it was told of is refused
        running = select(SessionRow.session_id).where(SessionRow.state != "ended")
        assert await theatre.db.read(lambda session: list(session.scalars(running))) == []
        assert await ask(theatre, ANONYMOUS) == REFUSED


def test_addresses_are_compared_however_they_are_written() -> None:
    assert comparable(WALLET) == comparable(WALLET.lower()) == comparable(f"eip155:137:{WALLET}")
    assert comparable("9xQeWvG8") != comparable("9xqeWvG8")
