"""Decisions over nodes that misbehave: what the gate makes of what the pool says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamgate.settings import Secret
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import house
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig, ChainSettings
from tests.plugins.auth.people import content_of, decide, kernel_settings, person

Nodes = Callable[[int], list[FaultyNode]]


async def test_a_decision_of_ten_rules_is_one_request(devchain: ChainClient, nodes: Nodes, tmp_path: Path) -> None:
    (node,) = nodes(1)
    config = AuthConfig(chains={devchain.chain: ChainSettings(rpc_urls=(Secret(node.url),))})
    rules = [
        *({"erc721": {"chain": devchain.chain, "contract": devchain.contract, "min": str(n)}} for n in range(1, 6)),
        *({"erc721": {"chain": devchain.chain, "contract": devchain.contract, "token_id": str(n)}} for n in range(4)),
        {"native": {"chain": devchain.chain, "min": "1"}},
    ]
    gate = {"at_least": {"count": 2, "of": rules}}
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs={"auth": config}) as home:
        owner, viewer = await person(home, "owner"), await person(home, "viewer of ten")
        devchain.mint(viewer.wallet.address)
        devchain.mint(viewer.wallet.address)
        content_id = await content_of(home, owner.actor, gate)
        node.requests.clear()
        decision = await decide(home, viewer.actor, content_id)
    assert decision.outcome == "holds"
    assert node.requests == [("eth_call",)]


@pytest.mark.parametrize("rule_holds", [True, False])
async def test_a_liar_makes_a_quorum_unknown_and_never_a_yes(
    devchain: ChainClient, nodes: Nodes, tmp_path: Path, rule_holds: bool
) -> None:
    """Under `not` as well, where a lied no would open."""
    liar, honest = nodes(2)
    liar.lie(devchain.contract, 0 if rule_holds else 1)
    urls = tuple(Secret(node.url) for node in (liar, honest))
    config = AuthConfig(chains={devchain.chain: ChainSettings(rpc_urls=urls, quorum=2)})
    holds = {"erc721": {"chain": devchain.chain, "contract": devchain.contract}}
    gate = {"not": holds} if rule_holds else holds
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs={"auth": config}) as home:
        owner, viewer = await person(home, "owner"), await person(home, f"viewer {rule_holds}")
        if rule_holds:
            devchain.mint(Wallet.named(f"viewer {rule_holds}").address)
        content_id = await content_of(home, owner.actor, gate)
        decision = await decide(home, viewer.actor, content_id)
    assert decision.outcome == "unknown"
