"""What the requirement kinds of Solana have in common."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.contracts.hooks import RequirementKind
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.params import Amounts, require_cluster


def make_kind(chains: SolanaChains, **own: Any) -> RequirementKind:  # Any: fields of RequirementKind
    """A kind whose parameters are `Amounts` of a `contract` on a cluster. `own`: what it says itself, and instead."""

    def link(params: Amounts) -> str:
        chain = chains.get(parse_solana_chain(params.chain))
        return "" if chain is None else chain.facts.marketplace_url(params.contract)

    common: dict[str, Any] = {
        "leaf_key": lambda params: f"{parse_solana_chain(params.chain)}/{params.contract}",
        "needed": lambda params: params.min,
        "canonical": lambda params: attrs.evolve(params, chain=parse_solana_chain(params.chain)),
        "check": lambda params: require_cluster(chains, params.chain),
        "link": link,
    }
    return RequirementKind(**{**common, **own})
