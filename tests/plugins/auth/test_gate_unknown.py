"""What is not known opens nothing: a chain that is away, a fact that hangs, a rule that went away. And the veto."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import AUTH, GateCheck
from streamgate.contracts.metadata import METADATA, ContentQuery
from streamgate.settings import Secret
from streamgate.testing.attacks import attack
from streamgate.testing.devchain import ChainClient, DevchainServer
from streamgate.testing.house import House, house
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.gate.decide import FACTS_TIMEOUT_S, VETO_TIMEOUT_S
from streamgate_auth.gate.read import LEAF_TIMEOUT_S
from tests.plugins.auth.people import (
    NAMES,
    SERVICE,
    Person,
    config_for,
    content_of,
    decide,
    holds_one,
    kernel_settings,
    person,
    set_gate,
)


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


@attack("A4", "B22")
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


@attack("B22")
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
    assert (await decide(chained, viewer.actor, content_id)).outcome == "holds"
    chained.plugins["auth"].gate.kinds._by_name = {}
    chained.plugins["auth"].gate.known.forget_gates()
    decision = await decide(chained, viewer.actor, content_id)
    assert (decision.outcome, decision.explanation.text) == ("unknown", "the stored rule cannot be read here")


# --- the veto -------------------------------------------------------------------------------------


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
        whole = await home.services.get(AUTH).check_gate(
            GateCheck(content_id=content_id, actor=owner.actor, address=viewer.wallet.address)
        )
    assert (decision.outcome, decision.explanation.parts[0].reason) == ("unknown", "cannot be read now")
    assert (whole.outcome, whole.explanation.parts[0].reason) == ("unknown", "eip155:31337 is not configured")


@attack("A4")
async def test_without_metadata_nobody_is_let_in(tmp_path: Path) -> None:
    async with house(tmp_path, ["auth"], settings=kernel_settings(tmp_path)) as home:
        for actor in (ANONYMOUS, Actor(kind="user", user_id="p_1", roles=("admin",)), SERVICE):
            assert (await decide(home, actor, "c_1")).outcome == "unknown"
