"""Sign-ins over HTTP at once: challenge, signature, tokens, on keep-alive connections. In a process of its own.

    python -m tests.bench.sign_ins PORT --connections 16 --sign-ins 1500 [--per-s 250]

Prints JSON as `tests.bench.load` does: sign-ins a second, and how long each took, both requests and the signing.
Signed by coincurve, which takes 0.1 ms of it. Each connection has a wallet of its own. Without `--per-s` each begins
the next when the last has ended; with it so many are begun in a second, and one that had to wait for a connection
began when it was to begin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time

import uvloop
from coincurve import PrivateKey

from streamgate.sdk.evm import keccak256, to_checksum
from streamgate_auth.signature import hash_personal_message
from tests.bench.load import Connection, Loaded, connected, read

JSON = {"Content-Type": "application/json"}
WARM_UP = 3


class Signer:
    def __init__(self, name: str) -> None:
        self._key = PrivateKey(keccak256(name.encode()))
        self.address = to_checksum("0x" + keccak256(self._key.public_key.format(compressed=False)[1:])[12:].hex())

    def sign(self, message: str) -> str:
        return "0x" + self._key.sign_recoverable(hash_personal_message(message.encode()), hasher=None).hex()

    async def sign_in(self, connection: Connection) -> None:
        body = json.dumps({"address": self.address}).encode()
        asked = (await connection.ask("POST", "/api/v1/auth/challenge", body, headers=JSON)).json()
        proof = {"challenge_id": asked["challenge_id"], "signature": self.sign(asked["message"])}
        await connection.ask("POST", "/api/v1/auth/verify-signature", json.dumps(proof).encode(), headers=JSON)


def load(port: int, *, connections: int = 16, sign_ins: int = 1_500, per_s: float = 0.0) -> Loaded:
    """In a process of its own."""
    numbers = ["--connections", str(connections), "--sign-ins", str(sign_ins), "--per-s", str(per_s)]
    command = [sys.executable, "-m", "tests.bench.sign_ins", str(port), *numbers]
    return read(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


async def _main(port: int, connections: int, sign_ins: int, per_s: float) -> None:
    latencies_ms: list[float] = []
    begin = asyncio.Event()
    left = iter(range(sign_ins))
    began_s = 0.0

    async def one(number: int, ready: asyncio.Semaphore) -> None:
        signer = Signer(f"bench {number}")
        async with connected(port) as connection:
            for _ in range(WARM_UP):
                await signer.sign_in(connection)
            ready.release()
            await begin.wait()
            for number_of_all in left:
                this_began_s = time.perf_counter()
                if per_s:
                    due_s = began_s + number_of_all / per_s
                    await asyncio.sleep(max(0.0, due_s - this_began_s))
                    this_began_s = due_s
                await signer.sign_in(connection)
                latencies_ms.append((time.perf_counter() - this_began_s) * 1000)

    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for number in range(connections):
            group.create_task(one(number, ready))
        for _ in range(connections):
            await ready.acquire()
        began_s = time.perf_counter()
        begin.set()
    took_s = time.perf_counter() - began_s
    print(json.dumps({"per_s": sign_ins / took_s, "latencies_ms": latencies_ms}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--sign-ins", type=int, default=1500)
    parser.add_argument("--per-s", type=float, default=0.0)
    given = parser.parse_args()
    uvloop.run(_main(given.port, given.connections, given.sign_ins, given.per_s))
