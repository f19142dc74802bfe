"""What a contract says that it is: by its code, and by ERC-165."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Literal

import attrs

from streamgate.sdk.clock import Clock
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.measure import word
from streamgate_auth.evm.reads import ChainRead, EthCall, HasCode, Returned, Unread

SUPPORTS_INTERFACE = "0x01ffc9a7"  # supportsInterface(bytes4), ERC-165
ERC721, ERC721_ENUMERABLE, ERC1155, NO_INTERFACE = "80ac58cd", "780e9d63", "d9b67a26", "ffffffff"
KEPT_S = 3_600.0
MAX_KEPT = 1_000
SOON_S = 1.2  # below what a gate's owner waits for warnings
Says = Literal["erc721", "erc1155"]


@attrs.frozen(kw_only=True)
class Standard:
    """`says` None: it does not speak ERC-165, or names neither standard."""

    has_code: bool
    says: Says | None
    is_enumerable: bool
    block_number: int
    read_at_s: float


def supports(contract: str, interface: str) -> EthCall:
    return EthCall(contract, SUPPORTS_INTERFACE + interface.ljust(64, "0"))


async def detect(chain: Chain, contract: str) -> Standard | Unread:
    """In one batch."""
    interfaces = (ERC721, ERC1155, ERC721_ENUMERABLE, NO_INTERFACE)
    reads: list[ChainRead] = [HasCode(contract), *(supports(contract, interface) for interface in interfaces)]
    code, *told = await asyncio.gather(*map(chain.call, reads))
    if isinstance(code, Unread):
        return code
    # ERC-165: whoever says yes to 0xffffffff says yes to anything, so that none of it counts. A contract that could
    # not be asked (it loops) says nothing, too.
    results = [word(each.latest) if isinstance(each, Read) else None for each in told]
    is_honest = results[-1] == 0
    is_721, is_1155, is_enumerable = (is_honest and result == 1 for result in results[:-1])
    for each in told:
        if isinstance(each, Unread) and not each.is_of_contract:
            return each
    return Standard(
        has_code=isinstance(code.latest, Returned) and code.latest.data != b"",
        says="erc721" if is_721 else "erc1155" if is_1155 else None,
        is_enumerable=is_enumerable,
        block_number=code.block_number,
        read_at_s=code.read_at_s,
    )


@attrs.define(eq=False)
class Detected:
    """Contracts as they were found, kept for a while: a collection seldom becomes another. Bounded."""

    clock: Clock
    _kept: OrderedDict[tuple[str, str], tuple[float, Standard]] = attrs.field(factory=OrderedDict)

    def known(self, chain: Chain, contract: str) -> Standard | None:
        """Without asking anybody."""
        kept = self._kept.get((str(chain.id), contract.lower()))
        return kept[1] if kept is not None and self.clock.monotonic_s() < kept[0] else None

    async def of(self, chain: Chain, contract: str) -> Standard | Unread:
        """An address without code is asked again each time: a contract may come."""
        known = self.known(chain, contract)
        if known is not None:
            return known
        found = await detect(chain, contract)
        if isinstance(found, Standard) and found.has_code:
            key = (str(chain.id), contract.lower())
            self._kept.pop(key, None)
            self._kept[key] = (self.clock.monotonic_s() + KEPT_S, found)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found


async def asked_soon(detected: Detected, chain: Chain, contract: str) -> Standard | Unread:
    """While somebody waits: what takes longer is not known."""
    try:
        async with asyncio.timeout(SOON_S):
            return await detected.of(chain, contract)
    except TimeoutError:
        return Unread(f"{chain.id} did not answer in time")
