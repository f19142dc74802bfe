"""People who sign in as wallets do, and what the tests of auth ask for them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import jwt
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from solders.keypair import Keypair

from streamgate.context import Actor
from streamgate.contracts.auth import AUTH, DecideQuery, Decision, SetGate, StoredGate
from streamgate.contracts.gate import Rule
from streamgate.contracts.metadata import METADATA, AccessQuery, NewContent
from streamgate.settings import DatabaseSettings, KernelSettings, Secret, SecretSettings, ServerSettings
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import SignedIn, Wallet, sign_in
from streamgate_auth.config import AuthConfig, ChainSettings
from tests.plugins.auth.wallet_contracts import ContractWallet

ORIGIN = "https://video.example"
NAMES = ["metadata", "auth"]
SERVICE = Actor(kind="service")


def kernel_settings(folder: Path, *, profile: str = "test") -> KernelSettings:
    return KernelSettings(profile=profile, data_dir=folder, server=ServerSettings(public_url=ORIGIN))


def settings_on(request: pytest.FixtureRequest, folder: Path) -> KernelSettings:
    """On the database that a fixture's parameter names: `sqlite` or `postgresql`."""
    settings = kernel_settings(folder)
    if request.param == "sqlite":
        return settings
    url, secrets = Secret(request.getfixturevalue("postgres_url")), SecretSettings(master_key=Secret("A" * 43 + "="))
    return attrs.evolve(settings, database=DatabaseSettings(url=url), secrets=secrets)


def config_for(chain: ChainClient, **more: Any) -> AuthConfig:
    """The chain is configured, so no devchain service is asked. Nobody follows it, and nothing is kept of it."""
    how = ChainSettings(rpc_urls=(Secret(chain.rpc_url),), watch=False)
    return AuthConfig(**{"chains": {chain.chain: how}, "cache_s": 0.0, **more})


@attrs.frozen
class Person:
    """Somebody who signed in."""

    wallet: Wallet
    actor: Actor


async def person(home: House, name: str) -> Person:
    wallet = Wallet.named(name)
    async with home.client() as client:
        signed_in: SignedIn = await sign_in(client, wallet)
    return Person(wallet, Actor(kind="user", user_id=signed_in.user_id, roles=signed_in.roles, address=wallet.address))


async def content_of(home: House, owner: Actor, gate: Rule | None = None) -> str:
    """A content with this gate."""
    content = await home.services.get(METADATA).create(NewContent(actor=owner, title="film"))
    if gate is not None:
        await set_gate(home, owner, content.content_id, gate)
    return content.content_id


async def set_gate(home: House, actor: Actor, content_id: str, gate: Rule | None) -> StoredGate:
    return await home.services.get(AUTH).set_gate(SetGate(content_id=content_id, actor=actor, gate=gate))


async def decide(
    home: House,
    actor: Actor,
    content_id: str,
    *,
    min_block: dict[str, int] | None = None,
    max_age_s: float | None = None,
) -> Decision:
    return await home.services.get(AUTH).decide(
        DecideQuery(content_id=content_id, actor=actor, min_block=min_block or {}, max_age_s=max_age_s)
    )


# --- wallets of every scheme ------------------------------------------------------------------------


@attrs.frozen
class SolanaWallet:
    """An ed25519 key, signed with by solders."""

    seed: bytes = attrs.field(repr=False)

    @classmethod
    def named(cls, name: str) -> SolanaWallet:
        return cls(hashlib.sha256(b"streamgate test solana wallet " + name.encode()).digest())

    @property
    def address(self) -> str:
        return str(Keypair.from_seed(self.seed).pubkey())

    def sign(self, text: str) -> str:
        """Base58."""
        return str(Keypair.from_seed(self.seed).sign_message(text.encode()))


AnyWallet = Wallet | SolanaWallet | ContractWallet
EVM_SCHEMES = ("siwe", "eip191", "eip712")
SOLANA_SCHEMES = ("siws", "solana")
SCHEMES = (*EVM_SCHEMES, *SOLANA_SCHEMES)


def wallet_for(scheme: str, name: str) -> AnyWallet:
    return Wallet.named(name) if scheme in EVM_SCHEMES else SolanaWallet.named(name)


def answer_to(asked: dict[str, Any], wallet: AnyWallet) -> dict[str, Any]:
    """The body for `verify-signature`, as a wallet of this kind would make it."""
    if asked["typed_data"] is None:
        return {"challenge_id": asked["challenge_id"], "signature": wallet.sign(asked["message"])}
    assert isinstance(wallet, Wallet)
    signed = Account.sign_message(encode_typed_data(full_message=asked["typed_data"]), wallet.key)
    return {"challenge_id": asked["challenge_id"], "signature": "0x" + bytes(signed.signature).hex()}


async def ask(http: httpx.AsyncClient, wallet: AnyWallet, scheme: str, **how: Any) -> dict[str, Any]:
    answer = await http.post("/api/v1/auth/challenge", json={"address": wallet.address, "scheme": scheme}, **how)
    assert answer.status_code == 200, answer.text
    asked: dict[str, Any] = answer.json()
    return asked


async def sign_in_by(http: httpx.AsyncClient, wallet: AnyWallet, scheme: str) -> dict[str, Any]:
    """What `verify-signature` answers."""
    body = answer_to(await ask(http, wallet, scheme), wallet)
    answer = await http.post("/api/v1/auth/verify-signature", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def actor_of(signed_in: dict[str, Any]) -> Actor:
    """What the authenticator makes of an access token."""
    claims = jwt.decode(signed_in["access_token"], options={"verify_signature": False})
    return Actor(
        kind="user",
        user_id=claims["sub"],
        roles=tuple(claims["roles"]),
        address=claims["addr"],
        credential=claims["sid"],
    )


async def until(is_so: Callable[[], bool]) -> None:
    """Waits until it is so."""

    async def probe() -> bool | None:
        return True if is_so() else None

    await eventually(probe)


def holds_one(chain: ChainClient, **more: str) -> Rule:
    return {"erc721": {"chain": chain.chain, "contract": chain.contract, **more}}


async def is_published(home: House, content_id: str) -> bool:
    query = AccessQuery(content_id=content_id, actor=SERVICE, want="see")
    return (await home.services.get(METADATA).get(query)).published_at is not None
