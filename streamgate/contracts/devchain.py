"""The local chain of the dev profile: where it is, and its faucet. Absent everywhere else."""

from __future__ import annotations

from typing import Protocol

import attrs

from streamgate.errors import Unavailable
from streamgate.services import ServiceRef, method


class DevchainUnavailable(Unavailable):
    code, title = "devchain.unavailable", "The local chain is not running"


@attrs.frozen(kw_only=True)
class DevchainInfo:
    """A chain anybody may ruin: its keys are public knowledge. `contract` is the demo ERC-721."""

    chain: str  # CAIP-2
    rpc_url: str  # loopback; JSON-RPC, open to every origin
    contract: str  # checksummed
    contract_name: str


@attrs.frozen(kw_only=True)
class FaucetRequest:
    """`address` in any case."""

    address: str


@attrs.frozen(kw_only=True)
class Funded:
    address: str
    balance_wei: str  # after the gift
    transaction_hash: str


@attrs.frozen(kw_only=True)
class Minted:
    address: str
    chain: str
    contract: str
    token_id: str
    block_number: int
    transaction_hash: str


class Devchain(Protocol):
    """Each method waits until the chain is up, and raises DevchainUnavailable when it will not be."""

    @method(timeout_s=5, idempotent=True)
    async def info(self) -> DevchainInfo: ...

    @method(timeout_s=8)
    async def fund(self, request: FaucetRequest) -> Funded:
        """Sends one ether. Raises AddressInvalid."""

    @method(timeout_s=8)
    async def mint(self, request: FaucetRequest) -> Minted:
        """A new token of the demo collection. Raises AddressInvalid."""


DEVCHAIN = ServiceRef("devchain", Devchain)
