"""A watcher that is driven step by step, and what it tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.contracts.events import TOKEN_TRANSFERRED, TokenTransferred
from streamgate.contracts.watched import Watched
from streamgate.events import Received, on_group
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.sdk.lease import Leader, Leadership
from streamgate.settings import Secret
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.evm.chain import Chain
from streamgate_auth.evm.watch.follower import MAX_BLOCKS_BACK, Follower
from streamgate_auth.evm.watch.tables import leaders
from tests.plugins.auth.people import NAMES, kernel_settings, until


@attrs.frozen
class Heard:
    """What `token.transferred` said."""

    events: list[TokenTransferred] = attrs.field(factory=list)

    async def hear(self, event: Received[TokenTransferred]) -> None:
        self.events.append(event.body)

    async def next(self, count: int = 1) -> list[TokenTransferred]:
        """The next ones; they are taken away."""
        await until(lambda: len(self.events) >= count)
        found = self.events[:count]
        del self.events[:count]
        return found


@attrs.frozen
class Driven:
    """A follower of a chain, by hand. `told`: what all processes were."""

    home: House
    chain: Chain
    follower: Follower
    told: list[Watched]
    heard: Heard

    async def begin(self, devchain: ChainClient) -> None:
        """What was before is long ago."""
        devchain.call("anvil_mine", hex(MAX_BLOCKS_BACK))
        await self.follow(devchain.contract)

    async def follow(self, contract: str) -> None:
        """Until there is nothing new."""
        while await self.follower.step(self.chain, frozenset({contract.lower()})):
            pass


def config_for(url: str, chain: str = "eip155:31337", **more: Any) -> AuthConfig:
    """Without a watcher of its own, unless it is asked for. Commas separate several nodes, as in the environment."""
    how = {"watch": False, **{key: more.pop(key) for key in ("watch", "confirmations", "finality") if key in more}}
    return AuthConfig(chains={chain: ChainSettings(rpc_urls=tuple(map(Secret, url.split(","))), **how)}, **more)


@asynccontextmanager
async def leading(home: House) -> AsyncIterator[Leadership]:
    """As a leader of our own."""
    led: list[Leadership] = []

    async def work(leadership: Leadership) -> None:
        led.append(leadership)
        await SYSTEM_CLOCK.sleep(3600)

    leader = Leader("auth.test", home.plugins["auth"].db, leaders, work)
    await leader.start()
    try:
        await until(lambda: bool(led))
        yield led[0]
    finally:
        await leader.stop()


@asynccontextmanager
async def driven(folder: Path, url: str, *, chain: str = "eip155:31337") -> AsyncIterator[Driven]:
    heard, told = Heard(), list[Watched]()
    subscriptions = [on_group(TOKEN_TRANSFERRED, heard.hear, group="test")]
    configs = {"auth": config_for(url, chain)}
    async with house(
        folder, NAMES, settings=kernel_settings(folder), configs=configs, subscriptions=subscriptions
    ) as home:
        auth = home.plugins["auth"]
        opened = await auth.chains.get(chain)

        async def tell(watched: Watched) -> None:
            told.append(watched)

        async with leading(home) as leadership:
            follower = Follower(opened.id, auth.db, leadership, tell, SYSTEM_CLOCK)
            yield Driven(home, opened, follower, told, heard)


@pytest.fixture
async def watch(tmp_path: Path, devchain: ChainClient) -> AsyncIterator[Driven]:
    async with driven(tmp_path, devchain.rpc_url) as found:
        yield found
