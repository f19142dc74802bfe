"""What a token that leaves costs, and what it costs to know that it has not.

- From a transfer that is mined to the first request for a segment that is refused, asked for every 5 ms: one `--all`
  process on uvicorn with its local chain (anvil, a process of its own) and the lease of 60 s. Milliseconds, of ten
  people. The same without the watcher, where each transfer follows at once on what a lease rests on: the whole of it.
- A decision that is kept, as a function in this process (auth and metadata, one content, one person), with the watcher
  at the head. Milliseconds each, one after the other.
- A decision with ten requirements on one chain of which nothing is kept, by turns with one bare `eth_call` on the same
  anvil: it may take 3 ms longer.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from streamgate.context import Actor
from streamgate.contracts.auth import AUTH, DecideQuery, SetGate
from streamgate.contracts.metadata import METADATA, NewContent
from streamgate.sdk.http import outgoing_client
from streamgate.settings import KernelSettings, Secret, ServerSettings
from streamgate.testing.clips import ClipSpec, make_clip
from streamgate.testing.devchain import ChainClient, DevchainServer
from streamgate.testing.house import House, house
from streamgate.testing.processes import StreamgateProcess
from streamgate.testing.wallets import Wallet, sign_in
from streamgate_auth.config import AuthConfig, ChainSettings
from tests.bench.figures import Figure, Row
from tests.bench.films import publish
from tests.bench.load import timed, timed_by_turns
from tests.bench.processes import UNLIMITED, person, running

PEOPLE = 10
KEPT = 3000
READ = 100
TEN = 10
ALLOWED_MS = 3.0
EVERY_S, RARELY_S = 0.005, 0.05
CLIP = ClipSpec(width_px=160, height_px=90, frames=50)
BALANCE_OF = "0x70a08231"  # balanceOf(address)


# --- in a running server ------------------------------------------------------------------------------


async def _ended_ms(
    http: httpx.AsyncClient, chain: ChainClient, content_id: str, number: int, every_s: float = EVERY_S
) -> float:
    """One person's, who watches until their token goes."""
    holder, buyer = Wallet.named(f"ending {number}"), Wallet.named(f"ending buyer {number}")
    token_id = chain.mint(holder.address)
    who = await sign_in(http, holder)
    opened = await http.post("/api/v1/stream/session", json={"content_id": content_id}, headers=who.headers)
    master = opened.raise_for_status().json()["hls_url"]
    playlist = await _first_named(http, master)
    segment = await _first_named(http, playlist)
    (await http.get(segment)).raise_for_status()
    chain.transfer(holder, buyer.address, token_id)
    mined_s = time.perf_counter()
    while (await http.get(segment)).is_success:
        await asyncio.sleep(every_s)
    return 1000 * (time.perf_counter() - mined_s)


async def _first_named(http: httpx.AsyncClient, playlist: str) -> str:
    """The URL of the first file that a playlist names on a line of its own."""
    answer = (await http.get(playlist)).raise_for_status()
    name = next(line for line in answer.text.splitlines() if line and not line.startswith("#"))
    return str(answer.url.join(name))


async def _ending(server: StreamgateProcess, chain: ChainClient, clip: Path, *, is_watched: bool) -> Row:
    creator = await person(server.base_url)
    content_id = await publish(server.base_url, creator, clip)
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False) as http:
        rule = {"erc721": {"chain": chain.chain, "contract": chain.contract}}
        put = await http.put(f"/api/v1/content/{content_id}/gate", json=rule, headers=creator.headers)
        put.raise_for_status()
        if is_watched:
            took_ms = [await _ended_ms(http, chain, content_id, number) for number in range(PEOPLE)]
            name, limit = "transfer mined to first refusal", 2_000
        else:
            ending = (_ended_ms(http, chain, content_id, number, RARELY_S) for number in range(PEOPLE))
            took_ms = await asyncio.gather(*ending)
            name, limit = "  without the watcher", 60_000
    return Figure(name=name, unit="ms", ours=tuple(took_ms), limit=limit, limit_of="p99")


# --- as a function ------------------------------------------------------------------------------------


@attrs.frozen
class _Decided:
    """Auth with a content and somebody who holds what its gate asks."""

    home: House
    query: DecideQuery

    async def once(self) -> None:
        decision = await self.home.plugins["auth"].service.decide(self.query)
        assert decision.outcome == "holds", decision


@asynccontextmanager
async def _decided(folder: Path, chain: ChainClient, rule: Any, **config: Any) -> AsyncIterator[_Decided]:
    settings = KernelSettings(
        profile="test", data_dir=folder, server=ServerSettings(public_url="https://video.example")
    )
    auth = AuthConfig(chains={chain.chain: ChainSettings(rpc_urls=(Secret(chain.rpc_url),))}, **config)
    folder.mkdir()
    async with house(folder, ["metadata", "auth"], settings=settings, configs={"auth": auth}) as home:
        async with home.client() as client:
            signed_in = await sign_in(client, Wallet.named("bench"))
        viewer, owner = Actor(kind="user", user_id=signed_in.user_id), Actor(kind="user", user_id="bench_owner")
        content_id = (await home.services.get(METADATA).create(NewContent(actor=owner, title="film"))).content_id
        await home.services.get(AUTH).set_gate(SetGate(content_id=content_id, actor=owner, gate=rule))
        yield _Decided(home, DecideQuery(content_id=content_id, actor=viewer))


async def _functions(folder: Path, chain: ChainClient) -> list[Row]:
    wallet = Wallet.named("bench")
    tokens = [chain.mint(wallet.address) for _ in range(TEN)]
    named = {"chain": chain.chain, "contract": chain.contract}
    call = {"to": chain.contract, "data": BALANCE_OF + wallet.address[2:].lower().rjust(64, "0")}
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
    async with _decided(folder / "kept", chain, {"erc721": named}) as kept:
        await timed(kept.once, KEPT // 10)
        ours = await timed(kept.once, KEPT)
    rule = {"all": [{"erc721": {**named, "token_id": str(token)}} for token in tokens]}
    async with _decided(folder / "read", chain, rule, cache_s=0.0) as read, outgoing_client(timeout_s=10) as node:

        async def bare() -> None:
            (await node.post(chain.rpc_url, json=question)).raise_for_status()

        await timed_by_turns(read.once, bare, READ // 10)
        ten, one = await timed_by_turns(read.once, bare, READ)
    return [
        Figure(name="decision, kept", unit="ms", ours=ours, limit=1, limit_of="p99"),
        Figure(
            name="  of them a second",
            unit="1/s",
            ours=(len(ours) / sum(ours) * 1000,),
            higher_is_better=True,
            limit=5_000,
        ),
        Figure(
            name="decision, ten requirements on one chain",
            unit="ms",
            ours=ten,
            peer=one,
            peer_name="one eth_call",
            limit=statistics.median(one) + ALLOWED_MS,
        ),
    ]


def measure(folder: Path) -> list[Row]:
    clip = make_clip(folder / "clip.mp4", CLIP)
    rows: list[Row] = []
    with DevchainServer() as devchain, devchain.client() as chain:
        for is_watched in (True, False):
            configured = {chain.chain: {"rpc_urls": [chain.rpc_url], "watch": is_watched}}
            file = folder / "streamgate.json"
            file.write_text(json.dumps({"auth": {"open_creators": True, "chains": configured}}))
            arguments = ["--all", "--profile", "dev", "--engine", "uvicorn", "--config", str(file)]
            with running(folder, f"all-{is_watched}", arguments, UNLIMITED) as server:
                rows.append(asyncio.run(_ending(server, chain, clip, is_watched=is_watched)))
        rows += asyncio.run(_functions(folder, chain))
    return rows
