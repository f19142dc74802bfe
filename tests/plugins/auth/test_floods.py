"""Many who ask and show nothing: nothing is kept of them, and nobody is kept out by them."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import httpx
from sqlalchemy import text
from sqlalchemy.orm import Session

from streamgate.settings import Secret
from streamgate.testing.attacks import attack
from streamgate.testing.clock import FakeClock
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate.testing.nodes import FaultyNode
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet, sign_in
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.limits import MAX_BUCKETS, Buckets
from streamgate_auth.tables import TABLES
from tests.plugins.auth.people import NAMES, answer_to, ask, config_for, kernel_settings
from tests.plugins.auth.wallet_contracts import ContractWallet, WalletMaker

CHALLENGES = 10_000
OWNER, STRANGER = Wallet.named("owner of a flood"), Wallet.named("stranger to a flood")
WALLETS = [Wallet.named(f"flood {n}").address for n in range(20)]


async def rows(home: House) -> dict[str, int]:
    def count(session: Session) -> dict[str, int]:
        return {name: session.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in TABLES.tables}

    found: dict[str, int] = await home.plugins["auth"].db.read(count)
    return found


@attack("B41")
async def test_ten_thousand_challenges_leave_nothing(home: House) -> None:
    proofs = home.plugins["auth"].proofs

    async def at_rest() -> dict[str, int] | None:
        found = await rows(home)
        return found if found["auth_outbox"] == 0 else None

    before = await eventually(at_rest)
    for n in range(500):
        await proofs.ask(WALLETS[n % 20], None, None)
    gc.collect()
    blocks = sys.getallocatedblocks()
    for n in range(CHALLENGES):
        await proofs.ask(WALLETS[n % 20], None, None)
    gc.collect()
    assert await rows(home) == before
    assert sys.getallocatedblocks() - blocks < CHALLENGES / 10


def client_from(home: House, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(home.app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://house")


@attack("B41")
async def test_a_flood_for_one_wallet_from_everywhere_keeps_its_owner_out_of_nothing(tmp_path: Path) -> None:
    configs = {"auth": AuthConfig(wallet_requests_per_minute=5)}
    body = {"address": OWNER.address}
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs=configs) as home:
        async with client_from(home, "192.0.2.1") as at_home:
            await sign_in(at_home, OWNER)
            answers = []
            for n in range(8):
                async with client_from(home, f"198.51.100.{n}") as http:
                    answers.append(await http.post("/api/v1/auth/challenge", json=body))
            assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 4
            assert int(answers[-1].headers["retry-after"]) >= 1
            assert (await sign_in(at_home, OWNER)).address == OWNER.address
        async with client_from(home, "198.51.100.1") as http:
            assert (await sign_in(http, STRANGER)).address == STRANGER.address


@attack("B41")
async def test_a_contract_is_not_asked_without_end(tmp_path: Path, devchain: ChainClient) -> None:
    hostile = ContractWallet(WalletMaker(devchain).deploy("Reverts"), [STRANGER])
    configs = {"auth": config_for(devchain, wallet_requests_per_minute=2)}
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, NAMES, settings=settings, configs=configs) as home, home.client() as http:
        proof = answer_to(await ask(http, hostile, "siwe"), hostile)
        codes = [(await http.post("/api/v1/auth/verify-signature", json=proof)).status_code for _ in range(4)]
    assert codes == [401, 401, 429, 429]


@attack("B41")
async def test_nobody_has_chains_asked_without_end(tmp_path: Path, devchain: ChainClient) -> None:
    """Signatures that no key can have made: few for a challenge and for a network, about however many wallets; beyond
    it no chain is asked, and keys sign in as ever."""
    impossible = "0x" + "ff" * 65
    with FaultyNode(devchain.rpc_url) as node:
        chains = {devchain.chain: ChainSettings(rpc_urls=(Secret(node.url),))}
        configs = {"auth": AuthConfig(chains=chains, contract_requests_per_minute=12)}
        async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs=configs) as home:

            async def tried(http: httpx.AsyncClient, wallet: str, times: int) -> tuple[list[int], int]:
                asked = (await http.post("/api/v1/auth/challenge", json={"address": wallet})).json()
                body = {"challenge_id": asked["challenge_id"], "signature": impossible}
                before = node.methods().count("eth_call")
                answers = [await http.post("/api/v1/auth/verify-signature", json=body) for _ in range(times)]
                assert all(int(each.headers["retry-after"]) >= 1 for each in answers if each.status_code == 429)
                return [each.status_code for each in answers], node.methods().count("eth_call") - before

            async with client_from(home, "192.0.2.1") as http, client_from(home, "198.51.100.1") as elsewhere:
                await tried(http, WALLETS[0], 1)  # it is asked what chain it is, once
                assert await tried(http, WALLETS[1], 13) == ([401] * 10 + [429] * 3, 10)
                assert await tried(http, WALLETS[2], 4) == ([401] + [429] * 3, 1)
                assert await tried(elsewhere, WALLETS[2], 2) == ([401] * 2, 2)
                assert (await sign_in(http, STRANGER)).address == STRANGER.address


def test_the_buckets_are_bounded() -> None:
    buckets = Buckets(1, FakeClock())
    for n in range(MAX_BUCKETS + 1000):
        buckets.spend(str(n), "no")
    assert len(buckets._buckets) == MAX_BUCKETS
