"""Sign-in over HTTP: one `--all` process on uvicorn with its local chain (anvil, a process of its own), one request at
a time from here. Milliseconds a request, by turns with the bare work in this process, without HTTP and database:

- a signature verified, which signs somebody in: coincurve recovering the signer;
- an NFT held by a wallet: the one `eth_call` on anvil that it takes;
- a token: PyJWT checking it with the public key.

Then signatures as a function, beside eth-account, and whole sign-ins on 16 connections from another process, beside
bare Starlette that does the same and keeps nothing: as many as it takes, and 250 begun in each second.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
from coincurve import PublicKey
from eth_account import Account
from eth_account.messages import encode_defunct

from streamgate.contracts.auth import ACCESS_AUDIENCE, SIGNING_ALGORITHM
from streamgate.testing.processes import StreamgateProcess
from streamgate.testing.wallets import Wallet
from streamgate_auth.signature import hash_personal_message, parse_signature, recover_signer
from tests.bench import sign_ins
from tests.bench.figures import Figure, Row, percentile
from tests.bench.load import Connection, connected, timed_by_turns
from tests.bench.processes import UNLIMITED, bare, person, running

SIGN_INS = 60
CALLS = 200
VERIFICATIONS = 2000
VERIFIED_PER_S, SIGN_INS_PER_S = 2000, 250
RUNS = 3
JSON = {"Content-Type": "application/json"}
WALLET = Wallet.named("bench")
BALANCE_OF = "0x70a08231"  # balanceOf(address)

Two = tuple[tuple[float, ...], tuple[float, ...]]


async def _say(connection: Connection, target: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    reply = await connection.ask("POST", target, json.dumps(body).encode(), headers={**JSON, **(headers or {})})
    return reply.json()


async def _signatures(connection: Connection) -> Two:
    proofs = []
    for _ in range(SIGN_INS):
        challenge = await _say(connection, "/api/v1/auth/challenge", {"address": WALLET.address})
        proofs.append((challenge["challenge_id"], challenge["message"], WALLET.sign(challenge["message"])))
    left, again = iter(proofs), iter(proofs)

    async def ours() -> None:
        challenge_id, _, signature = next(left)
        said = {"challenge_id": challenge_id, "signature": signature}
        await _say(connection, "/api/v1/auth/verify-signature", said)

    async def peer() -> None:
        _, message, signature = next(again)
        digest = hash_personal_message(message.encode())
        PublicKey.from_signature_and_message(parse_signature(signature), digest, hasher=None)

    return await timed_by_turns(ours, peer, SIGN_INS)


async def _holdings(connection: Connection, chain: dict[str, Any], headers: dict[str, str]) -> Two:
    asked = {"address": WALLET.address, "chain": chain["chain"], "contract": chain["contract"]}
    data = BALANCE_OF + WALLET.address[2:].lower().rjust(64, "0")
    call = {"to": chain["contract"], "data": data}
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
    async with connected(httpx.URL(chain["rpc_url"]).port or 80) as node:
        return await timed_by_turns(
            lambda: _say(connection, "/api/v1/auth/verify-nft", asked, headers),
            lambda: _say(node, "/", question),
            CALLS,
        )


async def _tokens(connection: Connection, token: str) -> Two:
    known = (await connection.ask("GET", "/.well-known/jwks.json")).json()["keys"]
    [public] = [each for each in known if each["kid"] == jwt.get_unverified_header(token)["kid"]]
    key = jwt.PyJWK(public, algorithm=SIGNING_ALGORITHM)

    async def peer() -> None:
        jwt.decode(token, key, algorithms=[SIGNING_ALGORITHM], audience=ACCESS_AUDIENCE)

    return await timed_by_turns(lambda: _say(connection, "/api/v1/auth/verify-token", {"token": token}), peer, CALLS)


async def _measured(server: StreamgateProcess) -> list[Row]:
    who = await person(server.base_url)
    async with connected(server.port) as connection:
        chain = (await connection.ask("GET", "/api/v1/devchain/info")).json()
        await _say(connection, "/api/v1/devchain/mint", {"address": WALLET.address}, who.headers)
        found: tuple[tuple[str, float, str, Two], ...] = (
            ("signature verified", 100, "coincurve alone", await _signatures(connection)),
            ("NFT verified", 500, "one eth_call", await _holdings(connection, chain, who.headers)),
            ("token verified", 10, "PyJWT alone", await _tokens(connection, who.access_token)),
        )
    return [
        Figure(name=name, unit="ms", ours=ours, peer=peer, peer_name=peer_name, limit=limit)
        for name, limit, peer_name, (ours, peer) in found
    ]


def _verified() -> Figure:
    """One signature checked, as the schemes do it."""
    message = "a message as long as the one that EIP-4361 makes of a challenge, more or less: " + "x" * 300
    signature, text = WALLET.sign(message), encode_defunct(text=message)

    def ours() -> str:
        return recover_signer(message.encode(), signature)

    def theirs() -> str:
        return str(Account.recover_message(text, signature=signature))

    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(VERIFICATIONS):
        for took_us, verify in ((found[0], ours), (found[1], theirs)):
            began_s = time.perf_counter()
            assert verify() == WALLET.address
            took_us.append((time.perf_counter() - began_s) * 1e6)
    return Figure(
        name="signature verified, as a function",
        unit="µs",
        ours=tuple(found[0]),
        peer=tuple(found[1]),
        peer_name="eth-account",
        limit=1e6 / VERIFIED_PER_S,
    )


def _at_once(port: int, peer_port: int) -> list[Row]:
    found = [(sign_ins.load(port), sign_ins.load(peer_port)) for _ in range(RUNS)]
    paced = [
        (sign_ins.load(port, per_s=SIGN_INS_PER_S), sign_ins.load(peer_port, per_s=SIGN_INS_PER_S)) for _ in range(RUNS)
    ]
    middle = sorted(paced, key=lambda run: percentile(run[0].latencies_ms, 0.99))[RUNS // 2]
    return [
        Figure(
            name="sign-ins a second, 16 connections",
            unit="1/s",
            ours=tuple(ours.per_s for ours, _ in found),
            peer=tuple(peer.per_s for _, peer in found),
            peer_name="bare Starlette",
            higher_is_better=True,
            limit=SIGN_INS_PER_S,
        ),
        Figure(
            name="sign-in while 250 a second begin",
            unit="ms",
            ours=middle[0].latencies_ms,
            peer=middle[1].latencies_ms,
            peer_name="bare Starlette",
            per_s=middle[0].per_s,
            limit=40,
            limit_of="p99",
        ),
    ]


def measure(folder: Path) -> list[Row]:
    with running(folder, "all", ["--all", "--profile", "dev", "--engine", "uvicorn"], UNLIMITED) as server:
        rows = asyncio.run(_measured(server))
    peer = bare("uvicorn", module="tests.bench.bare_sign_in")
    with running(folder, "plain", ["--all", "--engine", "uvicorn"], UNLIMITED) as server, peer as other:
        return [*rows, _verified(), *_at_once(server.port, other.port)]
