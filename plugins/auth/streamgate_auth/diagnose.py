"""What `streamgate doctor` asks of auth: may anybody create, and do the nodes answer for the chains they stand for?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamgate.health import Finding
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.sdk.http import outgoing_client
from streamgate.settings import KernelSettings
from streamgate_auth.config import AuthConfig, ChainSettings, is_solana
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError, parse_quantity
from streamgate_auth.solana.facts import genesis_of

CHECK_NODE = "look at the node, or take another one"


async def diagnose(settings: KernelSettings, config: AuthConfig) -> Sequence[Finding]:
    findings = [] if _may_create(config) else [_nobody()]
    asked = await asyncio.gather(*(_of_chain(chain, each) for chain, each in config.chains.items()))
    return [*findings, *(finding for answer in asked for finding in answer)]


def _may_create(config: AuthConfig) -> bool:
    return config.open_creators or bool(config.creators or config.moderators or config.admins)


def _nobody() -> Finding:
    remedy = "set STREAMGATE_AUTH__CREATORS or STREAMGATE_AUTH__ADMINS to wallet addresses"
    return Finding(level="warning", subject="creators", said="no wallet may create anything", remedy=remedy)


async def _of_chain(chain: str, settings: ChainSettings) -> list[Finding]:
    """One finding a node; nodes go by their number, as their URLs often hold a key."""
    findings = []
    question = Question("getGenesisHash" if is_solana(chain) else "eth_chainId")
    async with outgoing_client(timeout_s=settings.timeout_s) as client:
        nodes = [
            Node(number, url, lambda: client, SYSTEM_CLOCK, timeout_s=settings.timeout_s, chain=chain)
            for number, url in enumerate(settings.rpc_urls, start=1)
        ]
        for asked in nodes:
            subject, node = f"chain {chain}", f"node {asked.number} of {len(nodes)}"
            try:
                [told] = await asked.ask([question])
                found = _chain_of(chain, told)
            except EndpointFault as fault:
                findings.append(Finding(level="fault", subject=subject, said=f"{node}: {fault}", remedy=CHECK_NODE))
                continue
            if found == chain:
                findings.append(Finding(level="good", subject=subject, said=f"{node} answers"))
            else:
                said = f"{node} is of another chain: {found}"
                findings.append(Finding(level="fault", subject=subject, said=said, remedy=CHECK_NODE))
    return findings


def _chain_of(wanted: str, told: Answer | RpcError) -> str:
    """The chain that a node says it is of. Raises EndpointFault."""
    if isinstance(told, RpcError):
        raise EndpointFault(f"error {told.code}", "refused")
    if is_solana(wanted):
        return genesis_of(told) or "an unknown cluster of Solana"
    return f"eip155:{parse_quantity(told)}"
