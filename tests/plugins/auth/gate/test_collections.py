"""Gates that several contents share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import delete as remove
from sqlalchemy.orm import Session

from streamgate.contracts.auth import AUTH, GateQuery
from streamgate.contracts.events import GATE_CHANGED, GateChanged
from streamgate.contracts.gate import GateInvalid
from streamgate.contracts.metadata import METADATA, ContentDelete
from streamgate.events import Received, on_group
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate_auth.gate import collections
from streamgate_auth.gate.tables import CollectionRow
from tests.plugins.auth.gate.people import creator, delete, get, post, put
from tests.plugins.auth.people import NAMES, Person, content_of, decide, holds_one, kernel_settings, person, set_gate

ADMINS = {"role": {"role": "admin"}}
VIEWERS = {"role": {"role": "viewer"}}


def same_as(collection: dict[str, Any]) -> dict[str, Any]:
    return {"same_as": {"collection": collection["collection_id"]}}


async def shared(home: House, me: Person, gate: Any) -> dict[str, Any]:
    found: dict[str, Any] = await post(home, me.actor, "/collections", 201, name="season one", gate=gate)
    return found


async def test_changing_a_collection_changes_each_content_with_it(tmp_path: Path) -> None:
    heard: list[GateChanged] = []

    async def hear(event: Received[GateChanged]) -> None:
        heard.append(event.body)

    subscriptions = [on_group(GATE_CHANGED, hear, group="test")]
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), subscriptions=subscriptions) as home:
        me, viewer = await creator(home), await person(home, "viewer")
        made = await shared(home, me, ADMINS)
        with_it = [await content_of(home, me.actor, rule) for rule in (same_as(made), {"any": [same_as(made), ADMINS]})]
        without = await content_of(home, me.actor, ADMINS)
        contents = [*with_it, without]
        assert [(await decide(home, viewer.actor, each)).outcome for each in contents] == ["does_not_hold"] * 3

        changed = await put(home, me.actor, f"/collections/{made['collection_id']}", gate=VIEWERS)
        assert (changed["revision"], changed["gate"], changed["name"]) == (2, VIEWERS, "season one")
        assert [(await decide(home, viewer.actor, each)).outcome for each in contents] == [
            "holds",
            "holds",
            "does_not_hold",
        ]

        async def told() -> list[GateChanged] | None:
            return heard if len(heard) >= 5 else None

        await eventually(told)
        assert sorted((event.subject_id, event.revision) for event in heard) == sorted(
            [*((each, revision) for each in with_it for revision in (1, 2)), (without, 1)]
        )
        renamed = await put(home, me.actor, f"/collections/{made['collection_id']}", name="season two", gate=VIEWERS)
        assert (renamed["name"], renamed["revision"]) == ("season two", 2)  # the same rule is no other gate
        stored = await home.services.get(AUTH).get_gate(GateQuery(content_id=with_it[0]))
        assert (stored.revision, stored.gate, stored.text) == (2, same_as(made), "has the role viewer")


async def test_its_leaves_are_read_and_watched_like_the_contents_own(chained: House, devchain: ChainClient) -> None:
    me, holder = await creator(chained), await person(chained, "holder")
    made = await shared(chained, me, holds_one(devchain))
    content_id = await content_of(chained, me.actor, {"all": [same_as(made), VIEWERS]})
    devchain.mint(holder.wallet.address)
    found = await decide(chained, holder.actor, content_id)
    assert (found.outcome, found.leaf_keys) == ("holds", (f"{devchain.chain}/{devchain.contract.lower()}",))
    leaf = found.explanation.parts[0]
    assert (leaf.kind, leaf.parts[0].kind, leaf.parts[0].held) == ("same_as", "erc721", "1")


async def test_one_in_use_is_not_deleted(home: House) -> None:
    me = await creator(home)
    made = await shared(home, me, ADMINS)
    one, other = [await content_of(home, me.actor, same_as(made)) for _ in range(2)]
    path = f"/collections/{made['collection_id']}"
    assert (await get(home, me.actor, path))["content_ids"] == sorted([one, other])
    refused = await delete(home, me.actor, path, 409)
    assert (refused["code"], refused["content_ids"]) == ("gate.collection_in_use", sorted([one, other]))
    assert refused["detail"].startswith("the gates of 2 contents name this collection")
    await set_gate(home, me.actor, one, ADMINS)
    refused = await delete(home, me.actor, path, 409)
    assert refused["detail"].startswith("the gate of one content names this collection")
    await home.services.get(METADATA).delete(ContentDelete(content_id=other, actor=me.actor))
    await delete(home, me.actor, path)
    await get(home, me.actor, path, 404)
    assert (await get(home, me.actor, "/collections"))["items"] == []


async def test_collections_do_not_name_each_other_nor_everybody(home: House) -> None:
    me = await creator(home)
    made = await shared(home, me, ADMINS)
    for gate, field in (
        (same_as(made), "gate.same_as"),
        ({"not": same_as(made)}, "gate.not.same_as"),
        ({"public": {}}, "gate.public"),
        ({"version": 1, "gate": ADMINS}, "gate"),
    ):
        refused = await post(home, me.actor, "/collections", 422, name="x", gate=gate)
        assert refused["errors"][0]["field"] == field
        await put(home, me.actor, f"/collections/{made['collection_id']}", 422, gate=gate)


async def test_collections_of_others_are_not_there(home: House) -> None:
    me, other, viewer = await creator(home), await creator(home, "other"), await person(home, "viewer")
    made = await shared(home, me, ADMINS)
    path = f"/collections/{made['collection_id']}"
    for actor in (other.actor, viewer.actor):
        await get(home, actor, path, 404)
        await put(home, actor, path, 404, name="mine")
        await delete(home, actor, path, 404)
    await post(home, viewer.actor, "/collections", 403, name="x", gate=ADMINS)
    content_id = await content_of(home, other.actor)
    with pytest.raises(GateInvalid, match="you have no collection"):
        await set_gate(home, other.actor, content_id, {"any": [ADMINS, same_as(made)]})
    with pytest.raises(GateInvalid, match="you have no collection"):
        await set_gate(home, other.actor, content_id, {"same_as": {"collection": "g_" + "x" * 22}})
    moderator = attrs.evolve(other.actor, user_id="p_moderator", roles=("moderator",))
    assert (await get(home, moderator, path))["owner"] == me.actor.user_id


async def test_a_collection_that_is_not_there_is_unknown(home: House) -> None:
    """It cannot be deleted while it is named; were it gone all the same, nothing would open."""
    me, viewer = await creator(home), await person(home, "viewer")
    made = await shared(home, me, ADMINS)
    content_id = await content_of(home, me.actor, {"not": same_as(made)})

    def forget(session: Session) -> None:
        session.execute(remove(CollectionRow))

    await home.plugins["auth"].db.write(forget)
    home.plugins["auth"].gate.compiled._kept.clear()
    found = await decide(home, viewer.actor, content_id)
    assert (found.outcome, found.explanation.parts[0].kind) == ("unknown", "same_as")


async def test_there_are_only_so_many(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    me = await creator(home)
    monkeypatch.setattr(collections, "MAX_COLLECTIONS", 1)
    await shared(home, me, ADMINS)
    assert (await post(home, me.actor, "/collections", 409, name="x", gate=ADMINS))["code"] == "gate.too_many"
