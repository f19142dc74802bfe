"""The Solana clusters that are configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from streamgate.sdk.clock import Clock
from streamgate.sdk.http import outgoing_client
from streamgate_auth.chain_settings import ChainSettings
from streamgate_auth.evm.facts import ChainFacts
from streamgate_auth.rpc.node import Node
from streamgate_auth.solana.chain import SolanaChain, SolanaOptions
from streamgate_auth.solana.facts import facts_of

if TYPE_CHECKING:
    import httpx

HTTP_TIMEOUT_S = 30.0  # an endpoint's own time is shorter


class SolanaChains:
    def __init__(self, settings: Mapping[str, ChainSettings], clock: Clock) -> None:
        self._settings = dict(settings)
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._open: dict[str, SolanaChain] = {}

    @property
    def configured(self) -> tuple[str, ...]:
        return tuple(self._settings)

    def facts(self) -> tuple[ChainFacts, ...]:
        return tuple(facts_of(chain, settings) for chain, settings in self._settings.items())

    def all(self) -> tuple[SolanaChain, ...]:
        """Each of them, opened."""
        opened = (self.get(chain) for chain in self._settings)
        return tuple(chain for chain in opened if chain is not None)

    def watched(self) -> tuple[SolanaChain, ...]:
        """Those that are to be followed, opened."""
        return tuple(chain for chain in self.all() if self._settings[chain.id].watch)

    def get(self, chain: str) -> SolanaChain | None:
        """None: it is not configured."""
        if chain not in self._open and chain in self._settings:
            self._open[chain] = self._make(chain, self._settings[chain])
        return self._open.get(chain)

    async def close(self) -> None:
        chains, self._open = tuple(self._open.values()), {}
        for chain in chains:
            await chain.close()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _make(self, chain: str, settings: ChainSettings) -> SolanaChain:
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
        options = SolanaOptions(
            finality=settings.finality,
            quorum=settings.quorum,
            batch_size=settings.batch_size,
            hedge_s=settings.hedge_s,
            max_lag_blocks=settings.max_lag_blocks,
            max_answer_bytes=settings.max_answer_bytes,
            is_batching=settings.batching == "auto",
        )
        return SolanaChain(facts_of(chain, settings), nodes, self._clock, options)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = outgoing_client(timeout_s=HTTP_TIMEOUT_S)
        return self._client
