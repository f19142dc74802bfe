"""What the owner of a rule may not have meant: found when the rule is set, as far as the chain can say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from streamgate.sdk.evm import ChainId
from streamgate_auth.evm import words
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.detect import SOON_S, Detected, asked_soon
from streamgate_auth.evm.measure import word
from streamgate_auth.evm.past import archive_warning
from streamgate_auth.evm.reads import WORD_BYTES, EthCall, Unread
from streamgate_auth.evm.units import DECIMALS, MAX_DECIMALS

Wanted = Literal["erc721", "erc1155", "erc20"]
_NAMES = {"erc721": "an ERC-721", "erc1155": "an ERC-1155", "erc20": "an ERC-20"}


async def warnings(chains: Chains, detected: Detected, params: Any, wanted: Wanted) -> Sequence[str]:
    """Args:
    params: of the kind, with chain, contract and held_for_s.
    """
    chain = await chains.get(ChainId(params.chain))
    if chain is None:
        return ()
    by_contract, by_decimals = await asyncio.gather(
        _of_contract(chain, detected, params, wanted),
        _of_decimals(chain, params) if wanted == "erc20" else _nothing(),
    )
    # Where there is no such contract, or it is another, its decimals are nobody's concern.
    return (*(by_contract or by_decimals), *archive_warning(chain.facts, params.held_for_s))


async def _of_contract(chain: Chain, detected: Detected, params: Any, wanted: Wanted) -> tuple[str, ...]:
    address, name = words.address(params), _NAMES[wanted]
    found = await asked_soon(detected, chain, address)
    if isinstance(found, Unread):
        return (f"whether {address} is {name} could not be checked: {found.reason}",)
    if not found.has_code:
        return (f"there is no contract at {address} on {chain.id}: nobody can hold anything of it",)
    if found.says is not None and found.says != wanted:
        return (f"{address} says that it is {_NAMES[found.says]}, not {name}",)
    if found.says is None and wanted != "erc20":
        return (f"{address} does not say that it is {name} (ERC-165)",)
    return ()


async def _of_decimals(chain: Chain, params: Any) -> tuple[str, ...]:
    address = words.address(params)
    try:
        async with asyncio.timeout(SOON_S):
            told = await chain.call(EthCall(address, DECIMALS, WORD_BYTES))
    except TimeoutError:
        return ()  # told of the contract already
    decimals = word(told.latest) if isinstance(told, Read) else None
    if decimals is None:
        return (f"{address} tells no decimals, as ERC-20 tokens do: is it one?",)
    if decimals > MAX_DECIMALS:
        return (f"{address} tells more than {MAX_DECIMALS} decimals: amounts are shown in base units alone",)
    return ()


async def _nothing() -> tuple[str, ...]:
    return ()
