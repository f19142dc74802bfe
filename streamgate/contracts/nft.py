"""Tokens on chains, as auth reads them: who holds what, what a signed-in person holds, what a token is.

Every answer says at which block it was read. What cannot be read is `ChainUnavailable` (503), never "holds nothing".
Amounts and token ids are decimal strings; addresses come in any case and go out checksummed (EVM) or base58 (Solana).
"""

from __future__ import annotations

from typing import Literal, Protocol

import attrs

from streamgate.context import Actor
from streamgate.errors import Invalid, NotFound, Unavailable
from streamgate.services import ServiceRef, method

SolanaStandard = Literal["spl", "metaplex", "core"]
Standard = Literal["auto", "erc721", "erc1155", "erc20", "native", "spl", "metaplex", "core"]
"""`auto`: asks the contract by ERC-165 whether it is an ERC-721 or ERC-1155; one that says neither but has a
balance is read as an ERC-20; without a contract, the chain's own coin. On Solana: `spl` of a mint, `core` of a Core
collection; `metaplex` (NFTs of a verified collection) has to be named, as a collection is a mint, too."""

MAX_OWNED = 100
"""Most tokens in one answer of `owned`."""


class ChainUnavailable(Unavailable):
    code, title = "auth.chain_unavailable", "The chain cannot be read now"


class ContractInvalid(Invalid):
    """No code at this address, or not a contract of the standard that was named."""

    code, title, field = "auth.contract_invalid", "Not a contract that can be asked", "contract"


class TokenNotFound(NotFound):
    code, title = "nft.not_found", "No such token"


@attrs.frozen(kw_only=True)
class NftQuery:
    """Does `address` hold at least `min_balance` of this?

    Args:
        address: EVM address in any case, Solana address, or a CAIP-10 account on `chain`.
        chain: CAIP-2.
        contract: None with `native` alone; on Solana the mint or the collection.
        token_id: decimal; one certain token. Needed by erc1155, not taken by erc20, native and on Solana.
        min_balance: decimal, in base units (wei of a native coin); at least "1".
    """

    address: str
    chain: str
    contract: str | None = None
    token_id: str | None = None
    standard: Standard = "auto"
    min_balance: str = "1"


@attrs.frozen(kw_only=True)
class NftHolding:
    """`balance` is at the head of the chain; `holds` says that the confirmed block agrees, too. `standard` is what
    it was read as. `block_number`: on Solana the slot. `sources`: how many endpoints gave the answer."""

    address: str
    chain: str
    contract: str | None
    token_id: str | None
    holds: bool
    balance: str
    standard: Literal["erc721", "erc1155", "erc20", "native", "spl", "metaplex", "core"]
    block_number: int
    checked_at: str  # RFC 3339, just before the chain was asked
    sources: int


@attrs.frozen(kw_only=True)
class OwnedQuery:
    """What the actor's linked wallets hold of one collection. `cursor` is of the last answer."""

    actor: Actor
    chain: str
    contract: str
    limit: int = 50  # 1 to MAX_OWNED
    cursor: str | None = None


@attrs.frozen(kw_only=True)
class OwnedBalance:
    """One wallet's balance in the collection."""

    address: str
    balance: str


@attrs.frozen(kw_only=True)
class OwnedToken:
    token_id: str
    owner: str


@attrs.frozen(kw_only=True)
class OwnedTokens:
    """`items` are listed where the contract can (ERC-721 Enumerable); where it cannot, `enumerable` is False and the
    balances alone are known. `next_cursor` None: these were the last."""

    chain: str
    contract: str
    standard: Literal["erc721"]
    enumerable: bool
    balances: tuple[OwnedBalance, ...]
    items: tuple[OwnedToken, ...]
    next_cursor: str | None
    block_number: int | None  # None where no wallet of this kind of chain is linked: nothing was read
    checked_at: str


@attrs.frozen(kw_only=True)
class TokenQuery:
    """One ERC-721 token. With `actor`, `held` says whether one of their linked wallets owns it."""

    actor: Actor
    chain: str
    contract: str
    token_id: str


@attrs.frozen(kw_only=True)
class TokenDetails:
    """`token_uri` is what the contract says, whole or None (none given, or longer than `MAX_TOKEN_URI_CHARS`):
    unchecked text of a stranger, never fetched by us."""

    chain: str
    contract: str
    token_id: str
    standard: Literal["erc721"]
    owner: str
    held: bool
    name: str
    symbol: str
    token_uri: str | None
    block_number: int
    checked_at: str


MAX_TOKEN_URI_CHARS = 2048


class Nft(Protocol):
    """Each method raises ChainUnknown and AddressInvalid (422), ContractInvalid (422), ChainUnavailable (503), and
    Invalid with the field for what is malformed otherwise."""

    @method(timeout_s=8, idempotent=True)
    async def verify(self, query: NftQuery) -> NftHolding: ...

    @method(timeout_s=8, idempotent=True)
    async def owned(self, query: OwnedQuery) -> OwnedTokens: ...

    @method(timeout_s=8, idempotent=True)
    async def token(self, query: TokenQuery) -> TokenDetails:
        """Raises TokenNotFound: nobody owns it (404)."""


NFT = ServiceRef("nft", Nft)
