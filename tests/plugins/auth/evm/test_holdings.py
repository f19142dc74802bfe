"""What wallets hold, as gates ask it of a real chain: how many, which, and since when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.contracts.gate import Explanation, GateInvalid, Rule
from streamgate.sdk.clock import SYSTEM_CLOCK, SystemClock
from streamgate.settings import Secret
from streamgate.testing.attacks import attack
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.evm.delegate import MAX_VAULTS
from streamgate_auth.evm.measure import address_word, number_word
from streamgate_auth.evm.past import Past
from streamgate_auth.gate.gates import Gates
from tests.plugins.auth.evm.conftest import CONTRACTS, Open
from tests.plugins.auth.people import Person, content_of, decide, kernel_settings, person, set_gate

WEEK_S, DAY_S = 604_800, 86_400
MINT, MINT_ITEM = "0x40c10f19", "0x156e29f6"  # mint(address,uint256), mint(address,uint256,uint256)
TRANSFER_FROM = "0x23b872dd"  # transferFrom(address,address,uint256)
DELEGATE, REVOKE = "0xadf90f7b", "0x74a8f103"  # of TestRegistry
ALL, CONTRACT, ERC721, ERC20, ERC1155 = range(1, 6)
ANY_RIGHTS, OURS, OTHERS = "00" * 32, b"streamgate".hex().ljust(64, "0"), b"lending".hex().ljust(64, "0")


@cache
def bytecode(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((CONTRACTS / f"{name}.json").read_text())["bytecode"]
    return found


@attrs.frozen
class Ground:
    """A house on the run's chain, an owner of contents, and contracts of this test's own."""

    home: House
    owner: Person
    chain: ChainClient
    node: FaultyNode
    registry: str

    async def explain(self, rule: Rule, who: Person) -> Explanation:
        """What such a gate would say of somebody, as its owner is told."""
        gates: Gates = self.home.plugins["auth"].gate.gates
        return (await gates.try_rule(rule, self.owner.actor, who.wallet.address)).explanation

    async def warnings(self, rule: Rule) -> tuple[str, ...]:
        content_id = await content_of(self.home, self.owner.actor)
        return (await set_gate(self.home, self.owner.actor, content_id, rule)).warnings

    def deploy(self, source: str, name: str, *words: str) -> str:
        return deploy(self.chain, source, name, *words)

    def act(self, sender: str, to: str, selector: str, *words: str) -> None:
        self.chain.call("anvil_setBalance", sender, hex(10**18))
        self.chain.call("anvil_impersonateAccount", sender)
        self.chain._sent({"from": sender, "to": to, "data": selector + "".join(words)})

    def mint(self, contract: str, to: str, *numbers: int) -> None:
        selector = MINT_ITEM if len(numbers) == 2 else MINT
        self.act(self.chain.call("eth_accounts")[1], contract, selector, address_word(to), *map(number_word, numbers))

    def later(self, by_s: float) -> None:
        """From now on, for what the gate asks of chains."""
        self.home.plugins["auth"].chains._clock = Later(by_s)


class Later(SystemClock):
    """The machine's clock, ahead of itself."""

    def __init__(self, by_s: float) -> None:
        self._by_s = by_s

    def now_s(self) -> float:
        return super().now_s() + self._by_s


class Forgetful(FaultyNode):
    """Keeps the states of the newest block alone."""

    is_archive = True

    def _refused(self, question: dict[str, Any], head: int) -> dict[str, Any] | None:
        block = self._block(question)
        is_state = question["method"] != "eth_getBlockByNumber" and block.startswith("0x")
        if is_state and not self.is_archive and int(block, 16) < self._head():
            return {"error": {"code": -32000, "message": "missing trie node"}}
        return super()._refused(question, head)


def deploy(chain: ChainClient, source: str, name: str, *words: str) -> str:
    data = bytecode(source)[name] + "".join(words)
    address: str = chain._sent({"from": chain.call("eth_accounts")[1], "data": data})["contractAddress"]
    return address


@pytest.fixture(scope="session")
def registry(devchain: ChainClient) -> str:
    return deploy(devchain, "Registry", "TestRegistry")


@pytest.fixture
async def ground(tmp_path: Path, devchain: ChainClient, registry: str) -> AsyncIterator[Ground]:
    with Forgetful(devchain.rpc_url) as node:
        how = ChainSettings(
            rpc_urls=(Secret(node.url),),
            watch=False,
            name="Local",
            delegate_registry=registry,
            explorer="https://scan.example",
            marketplace="https://shop.example/{contract}",
        )
        config = AuthConfig(chains={devchain.chain: how}, cache_s=0.0)
        settings = kernel_settings(tmp_path)
        async with house(tmp_path, ["metadata", "auth"], settings=settings, configs={"auth": config}) as home:
            yield Ground(home, await person(home, "owner of holdings"), devchain, node, registry)


@pytest.fixture
async def viewer(ground: Ground, request: pytest.FixtureRequest) -> Person:
    return await person(ground.home, request.node.name)


@pytest.fixture
def gallery(ground: Ground) -> str:
    """ERC-721 Enumerable."""
    return ground.deploy("Tokens", "TestGallery")


def rule(kind: str, chain: ChainClient, contract: str | None, **more: Any) -> Rule:
    return {kind: {"chain": chain.chain, **({} if contract is None else {"contract": contract}), **more}}


# --- since when -------------------------------------------------------------------------------------


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


# --- how many, and which ----------------------------------------------------------------------------


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


# --- what people are told ---------------------------------------------------------------------------


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
    assert "tells no decimals" in await said("erc20", ground.registry)
    ground.node.is_dead = True
    assert "could not be checked" in await said("erc721", ground.deploy("Tokens", "TestGallery"))


# --- in whose name ----------------------------------------------------------------------------------


@attrs.frozen
class Vault:
    """A wallet that delegates. Rights and numbers are words of the registry's."""

    ground: Ground
    address: str

    def delegate(
        self, kind: int, to: str, contract: str = "0x0", token: int = 0, amount: int = 0, rights: str = ANY_RIGHTS
    ) -> None:
        words = (number_word(kind), address_word(to), rights, address_word(contract), number_word(token))
        self.ground.act(self.address, self.ground.registry, DELEGATE, *words, number_word(amount))

    def revoke(self, to: str) -> None:
        self.ground.act(self.address, self.ground.registry, REVOKE, address_word(to))


@pytest.fixture
def vault(ground: Ground, request: pytest.FixtureRequest) -> Vault:
    return Vault(ground, Wallet.named(f"vault of {request.node.name}").address)


@attack("B25")
async def test_a_vault_that_delegated_counts_until_it_revokes(ground: Ground, viewer: Person, vault: Vault) -> None:
    mine, to = ground.chain.mint(vault.address), viewer.wallet.address
    demo = ground.chain.contract
    plain = rule("erc721", ground.chain, demo)
    delegated = rule("erc721", ground.chain, demo, delegated=True)
    certain = rule("erc721", ground.chain, demo, token_id=str(mine), delegated=True)
    coin = rule("native", ground.chain, None, delegated=True, min=str(10**17))

    async def outcomes() -> list[str]:
        return [(await ground.explain(each, viewer)).outcome[:4] for each in (plain, delegated, certain, coin)]

    assert await outcomes() == ["does", "does", "does", "does"]
    vault.delegate(ALL, to, rights=OTHERS)
    vault.delegate(CONTRACT, to, ground.registry)  # another contract
    vault.delegate(ERC20, to, demo, amount=10)  # another kind
    assert await outcomes() == ["does", "does", "does", "does"]
    vault.delegate(CONTRACT, to, demo, rights=OURS)
    assert await outcomes() == ["does", "hold", "hold", "does"]
    told = await ground.explain(delegated, viewer)
    assert told.held_by == vault.address
    vault.revoke(to)
    assert await outcomes() == ["does", "does", "does", "does"]
    vault.delegate(ALL, to)
    assert await outcomes() == ["does", "hold", "hold", "hold"]
    content_id = await content_of(ground.home, ground.owner.actor, certain)
    decision = await decide(ground.home, viewer.actor, content_id)
    assert decision.tokens == (f"{ground.chain.chain}/{demo.lower()}/{mine}",)
    assert decision.explanation.held_by == ""  # the vault is not the viewer's to know
    words = (address_word(vault.address), address_word(ground.owner.wallet.address), number_word(mine))
    ground.act(vault.address, demo, TRANSFER_FROM, *words)
    assert (await ground.explain(certain, viewer)).outcome == "does_not_hold"


@attack("B25")
async def test_what_was_delegated_for_a_token_or_an_amount_counts_for_that_alone(
    ground: Ground, viewer: Person, vault: Vault, gallery: str
) -> None:
    items, money = ground.deploy("Tokens", "TestItems"), ground.deploy("Tokens", "TestCoin")
    for token in (1, 2, 3):
        ground.mint(gallery, vault.address, token)
        ground.mint(items, vault.address, token, 9)
    ground.mint(money, vault.address, 9)
    to = viewer.wallet.address
    vault.delegate(ERC721, to, gallery, token=2)
    vault.delegate(ERC721, to, gallery, token=8)  # not the vault's
    vault.delegate(ERC1155, to, items, token=2, amount=5)
    vault.delegate(ERC20, to, money, amount=5)
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("erc721", gallery, {}, "holds"),
        ("erc721", gallery, {"min": "2"}, "does_not_hold"),
        ("erc721", gallery, {"token_id": "2"}, "holds"),
        ("erc721", gallery, {"token_id": "3"}, "does_not_hold"),
        ("erc721", gallery, {"token_ids": {"from": "1", "to": "9"}}, "holds"),
        ("erc721", gallery, {"token_ids": {"from": "3", "to": "3000"}}, "does_not_hold"),
        ("erc1155", items, {"token_id": "2", "min": "5"}, "holds"),
        ("erc1155", items, {"token_id": "2", "min": "6"}, "does_not_hold"),
        ("erc1155", items, {"token_id": "1"}, "does_not_hold"),
        ("erc20", money, {"min": "5"}, "holds"),
        ("erc20", money, {"min": "6"}, "does_not_hold"),
    ]
    for kind, contract, more, outcome in cases:
        told = await ground.explain(rule(kind, ground.chain, contract, delegated=True, **more), viewer)
        assert told.outcome == outcome, (kind, more)


@attack("B25")
async def test_a_registry_that_cannot_say_leaves_what_one_holds_oneself(
    ground: Ground, viewer: Person, vault: Vault
) -> None:
    """Spam of delegations, a registry that is none, and a chain without one."""
    delegated = rule("erc721", ground.chain, ground.chain.contract, delegated=True)
    nobody = await person(ground.home, "nobody of delegations")
    ground.chain.mint(viewer.wallet.address)
    for each in range(MAX_VAULTS + 1):
        sender = Wallet.named(f"spam {each}").address
        for to in (viewer.wallet.address, nobody.wallet.address):
            Vault(ground, sender).delegate(ALL, to)
    assert (await ground.explain(delegated, viewer)).outcome == "holds"
    assert (await ground.explain(delegated, nobody)).outcome == "unknown"
    chain = await ground.home.plugins["auth"].chains.get(ground.chain.chain)
    chain.facts = attrs.evolve(chain.facts, delegate_registry=ground.chain.contract)
    assert (await ground.explain(delegated, viewer)).outcome == "holds"
    assert (await ground.explain(delegated, nobody)).outcome == "unknown"
    chain.facts = attrs.evolve(chain.facts, delegate_registry="")
    with pytest.raises(GateInvalid, match="no delegate registry"):
        await ground.explain(delegated, viewer)
