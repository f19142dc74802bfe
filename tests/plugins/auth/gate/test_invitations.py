"""Invitation codes: shown once, redeemed so often, revocable, the same on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text, update

from streamgate.context import ANONYMOUS
from streamgate.testing.house import House
from streamgate_auth.gate import invitations
from streamgate_auth.gate.invitations import digest_of
from streamgate_auth.gate.tables import InvitationRow
from tests.plugins.auth.gate.people import creator, delete, get, post, put
from tests.plugins.auth.people import Person, content_of, decide, person

FRIENDS = {"invitation": {"campaign": "friends"}}


async def codes(home: House, me: Person, content_id: str, **more: Any) -> list[dict[str, Any]]:
    wanted = {"content_id": content_id, "campaign": "friends", **more}
    found: list[dict[str, Any]] = (await post(home, me.actor, "/invitations", 201, **wanted))["items"]
    return found


async def test_a_code_lets_so_many_in_and_no_more(stored: House) -> None:
    me = await creator(stored)
    guests = [await person(stored, f"guest {number}") for number in range(4)]
    content_id = await content_of(stored, me.actor, FRIENDS)
    (made,) = await codes(stored, me, content_id, uses=2)
    assert (await decide(stored, guests[0].actor, content_id)).outcome == "does_not_hold"

    async def redeem(guest: Person) -> int:
        async with stored.client(guest.actor) as http:
            return (await http.post("/api/v1/gates/redeem", json={"code": made["code"].lower()})).status_code

    # Everybody at once, and each of them twice.
    answers = await asyncio.gather(*(redeem(guest) for guest in guests for _ in range(2)))
    assert sorted(answers) == [200] * 4 + [422] * 4
    outcomes = [(await decide(stored, guest.actor, content_id)).outcome for guest in guests]
    assert sorted(outcomes) == ["does_not_hold"] * 2 + ["holds"] * 2
    (listed,) = (await get(stored, me.actor, "/invitations", content_id=content_id))["items"]
    assert (listed["used"], listed["uses"], "code" in listed) == (2, 2, False)

    await delete(stored, me.actor, f"/invitations/{made['invitation_id']}")
    await delete(stored, me.actor, f"/invitations/{made['invitation_id']}")
    assert {(await decide(stored, guest.actor, content_id)).outcome for guest in guests} == {"does_not_hold"}
    (again,) = await codes(stored, me, content_id)
    lucky = guests[outcomes.index("holds")]
    await post(stored, lucky.actor, "/redeem", code=again["code"])
    assert (await decide(stored, lucky.actor, content_id)).outcome == "holds"


async def test_codes_are_kept_as_hashes_and_read_as_they_are_copied(home: House) -> None:
    me, guest = await creator(home), await person(home, "guest")
    content_id = await content_of(home, me.actor, FRIENDS)
    (made,) = await codes(home, me, content_id)
    code = made["code"]
    assert len(code.replace("-", "")) == 20

    def all_of_it(session: Any) -> str:
        rows = session.execute(text("SELECT * FROM auth_gate_invitations"))
        return str([tuple(row) for row in rows])

    kept = await home.plugins["auth"].db.read(all_of_it)
    assert code not in kept
    assert code.replace("-", "") not in kept
    assert digest_of(code) in kept
    assert digest_of("0o1il-abc") == digest_of(" OO11 1abC ")
    found = await post(home, guest.actor, "/redeem", code=f" {code.lower().replace('-', '')} ")
    assert found == {"campaign": "friends", "content_id": content_id, "collection_id": None}


async def test_every_useless_code_is_the_same_answer(home: House) -> None:
    me, guest = await creator(home), await person(home, "guest")
    content_id = await content_of(home, me.actor, FRIENDS)
    old, revoked = (await codes(home, me, content_id, expires_at="2999-01-01T00:00:00Z", count=2))[:2]
    await delete(home, me.actor, f"/invitations/{revoked['invitation_id']}")

    def expire(session: Any) -> None:
        row = update(InvitationRow).where(InvitationRow.invitation_id == old["invitation_id"])
        session.execute(row.values(expires_at_ms=5))

    await home.plugins["auth"].db.write(expire)
    told = [await post(home, guest.actor, "/redeem", 422, code=code) for code in ("x", old["code"], revoked["code"])]
    assert [(each["code"], each["detail"]) for each in told] == [("gate.code_invalid", "this code opens nothing")] * 3
    used = await home.plugins["auth"].db.read(lambda session: list(session.scalars(select(InvitationRow.used))))
    assert used == [0, 0]


async def test_tries_are_limited(home: House) -> None:
    guest = await person(home, "guesser")
    async with home.client(guest.actor) as http:
        answers = [await http.post("/api/v1/gates/redeem", json={"code": f"guess{n}"}) for n in range(31)]
    assert [answer.status_code for answer in answers] == [422] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) <= 60
    await post(home, ANONYMOUS, "/redeem", 401, code="x")


async def test_a_campaign_of_a_collection_opens_all_its_contents(home: House) -> None:
    me, guest = await creator(home), await person(home, "guest")
    made = await post(home, me.actor, "/collections", 201, name="club", gate=FRIENDS)
    same = {"same_as": {"collection": made["collection_id"]}}
    inside = [await content_of(home, me.actor, same) for _ in range(2)]
    outside = await content_of(home, me.actor, FRIENDS)
    wanted = {"collection_id": made["collection_id"], "campaign": "friends"}
    ((code),) = (await post(home, me.actor, "/invitations", 201, **wanted))["items"]
    await post(home, guest.actor, "/redeem", code=code["code"])
    outcomes = [(await decide(home, guest.actor, each)).outcome for each in (*inside, outside)]
    assert outcomes == ["holds", "holds", "does_not_hold"]
    dry = await post(home, me.actor, "/check", content_id=inside[0], address=guest.wallet.address)
    assert dry["outcome"] == "holds"


async def test_codes_that_would_be_over_are_not_made(home: House) -> None:
    me = await creator(home)
    wanted = {"content_id": await content_of(home, me.actor, FRIENDS), "campaign": "friends"}
    refused = await post(home, me.actor, "/invitations", 422, **wanted, expires_at="2020-01-01T00:00:00Z")
    assert [each["field"] for each in refused["errors"]] == ["expires_at"]
    assert "later than now" in refused["detail"]


async def test_codes_for_a_campaign_that_the_gate_does_not_name_are_made_with_a_warning(home: House) -> None:
    me = await creator(home)
    press = {"any": [FRIENDS, {"not": {"invitation": {"campaign": "press"}}}]}
    club = await post(home, me.actor, "/collections", 201, name="club", gate=FRIENDS)
    through = {"any": [{"same_as": {"collection": club["collection_id"]}}, {"role": {"role": "admin"}}]}
    none: list[str] = []
    for scope, named in (
        ({"content_id": await content_of(home, me.actor, FRIENDS)}, ["friends"]),
        ({"content_id": await content_of(home, me.actor, {"version": 1, "gate": press})}, ["friends", "press"]),
        ({"content_id": await content_of(home, me.actor)}, none),
        ({"content_id": await content_of(home, me.actor, through)}, none),  # the collection's codes are its own
        ({"collection_id": club["collection_id"]}, ["friends"]),
    ):
        for campaign in ("friends", "press"):
            made = await post(home, me.actor, "/invitations", 201, **scope, campaign=campaign)
            assert len(made["items"]) == 1
            assert bool(made["warnings"]) == (campaign not in named), (scope, campaign)
            if made["warnings"] and named:
                assert ", but friends:" in made["warnings"][0]


async def test_revoked_and_expired_codes_make_room_and_are_forgotten(
    stored: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    me, guest = await creator(stored), await person(stored, "guest")
    content_id = await content_of(stored, me.actor, FRIENDS)
    monkeypatch.setattr(invitations, "MAX_PER_SCOPE", 2)
    revoked, expired = await codes(stored, me, content_id, count=2, expires_at="2999-01-01T00:00:00Z")
    await post(stored, guest.actor, "/redeem", code=revoked["code"])
    full = await post(stored, me.actor, "/invitations", 409, content_id=content_id, campaign="friends")
    assert "revoke those of no more use" in full["detail"]
    await delete(stored, me.actor, f"/invitations/{revoked['invitation_id']}")

    def age(session: Any) -> None:
        session.execute(update(InvitationRow).values(expires_at_ms=5))

    await stored.plugins["auth"].db.write(age)
    await codes(stored, me, content_id)  # the revoked one is kept for a while, the other expired unused long ago
    listed = (await get(stored, me.actor, "/invitations", content_id=content_id))["items"]
    assert [each["invitation_id"] == revoked["invitation_id"] for each in listed] == [False, True]
    assert expired["invitation_id"] not in {each["invitation_id"] for each in listed}
    monkeypatch.setattr(invitations, "KEPT_MS", -1)
    (fresh,) = await codes(stored, me, content_id)
    assert len((await get(stored, me.actor, "/invitations", content_id=content_id))["items"]) == 2
    await post(stored, guest.actor, "/redeem", code=fresh["code"])
    assert (await decide(stored, guest.actor, content_id)).outcome == "holds"


async def test_invitations_are_their_owners(home: House) -> None:
    me, other, viewer = await creator(home), await creator(home, "other"), await person(home, "viewer")
    content_id = await content_of(home, me.actor, FRIENDS)
    made = await codes(home, me, content_id, count=3)
    wanted = {"content_id": content_id, "campaign": "friends"}
    await post(home, viewer.actor, "/invitations", 403, **wanted)
    await post(home, other.actor, "/invitations", 403, **wanted)
    await get(home, other.actor, "/invitations", 403, content_id=content_id)
    private = await content_of(home, me.actor)
    await get(home, other.actor, "/invitations", 404, content_id=private)
    await post(home, other.actor, "/invitations", 404, collection_id="g_" + "x" * 22, campaign="a")
    await delete(home, other.actor, f"/invitations/{made[0]['invitation_id']}", 404)
    await delete(home, me.actor, "/invitations/i_unknown", 404)
    await put(home, me.actor, "/invitations", 405)


async def test_pages_and_bounds(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    me = await creator(home)
    content_id = await content_of(home, me.actor, FRIENDS)
    made = {each["invitation_id"] for each in await codes(home, me, content_id, count=3)}
    first = await get(home, me.actor, "/invitations", content_id=content_id, limit=2, campaign="friends")
    rest = await get(home, me.actor, "/invitations", content_id=content_id, limit=2, cursor=first["next_cursor"])
    assert {each["invitation_id"] for each in (*first["items"], *rest["items"])} == made
    assert (len(first["items"]), rest["next_cursor"]) == (2, None)
    await get(home, me.actor, "/invitations", 422, content_id=content_id, cursor="nonsense")
    assert (await get(home, me.actor, "/invitations", content_id=content_id, campaign="x"))["items"] == []
    monkeypatch.setattr(invitations, "MAX_PER_SCOPE", 4)
    wanted = {"content_id": content_id, "campaign": "friends"}
    assert (await post(home, me.actor, "/invitations", 409, **wanted, count=2))["code"] == "gate.too_many"
    bad: list[dict[str, Any]] = [
        {"campaign": "friends"},
        {**wanted, "collection_id": "g_" + "x" * 22},
        {"collection_id": content_id, "campaign": "friends"},
        {**wanted, "count": 0},
        {**wanted, "count": 1001},
        {**wanted, "uses": 0},
        {**wanted, "campaign": "Friends"},
        {**wanted, "expires_at": "soon"},
        {**wanted, "expires_at": "2020-01-01T00:00:00Z"},
        {**wanted, "expires_at": "9999-12-31T23:59:59-23:59"},  # the year 10000 in UTC, which nobody can write
    ]
    for body in bad:
        await post(home, me.actor, "/invitations", 422, **body)
    assert len((await get(home, me.actor, "/invitations", content_id=content_id))["items"]) == 3
