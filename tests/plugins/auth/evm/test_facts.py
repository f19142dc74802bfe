"""What is known of chains, and what the configuration says instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgate.context import Actor
from streamgate.sdk.evm import ChainId, chain_number, is_checksummed, parse_chain
from streamgate.settings import Secret
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import house
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.evm.facts import facts_of, known_chains
from tests.plugins.auth.people import kernel_settings

LISTED = {1, 137, 56, 42161, 10, 8453, 11155111, 80002, 97, 421614, 11155420, 84532}


def test_the_chains_and_their_test_nets_are_listed() -> None:
    known = known_chains()
    assert {chain_number(parse_chain(chain)) for chain in known} == LISTED
    for chain, facts in known.items():
        assert facts.id == chain
        assert facts.multicall == "0xcA11bde05977b3631167028862bE2a173976CA11"
        assert all(is_checksummed(each) for each in (facts.multicall, facts.delegate_registry) if each)
        assert facts.explorer.startswith("https://")
        assert facts.coin_symbol
        assert facts.block_time_s > 0
        assert facts.confirmations > 0
        assert (facts.number_from == "arbsys") is ("Arbitrum" in facts.name)
        assert not facts.marketplace or facts.marketplace.count("{contract}") == 1


def test_the_configuration_says_otherwise() -> None:
    as_known = facts_of(ChainId("eip155:1"), ChainSettings())
    assert (as_known.name, as_known.confirmations, as_known.coin_symbol) == ("Ethereum", 2, "ETH")
    said = facts_of(
        ChainId("eip155:1"), ChainSettings(name="Ours", confirmations=0, multicall="", number_from="arbsys")
    )
    assert (said.name, said.confirmations, said.multicall, said.number_from) == ("Ours", 0, "", "arbsys")
    assert said.explorer == as_known.explorer
    unknown = facts_of(ChainId("eip155:5"), ChainSettings(coin_symbol="TST"))
    assert (unknown.name, unknown.confirmations, unknown.coin_symbol) == ("eip155:5", 0, "TST")


def test_pages_of_a_collection_and_of_a_token() -> None:
    facts = facts_of(ChainId("eip155:5"), ChainSettings(marketplace="https://shop.example/{contract}"))
    assert facts.marketplace_url("0xab") == "https://shop.example/0xab"
    assert facts.marketplace_url("0xab", "7") == "https://shop.example/0xab/7"
    assert facts_of(ChainId("eip155:5"), ChainSettings()).marketplace_url("0xab") == ""


URL = Secret("https://node.example/v3/key")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ChainSettings(), "has no rpc_urls"),
        (ChainSettings(rpc_urls=(Secret("ws://node"),)), "http"),
        (ChainSettings(rpc_urls=(URL,), quorum=2), "quorum of 2"),
        (ChainSettings(rpc_urls=(URL,), multicall="0x1"), "multicall"),
        (ChainSettings(rpc_urls=(URL,), delegate_registry="zero"), "delegate_registry"),
    ],
)
def test_a_wrong_chain_is_a_fault_that_names_no_url(settings: ChainSettings, said: str) -> None:
    with pytest.raises(ValueError, match=said) as fault:
        AuthConfig(chains={"eip155:1": settings})
    assert "key" not in str(fault.value)


async def test_anybody_sees_the_chains_and_admins_their_endpoints(tmp_path: Path, devchain: ChainClient) -> None:
    urls = (Secret(devchain.rpc_url.replace("//", "//user:password@") + "/secret-path?key=secret"),)
    config = AuthConfig(
        chains={
            devchain.chain: ChainSettings(rpc_urls=urls, name="Local"),
            "eip155:8453": ChainSettings(rpc_urls=(Secret("http://127.0.0.1:1/secret-path"),)),
        },
    )
    settings = kernel_settings(tmp_path)
    async with (
        house(tmp_path, ["metadata", "auth"], settings=settings, configs={"auth": config}) as home,
        home.client() as nobody,
        home.client(Actor(kind="user", user_id="p_viewer")) as viewer,
        home.client(Actor(kind="user", user_id="p_admin", roles=("admin",))) as admin,
    ):
        listed = await nobody.get("/api/v1/auth/chains")
        refusals = [(await each.get("/api/v1/auth/chains/health")).status_code for each in (nobody, viewer)]
        health = await admin.get("/api/v1/auth/chains/health")
    assert refusals == [401, 403]
    assert [(each["id"], each["name"], each["coin"]) for each in listed.json()["items"]] == [
        (devchain.chain, "Local", {"symbol": "ETH", "decimals": 18}),
        ("eip155:8453", "Base", {"symbol": "ETH", "decimals": 18}),
    ]
    first, second = health.json()["items"]
    assert [(each["endpoint"], each["host"]) for each in first["endpoints"]] == [(1, "127.0.0.1")]
    assert second["chain"] == "eip155:8453"
    for text in (listed.text, health.text):
        assert not [word for word in ("secret", "password", "user", "http://127") if word in text]
