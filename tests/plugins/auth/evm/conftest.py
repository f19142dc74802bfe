"""Chains read by nodes that misbehave as told, before the run's real one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.sdk.evm import ChainId
from streamgate.settings import Secret
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import house
from streamgate.testing.nodes import FaultyNode
from streamgate_auth.config import AuthConfig, ChainSettings
from streamgate_auth.evm.chain import Chain
from streamgate_auth.evm.chains import Chains
from tests.plugins.auth.evm.ground import CONTRACTS, Forgetful, Ground, deploy
from tests.plugins.auth.people import Person, kernel_settings, person


class Open(Protocol):
    async def __call__(self, *nodes: FaultyNode, **settings: Any) -> Chain: ...


@pytest.fixture
def nodes(devchain: ChainClient) -> Iterator[Callable[[int], list[FaultyNode]]]:
    """So many nodes before the run's chain."""
    with ExitStack() as stack:
        yield lambda count: [stack.enter_context(FaultyNode(devchain.rpc_url)) for _ in range(count)]


@pytest.fixture
async def open_chain(devchain: ChainClient) -> AsyncIterator[Open]:
    """The chain by these nodes, in their order."""
    opened: list[Chains] = []

    async def build(*nodes: FaultyNode, **settings: Any) -> Chain:
        urls = tuple(Secret(node.url) for node in nodes)
        how = ChainSettings(rpc_urls=urls, **{"timeout_s": 10.0, "hedge_s": 10.0, **settings})
        chains = Chains({devchain.chain: how}, None, SYSTEM_CLOCK)
        opened.append(chains)
        chain = await chains.get(ChainId(devchain.chain))
        assert chain is not None
        return chain

    yield build
    for chains in opened:
        await chains.close()


@pytest.fixture(scope="session")
def multicall(devchain: ChainClient) -> str:
    """Something with Multicall3's interface; made once a run."""
    code = json.loads((CONTRACTS / "Multicall.json").read_text())["bytecode"]["TestMulticall"]
    made: str = devchain._sent({"from": devchain.call("eth_accounts")[1], "data": code})["contractAddress"]
    return made


@pytest.fixture(scope="session")
def hostile(devchain: ChainClient) -> Callable[[int], str]:
    """A contract that misbehaves in one of the ways of `Hostile.sol`; each is made once a run."""
    code = json.loads((CONTRACTS / "Hostile.json").read_text())["bytecode"]["TestHostile"]
    made: dict[int, str] = {}

    def make(mode: int) -> str:
        if mode not in made:
            sender = devchain.call("eth_accounts")[1]
            made[mode] = devchain._sent({"from": sender, "data": f"{code}{mode:064x}"})["contractAddress"]
        return made[mode]

    return make


@pytest.fixture(scope="session")
def registry(devchain: ChainClient) -> str:
    return deploy(devchain, "Registry", "TestRegistry")


@pytest.fixture
async def ground(tmp_path: Path, devchain: ChainClient, registry: str) -> AsyncIterator[Ground]:
    with Forgetful(devchain.rpc_url) as node:
        how = ChainSettings(
            rpc_urls=(Secret(node.url),),
            watch=False,
            name="Local",
            delegate_registry=registry,
            explorer="https://scan.example",
            marketplace="https://shop.example/{contract}",
        )
        config = AuthConfig(chains={devchain.chain: how}, cache_s=0.0)
        settings = kernel_settings(tmp_path)
        async with house(tmp_path, ["metadata", "auth"], settings=settings, configs={"auth": config}) as home:
            yield Ground(home, await person(home, "owner of holdings"), devchain, node, registry)


@pytest.fixture
async def viewer(ground: Ground, request: pytest.FixtureRequest) -> Person:
    return await person(ground.home, request.node.name)


@pytest.fixture
def gallery(ground: Ground) -> str:
    """ERC-721 Enumerable."""
    return ground.deploy("Tokens", "TestGallery")
