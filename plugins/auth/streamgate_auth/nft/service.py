"""The contract `nft`, as other services call it."""

from __future__ import annotations

from streamgate.contracts.nft import NftHolding, NftQuery, OwnedQuery, OwnedTokens, TokenDetails, TokenQuery
from streamgate_auth.accounts import SOLANA
from streamgate_auth.evm.chains import Chains
from streamgate_auth.nft.collection import Collections
from streamgate_auth.nft.holding import verify
from streamgate_auth.nft.solana import verify as verify_on_solana
from streamgate_auth.solana.chains import SolanaChains


class NftService:
    """See `streamgate.contracts.nft.Nft`."""

    def __init__(self, chains: Chains, solana: SolanaChains, collections: Collections) -> None:
        self._chains = chains
        self._solana = solana
        self._collections = collections

    async def verify(self, query: NftQuery) -> NftHolding:
        if query.chain.startswith(f"{SOLANA}:"):
            return await verify_on_solana(self._solana, query)
        return await verify(self._chains, query)

    async def owned(self, query: OwnedQuery) -> OwnedTokens:
        return await self._collections.owned(query)

    async def token(self, query: TokenQuery) -> TokenDetails:
        return await self._collections.token(query)
