"""Against one StreamGate that runs as an operator starts it: wallets written by others sign in, and a command makes a
new signing key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from streamgate.testing.processes import StreamgateProcess, free_port
from streamgate.testing.wallets import Wallet, sign_in
from tests.plugins.auth.people import EVM_SCHEMES, SOLANA_SCHEMES
from tests.plugins.auth.wallet_contracts import bytecode

JS = Path(__file__).parents[2] / "js"
CLIENTS = {
    *((client, scheme) for client in ("viem", "ethers") for scheme in EVM_SCHEMES),
    ("siwe", "siwe"),
    *((client, scheme) for client in ("tweetnacl", "@solana/web3.js", "@solana/kit") for scheme in SOLANA_SCHEMES),
}
CONTRACTS = {
    *(("viem, undeployed contract", scheme) for scheme in ("siwe", "eip712")),
    ("ethers, contract", "siwe"),
}


@attrs.frozen
class Running:
    url: str
    folder: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("running")
    process = StreamgateProcess(
        name="auth",
        arguments=["--all", "--profile", "dev"],
        environment={"STREAMGATE_DATA_DIR": str(folder)},
        port=free_port(),
        log_path=folder / "log",
        cwd=folder,
    )
    process.spawn()
    try:
        process.wait_ready()
        yield Running(process.base_url, folder)
    finally:
        process.stop()


def test_wallets_written_by_others_sign_in(server: Running) -> None:
    """viem, ethers, siwe, @solana/web3.js, @solana/kit and tweetnacl, from the challenge to the tokens."""
    chain = httpx.get(f"{server.url}/api/v1/devchain/info", trust_env=False).json()
    asked = {
        "url": server.url,
        "rpc_url": chain["rpc_url"],
        "contracts": {name: bytecode(name) for name in ("WalletFactory", "ThresholdWallet")},
    }
    done = subprocess.run(
        ["node", "wallets.mjs"], cwd=JS, input=json.dumps(asked).encode(), capture_output=True, check=False, timeout=55
    )
    assert done.returncode == 0, done.stderr.decode()
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert {(each["client"], each["scheme"]) for each in found} == CLIENTS | CONTRACTS
    for each in found:
        is_contract = (each["client"], each["scheme"]) in CONTRACTS
        assert each["status"] == 200, each
        assert each["answer"]["address"] == each["address"].rpartition(":")[2]
        assert each["answer"]["is_contract"] is is_contract
        assert each["answer"]["access_token"].count(".") == 2


async def test_a_command_makes_a_new_signing_key_and_tokens_stay_good(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:

        async def kids() -> list[str]:
            return [key["kid"] for key in (await http.get("/.well-known/jwks.json")).json()["keys"]]

        me = await sign_in(http, Wallet.named("signed before the rotation"))
        (old,) = await kids()
        said = rotate(server)
        assert said.returncode == 0, said.stderr
        new, also = await kids()
        assert (also, new in said.stdout) == (old, True)
        assert (await http.get("/api/v1/auth/sessions", headers=me.headers)).status_code == 200
        # The next one would be made before the last one signs.
        again = rotate(server)
        assert (again.returncode, "409" in again.stderr) == (2, True)
        assert await kids() == [new, old]


def rotate(server: Running) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamgate.cli", "keys", "rotate", "--url", server.url, "--profile", "dev"]
    environment = {**os.environ, "STREAMGATE_DATA_DIR": str(server.folder)}
    return subprocess.run(
        command, cwd=server.folder, env=environment, capture_output=True, text=True, check=False, timeout=30
    )
