"""Solana in the whole of auth: configured, listed, ruled by, asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamgate.context import Actor
from streamgate.contracts.gate import GateInvalid
from streamgate.settings import KernelSettings, Secret
from streamgate.testing.house import House, house
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.diagnose import diagnose
from tests.plugins.auth.people import SolanaWallet, actor_of, content_of, decide, kernel_settings, person, sign_in_by
from tests.plugins.auth.solana.cluster import Cluster, key
from tests.plugins.auth.solana.conftest import DEVNET, Nodes
from tests.plugins.auth.solana.metaplex import CORE_COLLECTION, core, nft
from tests.plugins.auth.solana.node import SolanaNode

VIEWER = SolanaWallet.named("viewer")


@pytest.fixture
def node(nodes: Nodes) -> SolanaNode:
    return nodes(1)[0]


def config(node: SolanaNode) -> AuthConfig:
    return AuthConfig(chains={DEVNET: ChainSettings(rpc_urls=(Secret(node.url),))})


@pytest.fixture
async def home(tmp_path: Path, node: SolanaNode) -> AsyncIterator[House]:
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings, configs={"auth": config(node)}) as home:
        yield home


async def test_a_gate_opens_by_a_token_of_the_wallet_that_signed_in(home: House, cluster: Cluster) -> None:
    from solders.pubkey import Pubkey

    owner, mint = (await person(home, "owner")).actor, cluster.mint(decimals=2)
    content_id = await content_of(home, owner, {"spl": {"chain": DEVNET, "mint": str(mint), "min": "150"}})
    async with home.client() as http:
        viewer = actor_of(await sign_in_by(http, VIEWER, "siws"))
    refused = await decide(home, viewer, content_id)
    assert (refused.outcome, refused.leaf_keys) == ("does_not_hold", (f"{DEVNET}/{mint}",))
    cluster.mint_to(Pubkey.from_string(VIEWER.address), mint, 200)
    opened = await decide(home, viewer, content_id)
    said = opened.explanation
    assert (opened.outcome, said.held_text, said.needed_text, said.contract) == ("holds", "2", "1.5", str(mint))
    assert said.block_number == cluster.slot


async def test_what_is_not_configured_or_no_mint_is_said_when_the_rule_is_set(home: House) -> None:
    owner = (await person(home, "owner")).actor
    mint = str(key("m").pubkey())
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"chain": "solana:mainnet", "mint": mint}, "configured: solana:devnet"),
        ({"chain": "eip155:1", "mint": mint}, "must be a Solana cluster"),
        ({"chain": DEVNET, "mint": "0x52908400098527886E0F7030069857D2E4169EE7"}, "must be an address on Solana"),
        ({"chain": DEVNET, "mint": mint, "min": "0"}, "from 1 to"),
        ({"chain": DEVNET, "mint": mint, "min": str(2**64)}, "from 1 to"),
        ({"chain": DEVNET, "mint": mint, "finality": "processed"}, "finality"),
    ]
    for params, said in wrong:
        with pytest.raises(GateInvalid) as caught:
            await content_of(home, owner, {"spl": params})
        assert said in str(caught.value.errors), params


async def test_it_is_listed_beside_the_others_and_by_its_name(home: House, node: SolanaNode) -> None:
    admin = Actor(kind="user", user_id="p_admin", roles=("admin",), credential="a_1")
    async with home.client(admin) as http:
        listed = (await http.get("/api/v1/auth/chains")).json()["items"]
        health = (await http.get("/api/v1/auth/chains/health")).json()["items"]
    assert [(each["id"], each["name"], each["coin"]["symbol"]) for each in listed] == [(DEVNET, "Solana Devnet", "SOL")]
    assert [(each["chain"], each["endpoints"][0]["host"]) for each in health] == [(DEVNET, "127.0.0.1")]


async def test_doctor_asks_of_which_cluster_a_node_is(node: SolanaNode) -> None:
    async def said() -> str:
        findings = await diagnose(KernelSettings(), config(node))
        return next(each.said for each in findings if each.subject == f"chain {DEVNET}")

    assert await said() == "node 1 of 1 answers"
    node.genesis = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKudLbXzt6nCx"
    assert await said() == "node 1 of 1 is of another chain: solana:mainnet"
    node.genesis = "1" * 44
    assert await said() == "node 1 of 1 is of another chain: an unknown cluster of Solana"
    node.errors["getGenesisHash"] = -32000
    assert await said() == "node 1 of 1: error -32000"


@pytest.mark.parametrize(
    ("chain", "settings", "said"),
    [
        ("solana:mainnet-beta", {}, "not a Solana chain"),
        ("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", {}, "write it as solana:devnet"),
        (DEVNET, {"rpc_urls": ()}, "has no rpc_urls"),
        (DEVNET, {"confirmations": 3}, "confirmations is for EVM chains"),
        (DEVNET, {"multicall": "0x52908400098527886E0F7030069857D2E4169EE7"}, "multicall is for EVM chains"),
        (DEVNET, {"batching": "multicall3"}, "batching is auto"),
        (DEVNET, {"quorum": 2}, "a quorum of 2 needs"),
    ],
)
def test_a_cluster_is_configured_as_far_as_somebody_reads_it(chain: str, settings: dict[str, Any], said: str) -> None:
    how = ChainSettings(**{"rpc_urls": (Secret("http://127.0.0.1:1"),), **settings})
    with pytest.raises(ValueError, match=said):
        AuthConfig(chains={chain: how})


# --- verify-nft ---------------------------------------------------------------------------------------


async def verify(home: House, **body: Any) -> tuple[int, dict[str, Any]]:
    actor = Actor(kind="user", user_id="p_1", roles=("viewer",), credential="a_1")
    async with home.client(actor) as http:
        answer = await http.post("/api/v1/auth/verify-nft", json={"address": VIEWER.address, "chain": DEVNET, **body})
    return answer.status_code, answer.json()


async def test_holdings_of_each_standard(home: House, cluster: Cluster) -> None:
    alice = key("alice")
    coin, member = cluster.mint(decimals=6), nft(cluster, "plain", alice)
    nft(cluster, "programmable", alice)
    cluster.mint_to(alice.pubkey(), coin, 1_500_000)
    collection = cluster.mint("collection")
    core(cluster, "collection", key("core collection").pubkey())
    core(cluster, "of the collection")
    wanted: list[tuple[dict[str, str], tuple[str, str, bool]]] = [
        ({"contract": str(coin)}, ("spl", "1500000", True)),
        ({"contract": str(coin), "standard": "spl", "min_balance": "1500001"}, ("spl", "1500000", False)),
        ({"contract": str(member)}, ("spl", "1", True)),
        ({"contract": str(collection), "standard": "metaplex"}, ("metaplex", "2", True)),
        ({"contract": str(collection), "standard": "metaplex", "min_balance": "3"}, ("metaplex", "2", False)),
        ({"contract": CORE_COLLECTION}, ("core", "1", True)),
    ]
    for body, expected in wanted:
        status, told = await verify(home, address=f"{DEVNET}:{alice.pubkey()}", **body)
        assert status == 200, told
        assert (told["standard"], told["balance"], told["holds"]) == expected
        assert (told["block_number"], told["sources"], told["token_id"]) == (cluster.slot, 1, None)
        assert (told["chain"], told["address"], told["contract"]) == (DEVNET, str(alice.pubkey()), body["contract"])


async def test_what_cannot_be_asked_is_said_at_its_field(home: House, cluster: Cluster) -> None:
    mint, evm = str(cluster.mint()), "0x52908400098527886E0F7030069857D2E4169EE7"
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({}, "contract", "is needed on Solana"),
        ({"contract": "x"}, "contract", "is not a Solana address"),
        ({"contract": mint, "token_id": "1"}, "token_id", "name the mint itself"),
        ({"contract": mint, "standard": "erc20"}, "standard", "is of EVM chains"),
        ({"contract": mint, "min_balance": "0"}, "min_balance", "at least 1"),
        ({"contract": mint, "address": evm}, "address", "is an EVM address"),
        ({"contract": mint, "chain": "solana:mainnet"}, "chain", "is not configured"),
        ({"contract": mint, "address": f"solana:mainnet:{VIEWER.address}"}, "chain", "the account is on"),
        ({"contract": mint, "standard": "core"}, "contract", "is no Core collection"),
        ({"contract": VIEWER.address}, "contract", "is neither a token mint nor"),
        ({"contract": VIEWER.address, "standard": "metaplex"}, "contract", "is no token mint"),
    ]
    for body, field, said in wrong:
        status, problem = await verify(home, **body)
        assert (status, [each["field"] for each in problem["errors"]]) == (422, [field]), problem
        assert said in problem["detail"]


async def test_what_cannot_be_read_is_503(home: House, cluster: Cluster, node: SolanaNode) -> None:
    mint = str(cluster.mint())
    for method in ("getTokenAccountsByOwner", "getMultipleAccounts"):
        node.errors = {method: -32000}
        status, problem = await verify(home, contract=mint)
        assert (status, problem["code"]) == (503, "auth.chain_unavailable")
        assert "secret" not in problem["detail"]
