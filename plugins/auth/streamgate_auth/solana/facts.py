"""What is known of Solana's clusters before any node is asked, and what the configuration says instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from streamgate.contracts.auth import ChainUnknown
from streamgate.sdk.evm import ChainId
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.evm.facts import ChainFacts

if TYPE_CHECKING:
    from streamgate_auth.chain_settings import ChainSettings

_CAIP2_CHARS = 32  # of the genesis hash
MAINNET = "solana:mainnet"


def _facts(chain: str, name: str, *, explorer: str = "") -> ChainFacts:
    return ChainFacts(
        id=ChainId(chain),
        name=name,
        coin_symbol="SOL",
        coin_decimals=9,
        block_time_s=0.4,
        explorer=explorer,
        is_test=chain != MAINNET,
    )


KNOWN: Mapping[str, ChainFacts] = {
    each.id: each
    for each in (
        _facts(MAINNET, "Solana", explorer="https://explorer.solana.com"),
        _facts("solana:devnet", "Solana Devnet"),
        _facts("solana:testnet", "Solana Testnet"),
    )
}


def facts_of(chain: str, settings: ChainSettings) -> ChainFacts:
    said: dict[str, Any] = {
        "name": settings.name,
        "block_time_s": settings.block_time_s,
        "explorer": settings.explorer,
        "marketplace": settings.marketplace,
    }
    return attrs.evolve(KNOWN[chain], **{name: value for name, value in said.items() if value is not None})


def genesis_of(answer: object) -> str:
    """The cluster of a genesis hash, as CAIP-2 names it; "" of one that is unknown."""
    if not isinstance(answer, str):
        return ""
    try:
        return parse_solana_chain(f"solana:{answer[:_CAIP2_CHARS]}") if len(answer) > _CAIP2_CHARS else ""
    except ChainUnknown:
        return ""
