"""What is known of a chain before any node is asked: `known_chains.json`, and what the configuration says instead.

Names, coins and explorers as their projects give them; Multicall3 as https://www.multicall3.com lists it; delegate.xyz
as https://docs.delegate.xyz does, where it does. Confirmations are ours: what a reorganisation of a usual day does not
reach. No endpoint is known here: only those that are configured are ever asked.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from streamgate.sdk.evm import ChainId
from streamgate_auth.evm.look import NumberFrom

if TYPE_CHECKING:
    from streamgate_auth.chain_settings import ChainSettings


@attrs.frozen(kw_only=True)
class ChainFacts:
    """Args:
    explorer: an address page is at `<explorer>/address/<address>`.
    marketplace: a URL with `{contract}`; a token's page is `/<token id>` behind it. Empty: none is known.
    delegate_registry: of delegate.xyz v2; empty: none is known.
    block_time_s: usual time between two blocks.
    number_from: how code on the chain learns its block's number: `opcode`, or `arbsys` where the instruction tells
        the parent chain's.
    """

    id: ChainId
    name: str
    coin_symbol: str = "ETH"
    coin_decimals: int = 18
    confirmations: int = 0
    block_time_s: float = 12.0
    multicall: str = ""
    delegate_registry: str = ""
    explorer: str = ""
    marketplace: str = ""
    is_test: bool = False
    number_from: NumberFrom = "opcode"

    def address_url(self, address: str) -> str:
        """Its page at the explorer; "" where none is known."""
        return f"{self.explorer}/address/{address}" if self.explorer else ""

    def marketplace_url(self, contract: str, token_id: str | None = None) -> str:
        """Where such a token is to be had; "" where nobody knows."""
        if not self.marketplace:
            return ""
        collection = self.marketplace.replace("{contract}", contract)
        return collection if token_id is None else f"{collection}/{token_id}"


@lru_cache(maxsize=1)
def known_chains() -> dict[ChainId, ChainFacts]:
    listed = orjson.loads(resources.files(__package__).joinpath("known_chains.json").read_bytes())
    return {each["id"]: ChainFacts(**each) for each in listed}


def facts_of(chain: ChainId, settings: ChainSettings) -> ChainFacts:
    """The known ones with what is configured in their place; a chain that nobody knows goes by its id."""
    known = known_chains().get(chain) or ChainFacts(id=chain, name=chain)
    said: dict[str, Any] = {
        "name": settings.name,
        "coin_symbol": settings.coin_symbol,
        "coin_decimals": settings.coin_decimals,
        "confirmations": settings.confirmations,
        "block_time_s": settings.block_time_s,
        "multicall": settings.multicall,
        "delegate_registry": settings.delegate_registry,
        "explorer": settings.explorer,
        "marketplace": settings.marketplace,
        "number_from": None if settings.number_from == "known" else settings.number_from,
    }
    return attrs.evolve(known, **{name: value for name, value in said.items() if value is not None})
