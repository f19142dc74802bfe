"""The gate on a real chain: who holds watches, who does not is told why."""

from __future__ import annotations

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import AUTH, DecideMany, DecideQuery, GateCheck
from streamgate.contracts.metadata import METADATA, ContentDelete, ContentNotFound
from streamgate.errors import Forbidden
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House
from streamgate.testing.wallets import Wallet
from tests.plugins.auth.people import SERVICE, Person, content_of, decide, holds_one, person


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
