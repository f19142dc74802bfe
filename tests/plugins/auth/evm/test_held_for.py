"""Since when wallets have held what they hold, and at which block a gain is judged."""

from __future__ import annotations

import asyncio
from typing import Any

from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.testing.attacks import attack
from streamgate.testing.devchain import ChainClient
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.past import Past
from tests.plugins.auth.evm.conftest import Open
from tests.plugins.auth.evm.ground import Forgetful, Ground, rule
from tests.plugins.auth.people import Person, content_of, decide, person

WEEK_S, DAY_S = 604_800, 86_400


@attack("B17")
async def test_what_was_got_in_this_block_never_opens_where_it_must_have_been_held(
    ground: Ground, viewer: Person
) -> None:
    """A loan within a block, and what has just changed hands; of every kind."""
    coin, items = ground.deploy("Tokens", "TestCoin"), ground.deploy("Tokens", "TestItems")
    ground.mint(coin, viewer.wallet.address, 5)
    ground.mint(items, viewer.wallet.address, 7, 2)
    token = ground.chain.mint(viewer.wallet.address)
    ground.chain.call("anvil_setBalance", viewer.wallet.address, hex(9))
    of_token = rule("erc721", ground.chain, ground.chain.contract, token_id=str(token), held_for_s=WEEK_S)
    rules = [
        rule("erc20", ground.chain, coin, min="5", held_for_s=WEEK_S),
        rule("erc1155", ground.chain, items, token_id="7", held_for_s=WEEK_S),
        rule("native", ground.chain, None, min="9", held_for_s=WEEK_S),
        rule("erc721", ground.chain, ground.chain.contract, held_for_s=WEEK_S),
        of_token,
    ]
    for each in rules:
        told = await ground.explain(each, viewer)
        assert (told.outcome, told.reason) == ("does_not_hold", "held, but not for so long yet"), each
    ground.later(WEEK_S + DAY_S)
    for each in rules:
        assert (await ground.explain(each, viewer)).outcome == "holds", each
    # Moved on, the same token has to cool down again; with whom it was does not count.
    buyer = await person(ground.home, "buyer of holdings")
    ground.chain.transfer(viewer.wallet, buyer.wallet.address, token)
    ground.later(0)
    for who in (viewer, buyer):
        assert (await ground.explain(of_token, who)).outcome == "does_not_hold"
    content_id = await content_of(ground.home, ground.owner.actor, {"not": rules[0]})
    assert (await decide(ground.home, viewer.actor, content_id)).outcome == "holds"


async def test_a_node_without_old_states_leaves_it_unknown(ground: Ground, viewer: Person) -> None:
    held_long = rule("erc721", ground.chain, ground.chain.contract, held_for_s=WEEK_S)
    ground.chain.mint(viewer.wallet.address)
    assert isinstance(ground.node, Forgetful)
    ground.node.is_archive = False
    told = await ground.explain(held_long, viewer)
    assert told.outcome == "unknown"
    assert "archive nodes" in told.reason
    nobody = await person(ground.home, "nobody of holdings")
    assert (await ground.explain(held_long, nobody)).outcome == "does_not_hold"  # the past is no question then
    (warning,) = await ground.warnings(held_long)
    assert "archive nodes" in warning
    assert await ground.warnings(rule("native", ground.chain, None, held_for_s=60)) == ()


class Dated(FaultyNode):
    """Says that all its blocks are a year older than they are."""

    def _told(self, question: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if question["method"] != "eth_getBlockByNumber":
            return super()._told(question, answer)
        early = hex(int(answer["result"]["timestamp"], 16) - 365 * DAY_S)
        return {**answer, "result": {**answer["result"], "timestamp": early}}


@attack("B17", "B21")
async def test_one_endpoint_that_lies_of_times_does_not_choose_the_block(
    devchain: ChainClient, open_chain: Open
) -> None:
    devchain.mint(Wallet.named("borrower").address)
    with Dated(devchain.rpc_url) as liar, FaultyNode(devchain.rpc_url) as honest:
        alone = await Past(await open_chain(liar), SYSTEM_CLOCK).block(WEEK_S)
        both = await Past(await open_chain(liar, honest, quorum=2), SYSTEM_CLOCK).block(WEEK_S)
    assert isinstance(alone, int)  # one endpoint is believed, whatever it says
    assert alone > 0
    assert isinstance(both, str)
    assert "is not sure" in both


@attack("B23")
async def test_a_gain_is_judged_at_the_rules_own_tag_and_a_loss_at_once(ground: Ground, viewer: Person) -> None:
    head, safe, final = (
        int(ground.chain.call("eth_getBlockByNumber", tag, False)["number"], 16)
        for tag in ("latest", "safe", "finalized")
    )
    assert head > safe > final
    token = ground.chain.mint(viewer.wallet.address)
    rules = {
        finality: rule("erc721", ground.chain, ground.chain.contract, token_id=str(token), finality=finality)
        for finality in ("latest", "safe", "finalized")
    }

    async def outcomes() -> list[str]:
        found = await asyncio.gather(*(ground.explain(each, viewer) for each in rules.values()))
        return [told.outcome for told in found]

    assert await outcomes() == ["holds", "unknown", "unknown"]
    ground.chain.call("anvil_mine", hex(head - safe))
    assert await outcomes() == ["holds", "holds", "unknown"]
    ground.chain.call("anvil_mine", hex(safe - final))
    assert await outcomes() == ["holds"] * 3
    ground.chain.transfer(viewer.wallet, ground.owner.wallet.address, token)
    assert await outcomes() == ["does_not_hold"] * 3
