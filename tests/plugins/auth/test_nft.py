"""What is held, by the chain's own word: every standard against a real node, and no guess where it cannot be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts.nft import NFT, OwnedQuery, TokenNotFound, TokenQuery
from streamgate.settings import Secret
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate.testing.processes import free_port
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.evm.measure import address_word, number_word
from tests.plugins.auth.people import actor_of, config_for, content_of, decide, kernel_settings, sign_in_by

FOLDER = Path(__file__).parent / "contracts"
PREFIX = "/api/v1/auth"


@cache
def bytecode() -> dict[str, str]:
    artifact = json.loads((FOLDER / "Tokens.json").read_text())
    source = (FOLDER / "Tokens.sol").read_bytes()
    assert artifact["source_sha256"] == hashlib.sha256(source).hexdigest(), "compile the contracts anew"
    found: dict[str, str] = artifact["bytecode"]
    return found


@attrs.frozen
class Deployer:
    """Contracts of one test, on the chain that all tests share."""

    chain: ChainClient

    def send(self, **transaction: str) -> dict[str, Any]:
        return self.chain._sent({"from": self.chain.call("eth_accounts")[1], **transaction})

    def deploy(self, name: str) -> str:
        address: str = self.send(data=bytecode()[name])["contractAddress"]
        return address

    def mint(self, contract: str, selector: str, to: str, *numbers: int) -> None:
        words = "".join(map(number_word, numbers))
        self.send(to=contract, data=selector + address_word(to) + words)


COIN_MINT = ITEM = "0x40c10f19"  # mint(address,uint256)
ITEMS_MINT = "0x156e29f6"  # mint(address,uint256,uint256)


@pytest.fixture
def deployer(devchain: ChainClient) -> Deployer:
    return Deployer(devchain)


@pytest.fixture
async def verify(chained: House) -> AsyncIterator[Any]:
    actor = Actor(kind="user", user_id="p_1", roles=("viewer",), credential="a_1")
    async with chained.client(actor) as client:

        async def ask(**body: Any) -> httpx.Response:
            return await client.post(f"{PREFIX}/verify-nft", json=body)

        yield ask


def fresh(name: str) -> Wallet:
    """A wallet of one test, as the chain is everybody's."""
    return Wallet.named(f"{name} of test_nft")


async def test_every_standard_is_found_out_and_read(deployer: Deployer, verify: Any) -> None:
    chain, holder, other = deployer.chain.chain, fresh("holder"), fresh("other")
    coin, items, gallery = (deployer.deploy(name) for name in ("TestCoin", "TestItems", "TestGallery"))
    deployer.mint(coin, COIN_MINT, holder.address, 10**30)
    deployer.mint(items, ITEMS_MINT, holder.address, 7, 3)
    deployer.mint(gallery, ITEM, holder.address, 1)
    deployer.chain.fund(holder.address)
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"contract": coin}, "erc20", str(10**30)),
        ({"contract": items, "token_id": "7"}, "erc1155", "3"),
        ({"contract": items, "token_id": "8"}, "erc1155", "0"),
        ({"contract": gallery}, "erc721", "1"),
        ({"contract": gallery, "token_id": "1"}, "erc721", "1"),
        ({"contract": gallery, "token_id": "99"}, "erc721", "0"),
        ({}, "native", str(10**18)),
    ]
    for what, standard, balance in cases:
        for wallet, held in ((holder, balance), (other, "0")):
            answer = await verify(address=wallet.address.lower(), chain=chain, **what)
            found = answer.json()
            assert answer.status_code == 200, (what, found)
            assert (found["standard"], found["balance"], found["holds"]) == (standard, held, held != "0"), what
            assert (found["address"], found["sources"]) == (wallet.address, 1)
            assert 0 < found["block_number"] <= deployer.chain.block_number
        named = await verify(address=holder.address, chain=chain, standard=standard, **what)
        assert named.json()["balance"] == balance
    enough = await verify(address=holder.address, chain=chain, contract=items, token_id="7", min_balance="3")
    short = await verify(address=holder.address, chain=chain, contract=items, token_id="7", min_balance="4")
    assert (enough.json()["holds"], short.json()["holds"]) == (True, False)


async def test_what_cannot_be_asked_is_422_with_its_field(deployer: Deployer, verify: Any) -> None:
    chain, wallet = deployer.chain.chain, fresh("holder").address
    items, liar = deployer.deploy("TestItems"), deployer.deploy("TestLiar")
    pass_ = deployer.chain.contract
    cases: list[tuple[dict[str, Any], str]] = [
        ({"contract": wallet}, "auth.contract_invalid"),  # no code there
        ({"contract": "0x" + "0" * 40}, "auth.contract_invalid"),
        ({"contract": "0x12"}, "auth.address_invalid"),
        ({"contract": pass_, "standard": "erc1155", "token_id": "1"}, "auth.contract_invalid"),
        ({"contract": pass_, "standard": "erc20"}, "auth.contract_invalid"),
        ({"contract": items, "standard": "erc721"}, "auth.contract_invalid"),
        ({"contract": items}, "request.invalid"),
        ({"contract": pass_, "token_id": "01"}, "request.invalid"),
        ({"contract": pass_, "token_id": str(2**256)}, "request.invalid"),
        ({"contract": pass_, "min_balance": "0"}, "request.invalid"),
        ({"contract": pass_, "min_balance": "-1"}, "request.invalid"),
        ({"contract": pass_, "min_balance": "²"}, "request.invalid"),
        ({"contract": pass_, "standard": "native"}, "request.invalid"),
        ({"contract": pass_, "standard": "spl"}, "request.invalid"),
        ({"standard": "erc20"}, "request.invalid"),
        ({"token_id": "1"}, "request.invalid"),
        ({"contract": liar, "token_id": "1"}, "request.invalid"),  # taken at nothing it says: an ERC-20, then
    ]
    for what, code in cases:
        answer = await verify(address=wallet, chain=chain, **what)
        assert (answer.status_code, answer.json()["code"]) == (422, code), (what, answer.text)
    for address, where, code in (
        ("0x12", chain, "auth.address_invalid"),
        (wallet, "eip155:5", "auth.chain_unknown"),
        (wallet, "solana:mainnet", "auth.chain_unknown"),
        (f"eip155:5:{wallet}", chain, "auth.chain_unknown"),
    ):
        answer = await verify(address=address, chain=where, contract=pass_)
        assert (answer.status_code, answer.json()["code"]) == (422, code), (address, where)


async def test_a_chain_that_cannot_be_read_is_503_and_never_no(tmp_path: Path, devchain: ChainClient) -> None:
    urls = (Secret(f"http://127.0.0.1:{free_port()}/secret-key"),)
    configs = {"auth": AuthConfig(chains={devchain.chain: ChainSettings(rpc_urls=urls)})}
    actor = Actor(kind="user", user_id="p_1", roles=("viewer",), credential="a_1")
    settings = kernel_settings(tmp_path)
    async with (
        house(tmp_path, ["metadata", "auth"], settings=settings, configs=configs) as home,
        home.client(actor) as http,
    ):
        for what in ({"contract": devchain.contract}, {}):
            body = {"address": fresh("holder").address, "chain": devchain.chain, **what}
            answer = await http.post(f"{PREFIX}/verify-nft", json=body)
            assert (answer.status_code, answer.json()["code"]) == (503, "auth.chain_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert "secret-key" not in answer.text


async def test_ones_own_tokens_are_listed_over_all_wallets(deployer: Deployer, chained: House) -> None:
    chain, wallet = deployer.chain.chain, fresh("lister")
    gallery = deployer.deploy("TestGallery")
    async with chained.client() as http:
        me = actor_of(await sign_in_by(http, wallet, "siwe"))
    nft = chained.services.get(NFT)
    query = OwnedQuery(actor=me, chain=chain, contract=gallery, limit=2)
    empty = await nft.owned(query)
    assert (empty.enumerable, empty.items, empty.next_cursor) == (True, (), None)
    for token_id in (5, 6, 7):
        deployer.mint(gallery, ITEM, wallet.address, token_id)
    first = await nft.owned(query)
    assert ([item.token_id for item in first.items], first.balances[0].balance) == (["5", "6"], "3")
    last = await nft.owned(attrs.evolve(query, cursor=first.next_cursor))
    assert ([item.token_id for item in last.items], last.next_cursor) == (["7"], None)
    deployer.chain.mint(wallet.address)
    plain = await nft.owned(attrs.evolve(query, contract=deployer.chain.contract))
    assert (plain.enumerable, plain.items, plain.balances[0].balance) == (False, (), "1")
    nobody = await nft.owned(attrs.evolve(query, actor=Actor(kind="user", user_id="p_unknown")))
    assert (nobody.balances, nobody.items) == ((), ())


async def test_a_token_says_who_owns_it_and_its_texts_are_bounded(deployer: Deployer, chained: House) -> None:
    chain, wallet = deployer.chain.chain, fresh("owner")
    gallery = deployer.deploy("TestGallery")
    for token_id in (1, 2):
        deployer.mint(gallery, ITEM, wallet.address, token_id)
    async with chained.client() as http:
        me = actor_of(await sign_in_by(http, wallet, "siwe"))
    nft = chained.services.get(NFT)
    query = TokenQuery(actor=me, chain=chain, contract=gallery, token_id="1")
    found = await nft.token(query)
    assert (found.owner, found.held, found.token_uri) == (wallet.address, True, "ipfs://bafy/1.json")
    assert (found.name, found.symbol) == ("Gal[2Jlery", "GLRY")
    assert (await nft.token(attrs.evolve(query, token_id="2"))).token_uri is None
    stranger = attrs.evolve(query, actor=Actor(kind="user", user_id="p_unknown"))
    assert not (await nft.token(stranger)).held
    with pytest.raises(TokenNotFound):
        await nft.token(attrs.evolve(query, token_id="3"))


async def test_gates_of_every_kind_follow_the_chain(tmp_path: Path, deployer: Deployer) -> None:
    chain, holder = deployer.chain.chain, fresh("gate holder")
    coin, items = deployer.deploy("TestCoin"), deployer.deploy("TestItems")
    leaves: list[dict[str, Any]] = [
        {"erc20": {"chain": chain, "contract": coin, "min": "1000"}},
        {"erc1155": {"chain": chain, "contract": items, "token_id": "7", "min": "2"}},
        {"native": {"chain": chain, "min": str(10**18)}},
    ]
    two = {"at_least": {"count": 2, "of": leaves}}
    configs = {"auth": config_for(deployer.chain)}
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs=configs) as home, home.client() as http:
        owner = Actor(kind="user", user_id="p_owner", roles=("creator",))
        me = actor_of(await sign_in_by(http, holder, "siwe"))
        contents = [await content_of(home, owner, gate) for gate in (*leaves, two, {"not": two})]

        async def outcomes() -> list[str]:
            return [(await decide(home, me, content_id)).outcome for content_id in contents]

        no, yes = "does_not_hold", "holds"
        assert await outcomes() == [no, no, no, no, yes]
        deployer.mint(coin, COIN_MINT, holder.address, 1000)
        assert await outcomes() == [yes, no, no, no, yes]
        deployer.mint(items, ITEMS_MINT, holder.address, 7, 2)
        assert await outcomes() == [yes, yes, no, yes, no]
        deployer.chain.fund(holder.address)
        assert await outcomes() == [yes, yes, yes, yes, no]
        explanation = (await decide(home, me, contents[3])).explanation
        assert (explanation.kind, explanation.needed, explanation.held) == ("at_least", "2", "3")
