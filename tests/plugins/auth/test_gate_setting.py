"""Setting a gate: who may, what is refused at its path, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from streamgate.context import ANONYMOUS
from streamgate.contracts.auth import AUTH, GateDraft, GateQuery
from streamgate.contracts.events import GATE_CHANGED, GateChanged
from streamgate.contracts.gate import GateInvalid, Rule
from streamgate.contracts.metadata import METADATA, ContentNotFound, Publish
from streamgate.errors import Forbidden, Unavailable
from streamgate.events import Received, on_group
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from tests.plugins.auth.people import (
    NAMES,
    Person,
    config_for,
    content_of,
    decide,
    holds_one,
    is_published,
    kernel_settings,
    person,
    set_gate,
)


async def test_setting_a_gate_publishes_and_tells(tmp_path: Path, devchain: ChainClient) -> None:
    heard: list[GateChanged] = []

    async def hear(event: Received[GateChanged]) -> None:
        heard.append(event.body)

    async with house(
        tmp_path,
        NAMES,
        settings=kernel_settings(tmp_path),
        configs={"auth": config_for(devchain)},
        subscriptions=[on_group(GATE_CHANGED, hear, group="test")],
    ) as home:
        owner = await person(home, "owner")
        content_id = await content_of(home, owner.actor)
        stored = await set_gate(home, owner.actor, content_id, holds_one(devchain))
        assert stored.revision == 1
        assert stored.text == f"holds a token of {devchain.contract} on {devchain.chain}"
        assert await is_published(home, content_id)
        assert (await set_gate(home, owner.actor, content_id, stored.gate)).revision == 1  # nothing changed
        assert (await set_gate(home, owner.actor, content_id, {"public": {}})).revision == 2
        assert (await set_gate(home, owner.actor, content_id, None)) == attrs.evolve(
            stored, gate=None, revision=3, text=""
        )
        assert not await is_published(home, content_id)
        assert await home.services.get(AUTH).get_gate(GateQuery(content_id=content_id)) == attrs.evolve(
            stored, gate=None, revision=3, text=""
        )

        async def told() -> list[GateChanged] | None:
            return heard if len(heard) >= 3 else None

        await eventually(told)
    assert [(event.revision, event.has_gate) for event in heard] == [(1, True), (2, True), (3, False)]


async def test_a_gate_counts_although_metadata_was_away_when_it_was_stored(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Title and description of what is private again must not stay public."""
    owner = await person(home, "owner")
    content_id = await content_of(home, owner.actor)
    metadata = home.services.get(METADATA)

    async def away(wanted: Publish) -> None:
        raise Unavailable("metadata is away")

    monkeypatch.setattr(metadata, "publish", away)
    rules: list[Rule | None] = [{"public": {}}, None]
    for rule in rules:
        stored = await set_gate(home, owner.actor, content_id, rule)
        assert stored.gate == rule

        async def heard(is_public: bool = rule is not None) -> bool | None:
            return True if await is_published(home, content_id) is is_public else None

        await eventually(heard, what=f"metadata to hear of {rule}")


async def test_only_the_owner_sets_a_gate(chained: House, owner: Person, viewer: Person) -> None:
    content_id = await content_of(chained, owner.actor)
    for stranger in (viewer.actor, attrs.evolve(viewer.actor, roles=("creator",)), ANONYMOUS):
        with pytest.raises(Forbidden):
            await set_gate(chained, stranger, content_id, {"public": {}})
    assert (await decide(chained, viewer.actor, content_id)).outcome == "does_not_hold"
    with pytest.raises(ContentNotFound):
        await set_gate(chained, owner.actor, "c_unknown", {"public": {}})


async def test_a_chain_that_is_not_configured_is_refused_at_its_path(
    chained: House, owner: Person, devchain: ChainClient
) -> None:
    content_id = await content_of(chained, owner.actor)
    elsewhere = {"erc721": {"chain": "eip155:5", "contract": devchain.contract}}
    with pytest.raises(GateInvalid, match=r"configured: eip155:31337") as caught:
        await set_gate(chained, owner.actor, content_id, {"any": [holds_one(devchain), elsewhere]})
    assert [error.field for error in caught.value.errors] == ["gate.any[1].erc721"]
    assert (await chained.services.get(AUTH).get_gate(GateQuery(content_id=content_id))).gate is None


async def test_a_rule_is_validated_without_a_content(chained: House, devchain: ChainClient) -> None:
    auth = chained.services.get(AUTH)
    await auth.validate_gate(GateDraft(gate=holds_one(devchain)))
    elsewhere = {"erc721": {"chain": "eip155:5", "contract": devchain.contract}}
    for rule, path in (({"any": [elsewhere]}, "gate.any[0].erc721"), ({"bad": 1}, "gate.bad")):
        with pytest.raises(GateInvalid) as caught:
            await auth.validate_gate(GateDraft(gate=rule))
        assert [error.field for error in caught.value.errors] == [path]


async def test_a_rule_that_opens_to_empty_wallets_is_warned_of(
    chained: House, owner: Person, devchain: ChainClient
) -> None:
    content_id = await content_of(chained, owner.actor)
    stored = await set_gate(chained, owner.actor, content_id, {"not": holds_one(devchain)})
    assert "hold nothing" in stored.warnings[0]
