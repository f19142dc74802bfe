"""The chains that can be read: the configured ones, and in development the local one, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from streamgate.contracts.devchain import Devchain, DevchainInfo
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import ChainId, parse_chain
from streamgate.sdk.http import outgoing_client
from streamgate.settings import Secret
from streamgate_auth.chain_settings import ChainSettings
from streamgate_auth.evm.chain import Chain, ChainOptions, Memory
from streamgate_auth.evm.facts import ChainFacts, facts_of
from streamgate_auth.rpc.node import Node

if TYPE_CHECKING:
    import httpx

HTTP_TIMEOUT_S = 30.0  # an endpoint's own time is shorter
LOCAL = ChainSettings(name="Local chain", block_time_s=1.0)  # of the development profile


class Chains:
    """Args:
    devchain: the local chain's service, or None outside development. A configured chain of the same id wins.
    memory_of: what keeps the answers of a chain.
    """

    def __init__(
        self,
        settings: Mapping[str, ChainSettings],
        devchain: Devchain | None,
        clock: Clock,
        memory_of: Callable[[ChainId, ChainSettings], Memory] | None = None,
    ) -> None:
        self._memory_of = memory_of
        self._settings = {parse_chain(chain): each for chain, each in settings.items()}
        self._devchain = devchain
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._open: dict[ChainId, Chain] = {}
        self._local: tuple[str, Chain] | None = None  # and where it was found

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def configured(self) -> tuple[ChainId, ...]:
        return tuple(self._settings)

    async def readable(self) -> tuple[ChainId, ...]:
        """The configured chains, then the local one while it runs."""
        local = await self._local_info()
        names = (*self._settings, *([ChainId(local.chain)] if local is not None else []))
        return tuple(dict.fromkeys(names))

    async def watched(self) -> tuple[ChainId, ...]:
        """Those whose logs are to be followed."""
        return tuple(chain for chain in await self.readable() if self._settings.get(chain, LOCAL).watch)

    async def facts(self) -> tuple[ChainFacts, ...]:
        """What is known of each chain that can be read."""
        return tuple(facts_of(chain, self._settings.get(chain, LOCAL)) for chain in await self.readable())

    def facts_of(self, chain: ChainId) -> ChainFacts:
        """What is known of a chain, whether it can be read or not."""
        local = LOCAL if self._devchain is not None else ChainSettings()
        return facts_of(chain, self._settings.get(chain, local))

    async def all(self) -> tuple[Chain, ...]:
        """Each chain that can be read, opened."""
        opened = [await self.get(chain) for chain in await self.readable()]
        return tuple(chain for chain in opened if chain is not None)

    async def get(self, chain: ChainId) -> Chain | None:
        """None: it is neither configured nor running here."""
        settings = self._settings.get(chain)
        if settings is not None:
            if chain not in self._open:
                self._open[chain] = self._make(chain, settings)
            return self._open[chain]
        info = await self._local_info()
        if info is None or info.chain != chain:
            return None
        if self._local is None or self._local[0] != info.rpc_url:  # it was started again, elsewhere
            if self._local is not None:
                await self._local[1].close()
            self._local = (info.rpc_url, self._make(chain, attrs.evolve(LOCAL, rpc_urls=(Secret(info.rpc_url),))))
        return self._local[1]

    async def close(self) -> None:
        chains = [*self._open.values(), *([self._local[1]] if self._local is not None else [])]
        self._open, self._local = {}, None
        for chain in chains:
            await chain.close()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _local_info(self) -> DevchainInfo | None:
        if self._devchain is None:
            return None
        try:
            return await self._devchain.info()
        except StreamgateError:
            return None

    def _make(self, chain: ChainId, settings: ChainSettings) -> Chain:
        facts = facts_of(chain, settings)
        nodes = [
            Node(
                number,
                url,
                self._http,
                self._clock,
                timeout_s=settings.timeout_s,
                chain=chain,
                max_answer_bytes=settings.max_answer_bytes,
            )
            for number, url in enumerate(settings.rpc_urls, start=1)
        ]
        options = ChainOptions(
            confirmations=facts.confirmations,
            finality=settings.finality,
            quorum=settings.quorum,
            batch_size=settings.batch_size,
            hedge_s=settings.hedge_s,
            max_lag_blocks=settings.max_lag_blocks,
            batching=settings.batching,
        )
        memory = None if self._memory_of is None else self._memory_of(chain, settings)
        return Chain(facts, nodes, self._clock, options, memory)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = outgoing_client(timeout_s=HTTP_TIMEOUT_S)
        return self._client
