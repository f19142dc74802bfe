"""What wallets hold, as gates ask it of a real chain: how many and which, and what people are told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamgate.contracts.gate import GateInvalid
from streamgate.testing.attacks import attack
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.measure import number_word
from tests.plugins.auth.evm.ground import Ground, rule
from tests.plugins.auth.people import Person, content_of, decide

WEEK_S, DAY_S = 604_800, 86_400


async def test_from_so_many_to_so_many(ground: Ground, viewer: Person) -> None:
    coin, items = ground.deploy("Tokens", "TestCoin"), ground.deploy("Tokens", "TestItems")
    ground.mint(coin, viewer.wallet.address, 2**255)
    ground.mint(items, viewer.wallet.address, 7, 2)
    for _ in range(2):
        ground.chain.mint(viewer.wallet.address)
    ground.chain.call("anvil_setBalance", viewer.wallet.address, hex(2))
    big = 2**255
    for kind, contract, held, more in (
        ("erc20", coin, big, {}),
        ("erc1155", items, 2, {"token_id": "7"}),
        ("erc721", ground.chain.contract, 2, {}),
        ("native", None, 2, {}),
    ):
        for least, most, outcome in (
            (1, held, "holds"),
            (held, held, "holds"),
            (1, held - 1, "does_not_hold"),
            (held + 1, held + 2, "does_not_hold"),
        ):
            wanted = rule(kind, ground.chain, contract, min=str(least), max=str(most), **more)
            told = await ground.explain(wanted, viewer)
            assert (told.outcome, told.held, told.needed) == (outcome, str(held), str(least)), wanted


async def test_the_tokens_that_open_are_named(ground: Ground, viewer: Person, gallery: str) -> None:
    """Certain ones, of a range, and the lowest of a wallet where they can be listed."""
    for token in (900, 30, 20, 5_000):
        ground.mint(gallery, viewer.wallet.address, token)
    mine = ground.chain.mint(viewer.wallet.address)
    demo = ground.chain.contract

    async def tokens(contract: str, **more: Any) -> tuple[str, list[str]]:
        content_id = await content_of(ground.home, ground.owner.actor, rule("erc721", ground.chain, contract, **more))
        decision = await decide(ground.home, viewer.actor, content_id)
        names = [name.rpartition("/") for name in decision.tokens]
        assert all(before == f"{ground.chain.chain}/{contract.lower()}" for before, _, _ in names)
        return decision.outcome, [token for _, _, token in names]

    wide = {"from": "25", "to": str(2**256 - 1)}
    assert await tokens(gallery) == ("holds", ["20"])
    assert await tokens(gallery, min="3") == ("holds", ["20", "30", "900"])
    assert await tokens(gallery, token_id="900") == ("holds", ["900"])
    assert await tokens(gallery, token_ids=wide, min="2") == ("holds", ["30", "900"])
    assert await tokens(gallery, token_ids={"from": "25", "to": "120"}) == ("holds", ["30"])
    assert await tokens(gallery, token_ids={"from": "25", "to": "120"}, min="2") == ("does_not_hold", [])
    assert await tokens(gallery, token_ids={"from": "6000", "to": str(2**255)}) == ("does_not_hold", [])
    assert await tokens(gallery, token_ids=wide, max="2") == ("does_not_hold", [])
    assert await tokens(demo) == ("holds", [])  # it cannot list them
    assert await tokens(demo, token_ids={"from": str(mine), "to": str(mine + 50)}) == ("holds", [str(mine)])
    with pytest.raises(GateInvalid, match="cannot list"):
        await tokens(demo, token_ids=wide)


@attack("B20")
async def test_a_revert_is_no_no_of_a_contract_that_is_no_erc721(
    ground: Ground, viewer: Person, hostile: Callable[[int], str]
) -> None:
    """Under `not` a no would open."""
    recurses = 5  # answers 1 to everything: who owns the token is its own to say
    for mode in set(range(7)) - {recurses}:
        for which in ({"token_id": "1"}, {"token_ids": {"from": "1", "to": "3"}}):
            told = await ground.explain({"not": rule("erc721", ground.chain, hostile(mode), **which)}, viewer)
            assert told.outcome == "unknown", (mode, which)


async def test_amounts_and_places_for_people(ground: Ground, viewer: Person, gallery: str) -> None:
    coin = ground.deploy("Tokens", "TestCoin")
    ground.mint(coin, viewer.wallet.address, 1_500 * 10**15)
    told = await ground.explain(rule("erc20", ground.chain, coin, min=str(2 * 10**18)), viewer)
    address = told.contract
    assert (told.needed, told.needed_text, told.held_text) == (str(2 * 10**18), "2 COIN", "1.5 COIN")
    assert told.satisfy == f"hold at least 2 COIN ({address}) on Local"
    assert told.link == f"https://scan.example/address/{address}"
    shown = await ground.explain(rule("erc721", ground.chain, gallery, token_id="7", held_for_s=WEEK_S), viewer)
    assert shown.satisfy == f"hold token 7 of {shown.contract} on Local for 7 days"
    assert shown.link == f"https://shop.example/{shown.contract}/7"
    native = await ground.explain(rule("native", ground.chain, None, min=str(10**24), max=str(10**25)), viewer)
    assert native.satisfy == "hold from 1000000 ETH to 10000000 ETH on Local"
    assert (native.needed_text, native.link) == ("1000000 ETH", "")


ODD_COINS = [
    (6, b"USDC", "1.5 USDC"),
    (0, "U\u202eSD\u200b\x1b[2J\u0301C".encode(), "1500000 USD[2JC"),
    (77, b"A" * 80, f"0.{'0' * 70}15 {'A' * 16}"),
    (6, b"X" * 5_000, "1.5"),
    (6, b"\xff\xfe", "1.5"),
    (78, b"LIE", ""),
    (2**256 - 1, b"LIE", ""),
]


@attack("B18")
async def test_a_contract_may_say_of_itself_what_it_likes(
    ground: Ground, viewer: Person, hostile: Callable[[int], str]
) -> None:
    """It is shown cut to what prints, and decides nothing."""
    for decimals, symbol, text in ODD_COINS:
        filled = symbol.hex().ljust(-(-len(symbol) // 32) * 64, "0")
        words = (number_word(decimals), number_word(64), number_word(len(symbol)), filled)
        coin = ground.deploy("Registry", "TestOddCoin", *words)
        told = await ground.explain(rule("erc20", ground.chain, coin, min="1500000"), viewer)
        assert (told.outcome, told.held, told.held_text, told.needed_text) == ("holds", "1500000", text, text)
    for mode in range(7):
        told = await ground.explain(rule("erc20", ground.chain, hostile(mode)), viewer)
        answers_one = mode == 5  # to everything, its decimals too
        assert (told.outcome, told.held_text) == (("holds", "0.1") if answers_one else ("unknown", ""))


async def test_the_owner_is_told_at_once_what_the_chain_says_against_a_rule(ground: Ground, gallery: str) -> None:
    items, coin = ground.deploy("Tokens", "TestItems"), ground.deploy("Tokens", "TestCoin")
    liar, nothing = ground.deploy("Tokens", "TestLiar"), Wallet.named("no contract").address

    async def said(kind: str, contract: str, **more: Any) -> str:
        return " ".join(await ground.warnings(rule(kind, ground.chain, contract, **more)))

    assert "says that it is an ERC-1155, not an ERC-721" in await said("erc721", items)
    assert "says that it is an ERC-721, not an ERC-1155" in await said("erc1155", gallery, token_id="1")
    assert "says that it is an ERC-721, not an ERC-20" in await said("erc20", gallery)
    assert "does not say that it is an ERC-721" in await said("erc721", coin)
    assert "does not say that it is an ERC-721" in await said("erc721", liar)
    for kind in ("erc721", "erc20"):
        assert "there is no contract" in await said(kind, nothing)
    for kind, contract in (("erc721", gallery), ("erc20", coin)):
        assert await said(kind, contract) == ""
    two = {"from": "1", "to": "2"}
    assert "nobody can hold 3 of the ids from 1 to 2" in await said("erc721", gallery, token_ids=two, min="3")
    assert await said("erc721", gallery, token_ids=two, min="2") == ""
    assert "tells no decimals" in await said("erc20", ground.registry)
    ground.node.is_dead = True
    assert "could not be checked" in await said("erc721", ground.deploy("Tokens", "TestGallery"))
