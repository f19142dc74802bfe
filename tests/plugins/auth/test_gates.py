"""The gate on a real chain: who holds watches, who does not is told why, and what is not known opens nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import AUTH, DecideMany, DecideQuery, GateCheck, GateDraft, GateQuery
from streamgate.contracts.events import GATE_CHANGED, GateChanged
from streamgate.contracts.gate import GateInvalid, Rule
from streamgate.contracts.metadata import METADATA, AccessQuery, ContentDelete, ContentNotFound, ContentQuery, Publish
from streamgate.errors import Forbidden, Unavailable
from streamgate.events import Received, on_group
from streamgate.settings import Secret
from streamgate.testing.devchain import ChainClient, DevchainServer
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.gate.decide import FACTS_TIMEOUT_S, VETO_TIMEOUT_S
from streamgate_auth.gate.read import LEAF_TIMEOUT_S
from tests.plugins.auth.people import Person, config_for, content_of, decide, kernel_settings, person, set_gate

NAMES = ["metadata", "auth"]
SERVICE = Actor(kind="service")


def holds_one(chain: ChainClient, **more: str) -> Rule:
    return {"erc721": {"chain": chain.chain, "contract": chain.contract, **more}}


async def is_published(home: House, content_id: str) -> bool:
    query = AccessQuery(content_id=content_id, actor=SERVICE, want="see")
    return (await home.services.get(METADATA).get(query)).published_at is not None


@pytest.fixture
async def owner(chained: House) -> Person:
    return await person(chained, "owner")


@pytest.fixture
async def viewer(chained: House) -> Person:
    return await person(chained, "viewer-without-anything")


async def test_the_holder_watches_until_the_token_is_gone(
    chained: House, owner: Person, viewer: Person, devchain: ChainClient
) -> None:
    buyer = await person(chained, "buyer")
    content_id = await content_of(chained, owner.actor, holds_one(devchain))
    before = await decide(chained, viewer.actor, content_id)
    assert (before.outcome, before.explanation.held, before.explanation.needed) == ("does_not_hold", "0", "1")

    token_id = devchain.mint(viewer.wallet.address)
    opened = await decide(chained, viewer.actor, content_id)
    assert (opened.outcome, opened.is_public, opened.explanation.held) == ("holds", False, "1")
    assert opened.explanation.block_number == devchain.block_number
    assert opened.explanation.contract == devchain.contract
    assert opened.leaf_keys == (f"{devchain.chain}/{devchain.contract.lower()}",)

    block = devchain.transfer(viewer.wallet, buyer.wallet.address, token_id)
    after = await decide(chained, viewer.actor, content_id, min_block={devchain.chain: block})
    assert (after.outcome, after.explanation.block_number) == ("does_not_hold", block)
    assert (await decide(chained, buyer.actor, content_id)).outcome == "holds"


async def test_a_certain_token(chained: House, owner: Person, devchain: ChainClient) -> None:
    one, other = await person(chained, "one"), await person(chained, "other")
    token_id = devchain.mint(one.wallet.address)
    devchain.mint(other.wallet.address)
    content_id = await content_of(chained, owner.actor, holds_one(devchain, token_id=str(token_id)))
    assert (await decide(chained, one.actor, content_id)).outcome == "holds"
    assert (await decide(chained, other.actor, content_id)).outcome == "does_not_hold"
    unborn = await content_of(chained, owner.actor, holds_one(devchain, token_id=str(2**256 - 1)))
    refused = await decide(chained, one.actor, unborn)
    assert (refused.outcome, refused.explanation.reason) == ("does_not_hold", "no such token")


async def test_several_tokens_must_be_in_one_wallet(chained: House, owner: Person, devchain: ChainClient) -> None:
    rich = await person(chained, "rich")
    devchain.mint(rich.wallet.address)
    devchain.mint(rich.wallet.address)
    for least, outcome in (("2", "holds"), ("3", "does_not_hold"), (str(2**256 - 1), "does_not_hold")):
        content_id = await content_of(chained, owner.actor, holds_one(devchain, min=least))
        decision = await decide(chained, rich.actor, content_id)
        assert (decision.outcome, decision.explanation.held, decision.explanation.needed) == (outcome, "2", least)


async def test_rules_combine(chained: House, owner: Person, devchain: ChainClient) -> None:
    member, blocked = await person(chained, "member"), await person(chained, "black-sheep")
    devchain.mint(member.wallet.address)
    devchain.mint(blocked.wallet.address)
    mark = devchain.mint(blocked.wallet.address)
    rule = {"all": [holds_one(devchain), {"not": holds_one(devchain, token_id=str(mark))}]}
    content_id = await content_of(chained, owner.actor, rule)
    assert (await decide(chained, member.actor, content_id)).outcome == "holds"
    assert (await decide(chained, blocked.actor, content_id)).outcome == "does_not_hold"
    assert (await decide(chained, ANONYMOUS, content_id)).outcome == "does_not_hold"


async def test_nobody_signed_in_does_not_pass_a_negation(chained: House, owner: Person, devchain: ChainClient) -> None:
    content_id = await content_of(chained, owner.actor, {"not": holds_one(devchain)})
    decision = await decide(chained, ANONYMOUS, content_id)
    assert (decision.outcome, decision.explanation.kind) == ("does_not_hold", "sign_in")


async def test_public_is_for_everybody(chained: House, owner: Person) -> None:
    content_id = await content_of(chained, owner.actor, {"public": {}})
    decision = await decide(chained, ANONYMOUS, content_id)
    assert (decision.outcome, decision.is_public, decision.leaf_keys) == ("holds", True, ())


async def test_without_gate_only_the_owner_and_moderators(chained: House, owner: Person, viewer: Person) -> None:
    content_id = await content_of(chained, owner.actor)
    moderator = Actor(kind="user", user_id="p_mo", roles=("viewer", "moderator"))
    outcomes = {
        name: (await decide(chained, actor, content_id)).outcome
        for name, actor in {
            "owner": owner.actor,
            "moderator": moderator,
            "service": SERVICE,
            "viewer": viewer.actor,
            "nobody": ANONYMOUS,
        }.items()
    }
    assert outcomes == {
        "owner": "holds",
        "moderator": "holds",
        "service": "holds",
        "viewer": "does_not_hold",
        "nobody": "does_not_hold",
    }


async def test_of_what_is_not_there_nobody_holds(chained: House, owner: Person) -> None:
    content_id = await content_of(chained, owner.actor, {"public": {}})
    await chained.services.get(METADATA).delete(ContentDelete(content_id=content_id, actor=owner.actor))
    for gone in (content_id, "c_unknown"):
        for actor in (owner.actor, ANONYMOUS):
            assert (await decide(chained, actor, gone)).outcome == "does_not_hold"


async def test_many_are_decided_in_their_order(
    chained: House, owner: Person, viewer: Person, devchain: ChainClient
) -> None:
    public = await content_of(chained, owner.actor, {"public": {}})
    gated = await content_of(chained, owner.actor, holds_one(devchain, token_id="999999"))
    pairs = [
        (public, ANONYMOUS),
        (gated, viewer.actor),
        (gated, owner.actor),
        ("c_x", owner.actor),
        (public, viewer.actor),
    ]
    queries = tuple(DecideQuery(content_id=content_id, actor=actor) for content_id, actor in pairs)
    found = await chained.services.get(AUTH).decide_many(DecideMany(queries=queries))
    assert [decision.outcome for decision in found.decisions] == [
        "holds",
        "does_not_hold",
        "holds",
        "does_not_hold",
        "holds",
    ]


# --- setting ----------------------------------------------------------------------------------------


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


# --- checking ---------------------------------------------------------------------------------------


async def test_check_explains_and_opens_nothing(
    chained: House, owner: Person, viewer: Person, devchain: ChainClient
) -> None:
    check = chained.services.get(AUTH).check_gate
    content_id = await content_of(chained, owner.actor, holds_one(devchain))
    holder = Wallet.named("somebody who never signed in")
    devchain.mint(holder.address)
    own = await check(GateCheck(content_id=content_id, actor=owner.actor))
    assert own.outcome == "does_not_hold"  # the owner may watch, but sees what the rule says
    about = await check(GateCheck(content_id=content_id, actor=owner.actor, address=holder.address.lower()))
    assert (about.outcome, about.explanation.held) == ("holds", "1")
    assert (await check(GateCheck(content_id=content_id, actor=viewer.actor))).outcome == "does_not_hold"
    with pytest.raises(Forbidden):
        await check(GateCheck(content_id=content_id, actor=viewer.actor, address=holder.address))
    private = await content_of(chained, owner.actor)
    with pytest.raises(ContentNotFound):
        await check(GateCheck(content_id=private, actor=viewer.actor))


# --- what is not known ------------------------------------------------------------------------------


@attrs.frozen
class Cut:
    """A house whose chain can be cut off."""

    home: House
    server: DevchainServer
    chain: ChainClient


@pytest.fixture
async def cut(request: pytest.FixtureRequest, tmp_path: Path, own_devchain: DevchainServer) -> AsyncIterator[Cut]:
    with own_devchain.client() as chain:
        config = attrs.evolve(config_for(chain), **getattr(request, "param", {}))
        async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs={"auth": config}) as home:
            yield Cut(home, own_devchain, chain)


@pytest.mark.parametrize("negated", [False, True])
async def test_a_chain_that_cannot_be_read_is_unknown_and_opens_nothing(cut: Cut, negated: bool) -> None:
    owner, holder = await person(cut.home, "owner"), await person(cut.home, "holder")
    cut.chain.mint(holder.wallet.address)
    rule = holds_one(cut.chain)
    content_id = await content_of(cut.home, owner.actor, {"not": rule} if negated else rule)
    assert (await decide(cut.home, holder.actor, content_id)).outcome == ("does_not_hold" if negated else "holds")
    cut.server.kill()
    decision = await decide(cut.home, holder.actor, content_id)
    assert (decision.outcome, decision.grace_until_s) == ("unknown", 0.0)
    assert (await decide(cut.home, owner.actor, content_id)).outcome == "holds"


@pytest.mark.parametrize("cut", [{"grace_s": 120.0}], indirect=True)
async def test_grace_is_for_those_who_were_in_and_ends(cut: Cut) -> None:
    owner, holder = await person(cut.home, "owner"), await person(cut.home, "holder")
    late = await person(cut.home, "late")
    cut.chain.mint(holder.wallet.address)
    cut.chain.mint(late.wallet.address)
    content_id = await content_of(cut.home, owner.actor, holds_one(cut.chain))
    held = await decide(cut.home, holder.actor, content_id)
    cut.server.kill()
    unknown = await decide(cut.home, holder.actor, content_id)
    assert (unknown.outcome, unknown.grace_until_s) == ("unknown", held.read_at_s + 120)
    assert (await decide(cut.home, late.actor, content_id)).grace_until_s == 0.0
    assert (await decide(cut.home, attrs.evolve(holder.actor), "c_other")).grace_until_s == 0.0
    await set_gate(cut.home, owner.actor, content_id, holds_one(cut.chain, min="1", token_id="1"))
    assert (await decide(cut.home, holder.actor, content_id)).grace_until_s == 0.0  # another rule


async def test_metadata_that_hangs_is_unknown_and_leaves_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamgate_auth.gate.decide.FACTS_TIMEOUT_S", 0.05)
    configs = {"auth": AuthConfig(grace_s=300)}
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs=configs) as home:
        owner = await person(home, "owner")
        content_id = await content_of(home, owner.actor, {"public": {}})
        held = await decide(home, owner.actor, content_id)
        metadata = home.services.get(METADATA)

        async def hang(query: ContentQuery) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(metadata, "facts", hang)
        decision = await decide(home, owner.actor, content_id)
        assert (decision.outcome, decision.grace_until_s) == ("unknown", held.read_at_s + 300)
        assert decision.explanation.text == "the content's owner is not known now"


@pytest.mark.parametrize("method", ["decide", "decide_many"])
def test_a_decision_has_time_for_each_of_its_waits(method: str) -> None:
    """Otherwise its caller gets a fault where it was promised `unknown`."""
    waits_s = FACTS_TIMEOUT_S + LEAF_TIMEOUT_S + VETO_TIMEOUT_S
    assert waits_s < AUTH.methods[method].timeout_s


async def test_a_stored_rule_of_a_kind_that_went_away_opens_to_nobody(
    chained: House, owner: Person, viewer: Person, devchain: ChainClient
) -> None:
    content_id = await content_of(chained, owner.actor, {"not": holds_one(devchain)})
    kinds = chained.plugins["auth"].service._gates._kinds
    kinds._by_name = {}
    decision = await decide(chained, viewer.actor, content_id)
    assert (decision.outcome, decision.explanation.text) == ("unknown", "the stored rule cannot be read here")


# --- the veto ---------------------------------------------------------------------------------------


async def test_a_blocked_wallet_watches_nothing(tmp_path: Path, devchain: ChainClient) -> None:
    bad = Wallet.named("blocked")
    config = attrs.evolve(config_for(devchain), blocked_addresses=(bad.address.lower(),))
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs={"auth": config}) as home:
        owner, blocked = await person(home, "owner"), await person(home, "blocked")
        devchain.mint(bad.address)
        rules: list[Any] = [{"public": {}}, holds_one(devchain)]
        for rule in rules:
            content_id = await content_of(home, owner.actor, rule)
            decision = await decide(home, blocked.actor, content_id)
            assert (decision.outcome, decision.explanation.kind) == ("does_not_hold", "veto")
            assert decision.explanation.parts[0].outcome == "holds"
            assert (await decide(home, owner.actor, content_id)).outcome == "holds"
        own = await content_of(home, blocked.actor)
        assert (await decide(home, blocked.actor, own)).outcome == "does_not_hold"  # owners too


async def test_a_chain_taken_out_of_the_configuration_is_unknown(tmp_path: Path, devchain: ChainClient) -> None:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, NAMES, settings=settings, configs={"auth": config_for(devchain)}) as home:
        owner, viewer = await person(home, "owner"), await person(home, "viewer")
        content_id = await content_of(home, owner.actor, {"not": holds_one(devchain)})
    other = AuthConfig(chains={"eip155:1": ChainSettings(rpc_urls=(Secret("http://127.0.0.1:9"),))})
    async with house(tmp_path, NAMES, settings=settings, configs={"auth": other}) as home:
        decision = await decide(home, viewer.actor, content_id)
    assert (decision.outcome, decision.explanation.parts[0].reason) == ("unknown", "eip155:31337 is not configured")


async def test_without_metadata_nobody_is_let_in(tmp_path: Path) -> None:
    async with house(tmp_path, ["auth"], settings=kernel_settings(tmp_path)) as home:
        for actor in (ANONYMOUS, Actor(kind="user", user_id="p_1", roles=("admin",)), SERVICE):
            assert (await decide(home, actor, "c_1")).outcome == "unknown"
