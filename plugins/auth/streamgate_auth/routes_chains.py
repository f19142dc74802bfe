"""`GET /api/v1/auth/chains`, and how their endpoints do. Endpoints go by number and host: the rest may be secret."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.web.routes import ADMIN, PUBLIC, Call, Route
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.facts import ChainFacts
from streamgate_auth.evm.watch.coverage import WatcherHealth
from streamgate_auth.evm.watch.ownership import Ownership
from streamgate_auth.routes import PREFIX
from streamgate_auth.rpc.pool import NodeHealth
from streamgate_auth.solana.chains import SolanaChains


@attrs.frozen(kw_only=True)
class Coin:
    symbol: str
    decimals: int


@attrs.frozen(kw_only=True)
class ChainAnswer:
    """A chain that gates may name. URLs and addresses are empty where none is known.

    Args:
        id: CAIP-2.
        confirmations: blocks ago at which a token must have been held, too.
        marketplace: a collection's page, with `{contract}` in it; a token's is at `/<token id>` behind it.
        delegate_registry: of delegate.xyz v2.
    """

    id: str
    name: str
    is_test: bool
    coin: Coin
    confirmations: int
    block_time_s: float
    explorer: str
    marketplace: str
    multicall: str
    delegate_registry: str


@attrs.frozen(kw_only=True)
class ChainsAnswer:
    items: tuple[ChainAnswer, ...]


@attrs.frozen(kw_only=True)
class ChainHealth:
    """`endpoints` in the order of the configuration. `watcher`: who follows the transfers of the tokens in gates, as
    this process has heard; null where nobody does, and on Solana."""

    chain: str
    endpoints: tuple[NodeHealth, ...]
    watcher: WatcherHealth | None = None


@attrs.frozen(kw_only=True)
class ChainsHealth:
    items: tuple[ChainHealth, ...]


@attrs.frozen(eq=False)
class ChainRoutes:
    chains: Chains
    solana: SolanaChains
    ownership: Ownership

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/chains",
                self.list,
                policy=PUBLIC,
                answer=ChainsAnswer,
                reads_bearer=False,
                summary="The chains that gates may name",
            ),
            Route(
                "GET",
                f"{PREFIX}/chains/health",
                self.health,
                policy=ADMIN,
                answer=ChainsHealth,
                summary="How the endpoints of the chains do, as this process sees it",
                description="By the calls that were made since it started. `lag` is in blocks (on Solana in "
                "slots) behind the other endpoints, null where there is nothing to compare with.",
            ),
        ]

    async def list(self, call: Call[None, None]) -> ChainsAnswer:
        return ChainsAnswer(items=tuple(map(_answer, (*await self.chains.facts(), *self.solana.facts()))))

    async def health(self, call: Call[None, None]) -> ChainsHealth:
        health = [
            *((chain.id, chain.health()) for chain in await self.chains.all()),
            *((chain.id, chain.health()) for chain in self.solana.all()),
        ]
        return ChainsHealth(
            items=tuple(
                ChainHealth(chain=chain, endpoints=endpoints, watcher=self.ownership.watcher_of(chain))
                for chain, endpoints in health
            )
        )


def _answer(facts: ChainFacts) -> ChainAnswer:
    return ChainAnswer(
        id=facts.id,
        name=facts.name,
        is_test=facts.is_test,
        coin=Coin(symbol=facts.coin_symbol, decimals=facts.coin_decimals),
        confirmations=facts.confirmations,
        block_time_s=facts.block_time_s,
        explorer=facts.explorer,
        marketplace=facts.marketplace,
        multicall=facts.multicall,
        delegate_registry=facts.delegate_registry,
    )
