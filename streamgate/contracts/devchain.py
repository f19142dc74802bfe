"""The local chain of the dev profile: where it is, and its faucet. Absent everywhere else."""

from __future__ import annotations

from typing import Protocol

import attrs

from streamgate.errors import Conflict, Unavailable
from streamgate.services import ServiceRef, method


class DevchainUnavailable(Unavailable):
    code, title = "devchain.unavailable", "The local chain is not running"


class NoDemoToken(Conflict):
    """The wallet holds no token of the demo collection: there is nothing to give away."""

    code, title = "devchain.no_token", "There is no demo token to give away"


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


@attrs.frozen(kw_only=True)
class GivenAway:
    """`token_ids`: all that `address` held; `to` has them now. `block_number`: of the last transfer."""

    address: str
    to: str
    chain: str
    contract: str
    token_ids: tuple[str, ...]
    block_number: int


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

    @method(timeout_s=8)
    async def give_away(self, request: FaucetRequest) -> GivenAway:
        """Sends all demo tokens of an address to somebody else, as if its wallet had; the node signs for everybody. The
        caller has checked whose address it is. Raises AddressInvalid, NoDemoToken."""


DEVCHAIN = ServiceRef("devchain", Devchain)
