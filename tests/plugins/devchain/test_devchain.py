"""The local chain: up beside the server, its faucet, its yielding, and its end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from streamgate.context import Actor
from streamgate.contracts.auth import AUTH
from streamgate.contracts.devchain import DEVCHAIN, DevchainUnavailable
from streamgate.plugins import SelectionFault, discover, select
from streamgate.settings import KernelSettings, Secret, ServerSettings
from streamgate.testing.devchain import ChainClient, ChainFault, DevchainServer
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet, sign_in
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_devchain import watch
from streamgate_devchain.anvil import AnvilFault, find_anvil
from streamgate_devchain.collection import artifact
from streamgate_devchain.config import DevchainConfig
from tests.plugins.auth.people import content_of, decide, person

ALICE, BOB = Wallet.named("alice"), Wallet.named("bob")
NAMES = ["metadata", "auth", "devchain"]
API = "/api/v1/devchain"


def settings(folder: Path, profile: str = "dev") -> KernelSettings:
    return KernelSettings(profile=profile, data_dir=folder, server=ServerSettings(public_url="http://127.0.0.1:9090"))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """Answers of the chain are not kept."""
    configs = {"auth": AuthConfig(cache_s=0.0)}
    async with house(tmp_path, NAMES, settings=settings(tmp_path), configs=configs) as home:
        yield home


async def test_the_whole_of_it_over_http(home: House) -> None:
    """Faucet, mint, sign-in on the local chain, and a gate on the demo collection, with nothing configured."""
    async with home.client() as http:
        info = (await http.get(f"{API}/info")).json()
        given = await http.post(f"{API}/faucet", json={"address": ALICE.address.lower()})
        made = await http.post(f"{API}/mint", json={"address": ALICE.address})
        assert (given.status_code, made.status_code) == (201, 201)  # so that an Idempotency-Key is honoured
        funded, minted = given.json(), made.json()
        signed_in = await sign_in(http, ALICE, chain=info["chain"])
    assert (funded["address"], funded["balance_wei"]) == (ALICE.address, str(10**18))
    assert (minted["address"], minted["token_id"], minted["contract"]) == (ALICE.address, "1", info["contract"])
    with ChainClient(info["rpc_url"], info["contract"]) as chain:
        assert chain.owner_of(1) == ALICE.address.lower()
    assert signed_in.address == ALICE.address
    owner, alice = await person(home, "owner"), await person(home, "alice")
    rule = {"erc721": {"chain": info["chain"], "contract": info["contract"]}}
    content_id = await content_of(home, owner.actor, rule)
    decision = await decide(home, alice.actor, content_id)
    assert (decision.outcome, decision.explanation.block_number) == ("holds", minted["block_number"])
    stranger = await person(home, "stranger")
    assert (await decide(home, stranger.actor, content_id)).outcome == "does_not_hold"


async def test_many_ask_at_once(home: House) -> None:
    """The node would give two transactions of one sender the same nonce."""
    addresses = [Wallet.named(f"one of many {number}").address for number in range(12)]
    async with home.client() as http:
        asked = [(kind, {"address": address}) for address in addresses for kind in ("faucet", "mint")]
        answers = await asyncio.gather(*(http.post(f"/api/v1/devchain/{kind}", json=body) for kind, body in asked))
    assert [answer.status_code for answer in answers] == [201] * len(asked)


async def test_what_was_claimed_is_given_away_by_whoever_signed_in_with_it(home: House) -> None:
    """All of it, so that the gate closes; and claiming again opens it again."""
    async with home.client() as http:
        info = (await http.get(f"{API}/info")).json()
        for wallet in (ALICE, BOB, ALICE):
            await http.post(f"{API}/mint", json={"address": wallet.address})
        refused = await http.post(f"{API}/give-away")
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.required")
        owner, alice = await person(home, "owner"), await person(home, "alice")
    rule = {"erc721": {"chain": info["chain"], "contract": info["contract"]}}
    content_id = await content_of(home, owner.actor, rule)
    assert (await decide(home, alice.actor, content_id)).outcome == "holds"
    async with home.client(alice.actor) as http:
        given = (await http.post(f"{API}/give-away")).json()
        assert (given["address"], given["token_ids"]) == (ALICE.address, ["1", "3"])
        assert given["contract"] == info["contract"]
        with ChainClient(info["rpc_url"], info["contract"]) as chain:
            assert [chain.owner_of(token_id) for token_id in (1, 2, 3)] == [
                given["to"].lower(),
                BOB.address.lower(),
                given["to"].lower(),
            ]
        again = await http.post(f"{API}/give-away")
        assert (again.status_code, again.json()["code"]) == (409, "devchain.no_token")
        assert (await decide(home, alice.actor, content_id)).outcome == "does_not_hold"
        await http.post(f"{API}/mint", json={"address": ALICE.address})
        assert (await decide(home, alice.actor, content_id)).outcome == "holds"


async def test_two_who_give_away_at_once_do_not_get_in_each_others_way(home: House) -> None:
    """One answer says what was given; the other that nothing is left. Neither is a failure of the server."""
    alice = await person(home, "alice")
    async with home.client(alice.actor) as http:
        await http.post(f"{API}/mint", json={"address": ALICE.address})
        answers = await asyncio.gather(*(http.post(f"{API}/give-away") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_who_signed_in_with_no_ethereum_wallet_is_told(home: House) -> None:
    stranger = Actor(kind="user", user_id="u_sol", address="9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM")
    async with home.client(stranger) as http:
        answer = await http.post(f"{API}/give-away")
    assert (answer.status_code, answer.json()["code"]) == (422, "auth.address_invalid")


async def test_what_is_no_address_is_422(home: House) -> None:
    async with home.client() as http:
        for path in ("faucet", "mint"):
            answer = await http.post(f"{API}/{path}", json={"address": "0x12"})
            assert (answer.status_code, answer.json()["code"]) == (422, "auth.address_invalid")


async def test_tokens_and_contract_survive_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, NAMES, settings=settings(tmp_path)) as home, home.client() as http:
        before = (await http.get(f"{API}/info")).json()
        await http.post(f"{API}/mint", json={"address": ALICE.address})
    async with house(tmp_path, NAMES, settings=settings(tmp_path)) as home, home.client() as http:
        after = (await http.get(f"{API}/info")).json()
        with ChainClient(after["rpc_url"], after["contract"]) as chain:
            assert chain.owner_of(1) == ALICE.address.lower()
        assert (await http.post(f"{API}/mint", json={"address": ALICE.address})).json()["token_id"] == "2"
    assert before["contract"] == after["contract"]


async def test_it_yields_to_a_configured_chain_of_the_same_id(tmp_path: Path, devchain: ChainClient) -> None:
    configs = {"auth": AuthConfig(chains={devchain.chain: ChainSettings(rpc_urls=(Secret(devchain.rpc_url),))})}
    async with house(tmp_path, NAMES, settings=settings(tmp_path), configs=configs) as home, home.client() as http:
        answer = await http.get(f"{API}/info")
        assert (answer.status_code, answer.json()["code"]) == (503, "devchain.unavailable")
        assert "is configured" in answer.json()["detail"]
        owner, holder = await person(home, "owner"), await person(home, "holder of the configured chain")
        devchain.mint(holder.wallet.address)
        rule = {"erc721": {"chain": devchain.chain, "contract": devchain.contract}}
        assert (await decide(home, holder.actor, await content_of(home, owner.actor, rule))).outcome == "holds"


async def test_without_anvil_the_server_runs_and_says_what_to_do(tmp_path: Path) -> None:
    configs = {"devchain": DevchainConfig(anvil=str(tmp_path / "none"))}
    async with house(tmp_path, NAMES, settings=settings(tmp_path), configs=configs) as home:
        with pytest.raises(DevchainUnavailable, match=r"devchain\.anvil"):
            await home.services.get(DEVCHAIN).info()
        async with home.client() as http:
            assert (await http.get("/ready")).json()["checks"]["devchain"]["ok"] is False
            assert (await sign_in(http, ALICE)).address == ALICE.address  # on mainnet's id then
        assert (await home.services.get(AUTH).configured_chains()).chains == ()


async def test_outside_development_auth_never_asks_it(tmp_path: Path) -> None:
    async with house(tmp_path, NAMES, settings=settings(tmp_path, profile="")) as home:
        assert await home.plugins["auth"].chains.readable() == ()
        assert await home.plugins["auth"].chains.get("eip155:31337") is None


@pytest.mark.parametrize("profile", ["", "prod"])
def test_it_is_refused_outside_development(profile: str) -> None:
    found = discover()
    assert "devchain" not in [info.name for info in select(found, None, profile=profile)]
    with pytest.raises(SelectionFault, match="runs in profile dev or test only"):
        select(found, ["devchain"], profile=profile)


# --- the process ------------------------------------------------------------------------------------


def is_alive(port: int) -> bool:
    try:
        httpx.post(f"http://127.0.0.1:{port}", json={}, trust_env=False)
    except httpx.TransportError:
        return False
    return True


async def test_it_does_not_outlive_a_server_that_is_killed(own_devchain: DevchainServer) -> None:
    assert is_alive(own_devchain.port)
    os.kill(own_devchain.pid, signal.SIGKILL)

    async def gone() -> bool | None:
        return None if is_alive(own_devchain.port) else True

    await eventually(gone, what="the node's end")


async def test_a_program_that_ends_takes_its_watch_with_it() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(watch.__file__), "sh", "-c", "exit 3", stdin=asyncio.subprocess.PIPE
    )
    assert await process.wait() == 3


def test_a_signal_to_the_watch_leaves_the_program_alone_until_the_pipe_closes() -> None:
    command = [sys.executable, "-I", "-S", str(watch.__file__), "sh", "-c", "echo up; exec tail -f /dev/null"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.stdin.close()
        process.wait(10)


def test_a_missing_program_is_told_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(AnvilFault, match="make install"):
        find_anvil()


# --- the contract -----------------------------------------------------------------------------------


def test_the_artifact_is_of_the_source_beside_it() -> None:
    folder = Path(watch.__file__).with_name("contracts")
    source = (folder / "DemoPass.sol").read_bytes()
    assert artifact()["source_sha256"] == hashlib.sha256(source).hexdigest(), "run compile.mjs"


def test_the_demo_collection_is_an_erc_721(devchain: ChainClient) -> None:
    def call(data: str) -> str:
        word: str = devchain.call("eth_call", {"to": devchain.contract, "data": data}, "latest")
        return word

    def supports(interface: str) -> bool:
        return int(call(f"0x01ffc9a7{interface.ljust(64, '0')}"), 16) == 1

    assert [supports(interface) for interface in ("80ac58cd", "5b5e139f", "01ffc9a7", "ffffffff")] == [
        True,
        True,
        True,
        False,
    ]
    assert bytes.fromhex(call("0x06fdde03")[2:]).rstrip(b"\0").endswith(b"StreamGate Demo Pass")
    assert {entry["name"] for entry in artifact()["abi"] if entry["type"] == "event"} >= {"Transfer"}
    with pytest.raises(ChainFault, match="7e273289"):  # ERC721NonexistentToken
        devchain.owner_of(10**9)


def test_a_transfer_is_signed_by_its_holder(devchain: ChainClient) -> None:
    holder, buyer, thief = Wallet.named("holder"), Wallet.named("buyer"), Wallet.named("thief")
    token_id = devchain.mint(holder.address)
    with pytest.raises(ChainFault, match="reverted"):
        devchain.transfer(thief, buyer.address, token_id)
    devchain.transfer(holder, buyer.address, token_id)
    assert devchain.owner_of(token_id) == buyer.address.lower()


def test_the_announcement_is_json(own_devchain: DevchainServer) -> None:
    assert set(own_devchain.info) == {"chain", "rpc_url", "contract", "contract_name"}
    assert json.dumps(own_devchain.info)
