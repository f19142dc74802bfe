"""Rows about what is read of chains: contracts and nodes that lie, lag, fail and change their minds."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgate.testing.attacks import attack
from tests.e2e.cast import Cast
from tests.e2e.shared import DOUBTFUL_CONFIRMATIONS
from tests.security.stage import TheChain, becomes, gate, gated_video, holders, minted, newcomer, opened, told

pytestmark = pytest.mark.timeout(180)  # the first one may start the servers

HOSTILE = Path(__file__).parents[1] / "plugins/auth/contracts/Hostile.json"
REVERTS, LOOPS, FLOODS, REVERTS_AT_LENGTH = range(4)
LAG_BLOCKS = 5  # fewer than `max_lag_blocks`
REFUSED, UNKNOWN, OPEN = (403, "gate.refused"), (503, "gate.unknown"), (201, "")


async def on_doubtful(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> str:
    return await gate(cast, http, holders(cast, chain=chain.doubtful.name))


async def checked(cast: Cast, http: httpx.AsyncClient, rule: dict[str, Any], address: str) -> str:
    """What a rule would say of this wallet: a dry run, which creators may make."""
    body = {"gate": rule, "address": address}
    answer = await http.post("/api/v1/gates/check", json=body, headers=cast.headers("creator"))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["outcome"])


@attack("B17")
async def test_b17_a_token_borrowed_for_a_block(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Borrow, be let in, give back in one block → it must have been held some blocks ago, too."""
    video_id = await on_doubtful(cast, http, chain)
    _, borrower = await newcomer(http)
    await minted(http, borrower.address)
    assert told(await opened(http, video_id, borrower)) in (REFUSED, UNKNOWN)
    chain.mine(DOUBTFUL_CONFIRMATIONS)
    await becomes(http, video_id, borrower, OPEN)
    for_long = holders(cast, held_for_s=3600)
    assert await checked(cast, http, holders(cast), borrower.address) == "holds"
    assert await checked(cast, http, for_long, borrower.address) != "holds"


@attack("B18")
async def test_b18_a_collection_of_the_same_name(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Mint oneself a clone that answers yes to everything → the rule names the contract, not what it calls itself."""
    clone = chain.returning(1)
    video_id = await gated_video(cast, http)
    _, forger = await newcomer(http)
    assert await checked(cast, http, holders(cast, contract=clone), forger.address) == "holds"
    assert told(await opened(http, video_id, forger)) == REFUSED
    await minted(http, forger.address)
    await becomes(http, video_id, forger, OPEN)


@attack("B19", "B30")
async def test_b19_traits_that_a_collection_makes_up(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """A collection whose metadata is at the forger's own server → no rule can name a trait, nobody goes there."""
    visits: list[object] = []
    server = await asyncio.start_server(lambda _, writer: visits.append(writer.close()), "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/7.json"
        forged = chain.with_metadata_at(address)
        _, forger = await newcomer(http)
        about = {"chain": cast.ids["chain"], "contract": forged}
        seen = await http.get("/api/v1/nft/7", params=about, headers=forger.headers)
        assert (seen.status_code, seen.json()["token_uri"]) == (200, address), seen.text
        for trait in ({"traits": {"hat": "gold"}}, {"attributes": [{"trait_type": "hat", "value": "gold"}]}):
            body = {"gate": holders(cast, contract=forged, **trait), "address": forger.address}
            refused = await http.post("/api/v1/gates/check", json=body, headers=cast.headers("creator"))
            assert refused.status_code == 422, refused.text
            assert next(iter(trait)) in refused.text
        assert await checked(cast, http, holders(cast, contract=forged), forger.address) == "holds"
        video_id = await gate(cast, http, holders(cast, contract=forged))
        assert told(await opened(http, video_id, forger)) == OPEN
    assert visits == []


@attack("B20")
async def test_b20_contracts_that_revert_loop_and_flood(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """A collection that never ends or returns megabytes → it opens nothing, and the rules beside it stay right."""
    code = json.loads(HOSTILE.read_text())["bytecode"]["TestHostile"]
    _, person = await newcomer(http)
    await minted(http, person.address)
    for mode in (REVERTS, LOOPS, FLOODS, REVERTS_AT_LENGTH):
        bad = holders(cast, contract=chain.deployed(f"{code}{mode:064x}"))
        assert await checked(cast, http, bad, person.address) in ("unknown", "does_not_hold"), mode
        assert await checked(cast, http, {"not": bad}, person.address) != "holds", mode
        assert await checked(cast, http, {"any": [bad, holders(cast)]}, person.address) == "holds", mode


@attack("B21")
async def test_b21_a_node_that_lies(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """One endpoint says yes to a stranger, no to a holder, or is of another chain → without a quorum, nobody knows."""
    video_id = await on_doubtful(cast, http, chain)
    _, stranger = await newcomer(http)
    _, holder = await newcomer(http)
    await minted(http, holder.address)
    chain.mine(DOUBTFUL_CONFIRMATIONS)
    liar, _ = chain.doubtful.nodes
    liar.lie(cast.ids["contract"], 1)
    assert told(await opened(http, video_id, stranger)) == UNKNOWN
    liar.lie(cast.ids["contract"], 0)
    assert told(await opened(http, video_id, holder)) == UNKNOWN
    chain.heal()
    await becomes(http, video_id, stranger, REFUSED)
    await becomes(http, video_id, holder, OPEN)


@attack("B21")
async def test_b21_a_node_that_lags(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Sell the token and be judged by a node that has not heard of it → it counts as soon as that one has."""
    video_id = await on_doubtful(cast, http, chain)
    wallet, seller = await newcomer(http)
    token_id = int(await minted(http, seller.address))
    chain.mine(DOUBTFUL_CONFIRMATIONS)
    assert told(await opened(http, video_id, seller)) == OPEN
    chain.client.transfer(wallet, f"0x{'33' * 20}", token_id)
    chain.doubtful.nodes[0].lag_blocks = LAG_BLOCKS
    chain.mine(LAG_BLOCKS)
    await becomes(http, video_id, seller, REFUSED, UNKNOWN)
    assert told(await opened(http, video_id, seller)) in (REFUSED, UNKNOWN)


@attack("B22")
async def test_b22_all_nodes_are_away(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Cut the nodes off to get in, or to have a no kept → unknown opens nothing, and is never remembered as a no."""
    video_id = await on_doubtful(cast, http, chain)
    _, stranger = await newcomer(http)
    _, holder = await newcomer(http)
    await minted(http, holder.address)
    chain.mine(DOUBTFUL_CONFIRMATIONS)
    for node in chain.doubtful.nodes:
        node.is_dead = True
    for person in (stranger, holder):
        assert told(await opened(http, video_id, person)) == UNKNOWN
    rule = holders(cast, chain=chain.doubtful.name)
    assert await checked(cast, http, {"not": rule}, stranger.address) == "unknown"
    chain.heal()
    for node in chain.doubtful.nodes:
        node.errors["eth_call"] = -32000
    assert told(await opened(http, video_id, holder)) == UNKNOWN
    chain.heal()
    await becomes(http, video_id, holder, OPEN)
    await becomes(http, video_id, stranger, REFUSED)


@attack("B23")
async def test_b23_a_reorganisation(cast: Cast, http: httpx.AsyncClient, chain: TheChain) -> None:
    """Be let in by a block that is taken back → it must have been held some blocks below the head, too."""
    video_id = await on_doubtful(cast, http, chain)
    _, person = await newcomer(http)
    before = chain.client.call("evm_snapshot")
    await minted(http, person.address)
    assert told(await opened(http, video_id, person)) in (REFUSED, UNKNOWN)
    assert chain.client.call("evm_revert", before)
    chain.mine(DOUBTFUL_CONFIRMATIONS + 2)
    assert told(await opened(http, video_id, person)) in (REFUSED, UNKNOWN)
    await becomes(http, video_id, person, REFUSED)
