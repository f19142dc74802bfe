"""A cluster, nodes before it, and what reads it by them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.settings import Secret
from streamgate_auth.config import ChainSettings
from streamgate_auth.solana.chains import SolanaChains
from tests.plugins.auth.solana.cluster import Cluster
from tests.plugins.auth.solana.node import SolanaNode

DEVNET = "solana:devnet"
Nodes = Callable[[int], list[SolanaNode]]
Open = Callable[..., SolanaChains]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def nodes(cluster: Cluster) -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield lambda count: [stack.enter_context(SolanaNode(cluster)) for _ in range(count)]


@pytest.fixture
async def open_chains() -> AsyncIterator[Open]:
    """Devnet by these nodes, in their order."""
    opened: list[SolanaChains] = []

    def build(*nodes: SolanaNode, **settings: Any) -> SolanaChains:
        clock = settings.pop("clock", SYSTEM_CLOCK)
        urls = tuple(Secret(node.url) for node in nodes)
        how = ChainSettings(rpc_urls=urls, **{"timeout_s": 10.0, "hedge_s": 10.0, **settings})
        chains = SolanaChains({DEVNET: how}, clock)
        opened.append(chains)
        return chains

    yield build
    for chains in opened:
        await chains.close()
