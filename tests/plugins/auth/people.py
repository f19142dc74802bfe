"""People who sign in as wallets do, and what the tests of auth ask for them."""

from __future__ import annotations

from pathlib import Path

import attrs

from streamgate.context import Actor
from streamgate.contracts.auth import AUTH, DecideQuery, Decision, SetGate, StoredGate
from streamgate.contracts.gate import Rule
from streamgate.contracts.metadata import METADATA, NewContent
from streamgate.settings import KernelSettings, Secret, ServerSettings
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House
from streamgate.testing.wallets import SignedIn, Wallet, sign_in
from streamgate_auth.config import AuthConfig, ChainSettings

ORIGIN = "https://video.example"


def kernel_settings(folder: Path, *, profile: str = "test") -> KernelSettings:
    return KernelSettings(profile=profile, data_dir=folder, server=ServerSettings(public_url=ORIGIN))


def config_for(chain: ChainClient) -> AuthConfig:
    """The chain is configured, so no devchain service is asked."""
    return AuthConfig(chains={chain.chain: ChainSettings(rpc_urls=(Secret(chain.rpc_url),))})


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


async def decide(home: House, actor: Actor, content_id: str, *, min_block: dict[str, int] | None = None) -> Decision:
    return await home.services.get(AUTH).decide(
        DecideQuery(content_id=content_id, actor=actor, min_block=min_block or {})
    )
