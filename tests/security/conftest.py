"""The running servers of a run, in both shapes, and everybody in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from streamgate.testing.devchain import ChainClient
from tests.e2e.cast import Cast, gather
from tests.e2e.shared import DoubtfulChain, shared_stack
from tests.security.stage import TheChain


@pytest.fixture(scope="session", params=["all", "split"])
def cast(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return asyncio.run(gather(shared_stack(request), tmp_path_factory.mktemp("security")))


@pytest.fixture
async def http(cast: Cast) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=cast.url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def chain(cast: Cast, request: pytest.FixtureRequest) -> Iterator[TheChain]:
    """Well before and after."""
    doubtful: DoubtfulChain = request.getfixturevalue(f"doubtful_of_{cast.stack.mode}")
    rpc_url = httpx.get(f"{cast.url}/api/v1/devchain/info", trust_env=False).raise_for_status().json()["rpc_url"]
    with ChainClient(rpc_url, cast.ids["contract"]) as client:
        found = TheChain(client, doubtful, rpc_url)
        found.heal()
        yield found
        found.heal()
