"""NFT rows: what is asked of auth, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.nft import (
    NFT,
    ChainUnavailable,
    NftHolding,
    NftQuery,
    OwnedBalance,
    OwnedQuery,
    OwnedToken,
    OwnedTokens,
    TokenDetails,
    TokenNotFound,
    TokenQuery,
)
from streamgate.errors import StreamgateError
from streamgate.services import Offer
from streamgate.testing.house import House, house

ALICE = Actor(kind="user", user_id="u_alice", roles=("viewer",), address="0xA11ce00000000000000000000000000000000000")
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
AT = "2026-01-31T12:00:00.000Z"


@attrs.define
class Chains:
    """Stands in for auth's reading of chains; notes what it was asked."""

    asked: list[Any] = attrs.field(factory=list)
    fault: StreamgateError | None = None

    def _note(self, query: object) -> None:
        self.asked.append(query)
        if self.fault is not None:
            raise self.fault

    async def verify(self, query: NftQuery) -> NftHolding:
        self._note(query)
        return NftHolding(
            address=query.address,
            chain=query.chain,
            contract=query.contract,
            token_id=query.token_id,
            holds=True,
            balance="2",
            standard="erc721",
            block_number=7,
            checked_at=AT,
            sources=1,
        )

    async def owned(self, query: OwnedQuery) -> OwnedTokens:
        self._note(query)
        return OwnedTokens(
            chain=query.chain,
            contract=query.contract,
            standard="erc721",
            enumerable=True,
            balances=(OwnedBalance(address=query.actor.address, balance="1"),),
            items=(OwnedToken(token_id="4", owner=query.actor.address),),
            next_cursor=None,
            block_number=7,
            checked_at=AT,
        )

    async def token(self, query: TokenQuery) -> TokenDetails:
        self._note(query)
        return TokenDetails(
            chain=query.chain,
            contract=query.contract,
            token_id=query.token_id,
            standard="erc721",
            owner=query.actor.address,
            held=True,
            name="Films",
            symbol="F",
            token_uri=None,
            block_number=7,
            checked_at=AT,
        )


@pytest.fixture
def chains() -> Chains:
    return Chains()


@pytest.fixture
async def home(tmp_path: Path, chains: Chains) -> AsyncIterator[House]:
    async with house(tmp_path, ["api"], offers=[Offer(NFT, chains)]) as home:
        yield home


async def call(home: House, who: Actor, method: str, path: str, **more: Any) -> httpx.Response:
    async with home.client(who) as client:
        return await client.request(method, path, **more)


async def test_who_signed_in_is_asked_about_where_no_address_is_named(home: House, chains: Chains) -> None:
    body = {"chain": "eip155:1", "contract": CONTRACT}
    answer = await call(home, ALICE, "POST", "/api/v1/nft/verify", json=body)
    assert (answer.status_code, answer.json()["holds"], answer.json()["balance"]) == (200, True, "2")
    assert chains.asked[0].address == ALICE.address
    await call(home, ALICE, "POST", "/api/v1/nft/verify", json={**body, "address": CONTRACT, "token_id": "9"})
    assert (chains.asked[1].address, chains.asked[1].token_id) == (CONTRACT, "9")
    key = attrs.evolve(ALICE, address="")
    answer = await call(home, key, "POST", "/api/v1/nft/verify", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "address")


async def test_what_a_person_holds_and_what_a_token_is(home: House, chains: Chains) -> None:
    where = {"chain": "eip155:1", "contract": CONTRACT}
    answer = await call(home, ALICE, "GET", "/api/v1/nft", params={**where, "limit": "5"})
    assert answer.json()["items"] == [{"token_id": "4", "owner": ALICE.address}]
    assert (chains.asked[0].actor.user_id, chains.asked[0].limit) == ("u_alice", 5)
    answer = await call(home, ALICE, "GET", "/api/v1/nft/4", params=where)
    assert (answer.json()["token_id"], answer.json()["held"]) == ("4", True)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/v1/nft/verify"), ("GET", "/api/v1/nft"), ("GET", "/api/v1/nft/4")]
)
async def test_what_is_said_without_a_chain_or_a_sign_in(home: House, chains: Chains, method: str, path: str) -> None:
    assert (await call(home, ANONYMOUS, method, path)).status_code == 401
    more: dict[str, Any] = {"json": {}} if method == "POST" else {}
    answer = await call(home, ALICE, method, path, **more)
    assert answer.status_code == 422
    assert "chain" in {error["field"] for error in answer.json()["errors"]}
    assert chains.asked == []


async def test_a_chain_that_cannot_be_read_is_never_a_no(home: House, chains: Chains) -> None:
    where = {"chain": "eip155:1", "contract": CONTRACT}
    chains.fault = ChainUnavailable("eip155:1 cannot be read now")
    answer = await call(home, ALICE, "POST", "/api/v1/nft/verify", json=where)
    assert (answer.status_code, answer.json()["code"]) == (503, "auth.chain_unavailable")
    assert answer.headers["retry-after"]
    chains.fault = TokenNotFound("nobody owns token 4")
    answer = await call(home, ALICE, "GET", "/api/v1/nft/4", params=where)
    assert (answer.status_code, answer.json()["code"]) == (404, "nft.not_found")
