"""What the requirement kinds of Solana have in common."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs

from streamgate.contracts.hooks import RequirementKind
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.solana.chain import SolanaChain
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.params import Amounts, require_cluster
from streamgate_auth.solana.reads import Accounts, Told, Unread

SOON_S = 1.2  # below what a gate's owner waits for warnings


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


async def accounts_soon(chain: SolanaChain, *accounts: str) -> Told | Unread:
    """While somebody waits: what takes longer is not known."""
    try:
        async with asyncio.timeout(SOON_S):
            (told,) = await chain.read([Accounts(accounts)])
    except TimeoutError:
        return Unread(f"{chain.id} did not answer in time")
    return told


def unchecked(what: str, told: Unread) -> tuple[str]:
    """The warning to the owner of a rule that nobody could look at: `what` it may be."""
    return (f"whether {what} could not be checked: {told.reason}",)
