"""Wallets that are contracts: deployed (ERC-1271) and not yet (ERC-6492), good and hostile, on a real node."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any, cast

import attrs
import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.auth import ACCOUNTS
from streamgate.contracts.events import PEOPLE_CHANGED, PeopleChanged
from streamgate.contracts.hooks import ContractProof
from streamgate.events import Received, on_group
from streamgate.settings import Secret
from streamgate.testing.attacks import attack
from streamgate.testing.devchain import ChainClient, DevchainServer
from streamgate.testing.house import House, house
from streamgate.testing.wallets import Wallet, sign_in
from streamgate_auth.accounts import seen_from
from streamgate_auth.chain_settings import ChainSettings
from streamgate_auth.config import AuthConfig
from streamgate_auth.evm.reads import Returned, Unread
from streamgate_auth.evm.validator import CALL_GAS, SignatureCall
from streamgate_auth.rpc.wire import RpcError
from streamgate_auth.schemes.contract_wallet import Malformed, call_for
from tests.plugins.auth.people import (
    NAMES,
    SolanaWallet,
    actor_of,
    answer_to,
    ask,
    content_of,
    decide,
    kernel_settings,
    until,
)
from tests.plugins.auth.wallet_contracts import WRAPPER, ContractWallet, WalletMaker, Wire, call_data, wire_to, wrapped

PREFIX = "/api/v1/auth"
ADA, BEN, CY, EVE = (Wallet.named(f"{name} of a contract") for name in ("ada", "ben", "cy", "eve"))


@pytest.fixture
def maker(devchain: ChainClient) -> WalletMaker:
    return WalletMaker(devchain)


@pytest.fixture
async def wire(devchain: ChainClient) -> AsyncIterator[Wire]:
    async with wire_to(devchain.rpc_url) as wire:
        yield wire


@pytest.fixture
async def home(tmp_path: Path, devchain: ChainClient, wire: Wire) -> AsyncIterator[House]:
    """Its chain is read over the wire."""
    settings = ChainSettings(rpc_urls=(Secret(wire.url),), timeout_s=1.0)
    configs = {"auth": AuthConfig(chains={devchain.chain: settings}, cache_s=0.0)}
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs=configs) as home:
        yield home


async def answer(http: httpx.AsyncClient, wallet: Any, scheme: str = "siwe") -> httpx.Response:
    return await http.post(f"{PREFIX}/verify-signature", json=answer_to(await ask(http, wallet, scheme), wallet))


async def signed_in(http: httpx.AsyncClient, wallet: Any) -> dict[str, Any]:
    said = await answer(http, wallet)
    assert said.status_code == 200, said.text
    found: dict[str, Any] = said.json()
    return found


async def trade(http: httpx.AsyncClient, token: dict[str, Any]) -> httpx.Response:
    return await http.post(f"{PREFIX}/refresh", json={"refresh_token": token["refresh_token"]})


def refusal(said: httpx.Response) -> tuple[int, str]:
    return said.status_code, said.json()["code"]


# --- who signs in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["siwe", "eip191"])
async def test_as_many_owners_as_it_wants_sign_in_with_a_contract(
    http: httpx.AsyncClient, maker: WalletMaker, scheme: str
) -> None:
    safe = maker.threshold([ADA, BEN, CY], 2)
    said = await answer(http, safe, scheme)
    found = said.json()
    assert said.status_code == 200, found
    assert (found["address"], found["chain"], found["is_contract"]) == (safe.address, maker.chain.chain, True)
    owner = await signed_in(http, ADA)
    assert (owner["is_contract"], owner["user_id"] == found["user_id"]) == (False, False)
    assert (await signed_in(http, attrs.evolve(safe, owners=[BEN, CY])))["user_id"] == found["user_id"]
    for owners in ([ADA], [EVE, ADA], [EVE]):
        assert refusal(await answer(http, attrs.evolve(safe, owners=owners))) == (401, "auth.signature_invalid")


async def test_typed_data_too(http: httpx.AsyncClient, maker: WalletMaker) -> None:
    asked = await ask(http, maker.threshold([ADA], 1), "eip712")
    said = await http.post(f"{PREFIX}/verify-signature", json=answer_to(asked, ADA))
    assert (said.status_code, said.json()["is_contract"]) == (200, True)


async def test_a_wallet_that_is_not_made_yet_signs_in_and_stays_unmade(
    http: httpx.AsyncClient, maker: WalletMaker
) -> None:
    wallet = maker.undeployed([ADA, BEN])
    block = maker.chain.block_number
    first = await signed_in(http, wallet)
    assert (maker.has_code(wallet.address), maker.chain.block_number) == (False, block)
    assert (await trade(http, first)).status_code == 200
    assert wallet.made_by is not None
    factory, make = wallet.made_by
    maker.send(to=factory, data=make)
    assert maker.has_code(wallet.address)
    # The same wallet, made: by the same signature in its wrapper, and by one without.
    for known in (wallet, attrs.evolve(wallet, made_by=None)):
        assert (await signed_in(http, known))["user_id"] == first["user_id"]


@attack("B6")
async def test_a_factory_makes_nobody_elses_wallet(http: httpx.AsyncClient, maker: WalletMaker) -> None:
    wallet, other = maker.undeployed([ADA]), maker.undeployed([EVE])
    loops = maker.deploy("Loops")
    assert wallet.made_by is not None
    for made_by in (other.made_by, (loops, "0x01"), (ADA.address, "0x"), (wallet.made_by[0], "0x12345678")):
        said = await answer(http, attrs.evolve(wallet, owners=[EVE], made_by=made_by))
        assert refusal(said) == (401, "auth.signature_invalid")
        assert "makes no wallet" in said.json()["detail"]
    assert refusal(await answer(http, attrs.evolve(wallet, owners=[EVE]))) == (401, "auth.signature_invalid")


async def test_a_wallet_that_is_there_is_not_touched(http: httpx.AsyncClient, maker: WalletMaker) -> None:
    """What an ERC-6492 wrapper calls its factory could change the wallet that is then asked."""
    safe = maker.threshold([ADA], 1)
    takes_over = (safe.address, call_data("swapOwner(address,address)", ADA.address, EVE.address))
    thief = ContractWallet(safe.address, [EVE], takes_over)
    assert refusal(await answer(http, thief)) == (401, "auth.signature_invalid")


@attack("B6", "B20")
@pytest.mark.parametrize("name", ["Loops", "Floods", "Reverts", "AnswersShort", "Echoes"])
async def test_a_hostile_contract_signs_nobody_in(http: httpx.AsyncClient, maker: WalletMaker, name: str) -> None:
    hostile = ContractWallet(maker.deploy(name), [EVE])
    said = await answer(http, hostile)
    assert refusal(said) == (401, "auth.signature_invalid")
    assert "does not accept" in said.json()["detail"]


@attack("B6")
async def test_a_contract_that_accepts_everything_is_itself_and_nobody_else(
    http: httpx.AsyncClient, maker: WalletMaker
) -> None:
    yes = ContractWallet(maker.deploy("SaysYes"), [EVE])
    found = await signed_in(http, yes)
    assert found["address"] == yes.address
    other = ContractWallet(maker.deploy("SaysYes"), [EVE])
    assert (await signed_in(http, other))["user_id"] != found["user_id"] != (await signed_in(http, EVE))["user_id"]


@attack("B4")
async def test_the_same_address_on_another_chain_is_somebody_else(tmp_path: Path, own_devchain: DevchainServer) -> None:
    with own_devchain.client() as chain:
        maker = WalletMaker(chain)
        yes = ContractWallet(maker.deploy("SaysYes"), [EVE])
        url = Secret(chain.rpc_url)
        chains = {name: ChainSettings(rpc_urls=(url,)) for name in (chain.chain, "eip155:1")}
        configs = {"auth": AuthConfig(chains=chains, admins=(yes.address,), moderators=(f"eip155:1:{yes.address}",))}
        settings = kernel_settings(tmp_path)
        async with house(tmp_path, NAMES, settings=settings, configs=configs) as home, home.client() as http:
            here = await sign_in(http, cast(Wallet, yes), chain=chain.chain)  # it signs as one does
            chain.call("anvil_setChainId", 1)
            there = await sign_in(http, cast(Wallet, yes), chain="eip155:1")
            assert here.user_id != there.user_id
            # A role of an address is that of a key; a contract has one where it was named with its chain.
            assert (here.roles, there.roles) == (("viewer",), ("moderator", "viewer"))


# --- what it said, asked again ----------------------------------------------------------------------


async def test_a_contract_that_takes_its_word_back_ends_the_sign_in(
    home: House, http: httpx.AsyncClient, maker: WalletMaker
) -> None:
    safe = maker.threshold([ADA, BEN], 1)
    of_ada, of_ben = [await signed_in(http, attrs.evolve(safe, owners=[owner])) for owner in (ADA, BEN)]
    again = await trade(http, of_ada)
    assert again.status_code == 200
    maker.swap_owner(safe, ADA, EVE)
    assert refusal(await trade(http, again.json())) == (401, "auth.wallet_refused")
    assert refusal(await trade(http, again.json())) == (401, "auth.token_invalid")
    revoked = await home.services.get(ACCOUNTS).recently_revoked()
    assert revoked.credentials == (actor_of(of_ada).credential,)
    assert (await trade(http, of_ben)).status_code == 200


async def test_a_chain_that_cannot_be_read_is_503_and_uses_nothing_up(
    http: httpx.AsyncClient, maker: WalletMaker, wire: Wire
) -> None:
    safe = maker.threshold([ADA], 1)
    asked, running, key = await ask(http, safe, "siwe"), await signed_in(http, safe), await signed_in(http, BEN)
    wire.cut()
    proof = answer_to(asked, safe)
    for said in (await http.post(f"{PREFIX}/verify-signature", json=proof), await trade(http, running)):
        assert refusal(said) == (503, "auth.chain_unavailable")
        assert int(said.headers["retry-after"]) >= 1
    # A key needs no chain.
    assert (await signed_in(http, BEN))["user_id"] == key["user_id"]
    assert (await trade(http, key)).status_code == 200
    wire.mend()
    assert (await http.post(f"{PREFIX}/verify-signature", json=proof)).status_code == 200
    assert (await trade(http, running)).status_code == 200


async def test_a_linked_contract_counts_while_it_stands_by_its_word(
    home: House, http: httpx.AsyncClient, maker: WalletMaker
) -> None:
    safe, chain = maker.threshold([BEN], 1), maker.chain
    account = f"{chain.chain}:{safe.address}"
    mine = await signed_in(http, ADA)
    async with home.client(actor_of(mine)) as me:
        asked = (await me.post(f"{PREFIX}/wallets/challenge", json={"address": safe.address})).json()
        linked = (await me.post(f"{PREFIX}/wallets", json=answer_to(asked, safe))).json()
        assert (linked["address"], linked["chain"], linked["in_doubt"]) == (safe.address, chain.chain, False)

        async def wallets() -> dict[str, bool]:
            items = (await me.get(f"{PREFIX}/wallets")).json()["items"]
            return {each["address"]: each["in_doubt"] for each in items}

        maker.swap_owner(safe, BEN, CY)
        # The sign-in is a key's, and goes on.
        mine = (await trade(http, mine)).json()
        assert await wallets() == {ADA.address: False, safe.address: True}
        assert (await signed_in(http, attrs.evolve(safe, owners=[CY])))["user_id"] == mine["user_id"]
        assert await wallets() == {ADA.address: False, safe.address: False}
        assert (await me.put(f"{PREFIX}/wallets/{account}/primary")).status_code == 204
        for named, status in ((f"eip155:1:{safe.address}", 404), (account, 204), (safe.address, 404)):
            assert (await me.delete(f"{PREFIX}/wallets/{named}")).status_code == status


@attrs.define
class Changed:
    people: list[str] = attrs.field(factory=list)

    async def on_changed(self, event: Received[PeopleChanged]) -> None:
        self.people.extend(event.body.user_ids)


async def test_a_role_that_a_linked_contract_brought_ends_everywhere_with_its_word(
    tmp_path: Path, maker: WalletMaker
) -> None:
    safe, chain, changed = maker.threshold([BEN], 1), maker.chain, Changed()
    config = AuthConfig(
        chains={chain.chain: ChainSettings(rpc_urls=(Secret(chain.rpc_url),))},
        moderators=(f"{chain.chain}:{safe.address}",),
        blocked_addresses=(safe.address,),
        cache_s=0.0,
    )
    async with (
        house(
            tmp_path,
            NAMES,
            settings=kernel_settings(tmp_path),
            configs={"auth": config},
            subscriptions=[on_group(PEOPLE_CHANGED, changed.on_changed, group="tests")],
        ) as home,
        home.client() as http,
    ):
        one, other = await signed_in(http, ADA), await signed_in(http, ADA)
        async with home.client(actor_of(one)) as me:
            asked = (await me.post(f"{PREFIX}/wallets/challenge", json={"address": safe.address})).json()
            assert (await me.post(f"{PREFIX}/wallets", json=answer_to(asked, safe))).status_code == 201
        other = (await trade(http, other)).json()
        assert other["roles"] == ["moderator", "viewer"]
        maker.swap_owner(safe, BEN, CY)
        for each in (one, other):  # found out with the first refresh, of whichever sign-in
            assert refusal(await trade(http, each)) == (401, "auth.token_invalid")
        over = (await home.services.get(ACCOUNTS).recently_revoked()).credentials
        assert {actor_of(each).credential for each in (one, other)} == set(over)
        again = await signed_in(http, ADA)
        assert again["roles"] == ["viewer"]
        content_id = await content_of(home, actor_of(await signed_in(http, EVE)), {"public": {}})
        assert (await decide(home, actor_of(again), content_id)).explanation.kind == "veto", (
            "blocked, as the contract is"
        )
        await until(lambda: changed.people == [one["user_id"]] * 2)  # linked, and in doubt


# --- the question itself ----------------------------------------------------------------------------


def test_a_contract_has_an_address_on_its_own_chain_alone() -> None:
    names = [
        ADA.address,
        f"eip155:1:{BEN.address}",
        f"eip155:137:{CY.address}",
        SolanaWallet.named("ada").address,
    ]
    key, ben, cy, solana = names
    assert seen_from("eip155:137", names) == (key, ben, CY.address, solana)
    assert seen_from("eip155:1", names) == (key, BEN.address, cy, solana)
    assert seen_from("eip155:13", names) == seen_from("", names) == (key, ben, cy, solana)


def test_the_artifact_is_of_its_source() -> None:
    folder = resources.files("streamgate_auth.evm") / "contracts"
    artifact = orjson.loads((folder / "Validator.json").read_bytes())
    source = (folder / "Validator.sol").read_bytes()
    assert artifact["source_sha256"] == hashlib.sha256(source).hexdigest(), "run compile-contracts.mjs"


def test_too_little_gas_is_no_refusal(maker: WalletMaker) -> None:
    call = SignatureCall(wallet=maker.deploy("SaysYes"), digest=b"\x01" * 32, signature=b"")
    (question, block) = call.question("latest").params
    accepted, too_little = Returned(bytes(31) + b"\x01"), Unread("the node gave the question too little gas")
    for gas, wanted in ((CALL_GAS, accepted), (1_500_000, too_little)):
        assert call.result(maker.chain.call("eth_call", {**question, "gas": hex(gas)}, block)) == wanted


@pytest.mark.parametrize(
    "said", ["0x", "0x1", None, 7, "0x" + "00" * 31 + "09", "0x" + "zz" * 32, RpcError(-32000, "?")]
)
def test_what_is_no_verdict_is_not_known(said: Any) -> None:
    call = SignatureCall(wallet=ADA.address, digest=b"\x01" * 32, signature=b"")
    assert isinstance(call.result(said), Unread)


@given(st.binary(max_size=300))
def test_no_wrapper_breaks_the_reader(data: bytes) -> None:
    proof = ContractProof(digest=b"\x01" * 32, signature=data + bytes.fromhex(WRAPPER))
    with suppress(Malformed):
        assert len(call_for(ADA.address, proof).signature) <= len(data)


def test_a_wrapper_is_read_as_another_wrote_it() -> None:
    signature = bytes.fromhex(wrapped(BEN.address, "0x" + "ab" * 70, "0x" + "cd" * 65)[2:])
    call = call_for(ADA.address, ContractProof(digest=b"\x01" * 32, signature=signature))
    assert (call.wallet, call.factory, call.factory_call, call.signature) == (
        ADA.address,
        BEN.address,
        b"\xab" * 70,
        b"\xcd" * 65,
    )


async def test_a_contract_wallet_opens_what_it_holds_on_its_own_chain(
    http: httpx.AsyncClient, home: House, maker: WalletMaker
) -> None:
    chain, safe = maker.chain, maker.threshold([ADA], 1)
    owner, holder = await signed_in(http, CY), await signed_in(http, safe)
    rule = {"erc721": {"chain": chain.chain, "contract": chain.contract}}
    content_id = await content_of(home, actor_of(owner), rule)
    assert (await decide(home, actor_of(holder), content_id)).outcome == "does_not_hold"
    chain.mint(safe.address)
    assert (await decide(home, actor_of(holder), content_id)).outcome == "holds"
