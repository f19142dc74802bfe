"""Tokens of the signed-in person under the public paths: auth reads the chains."""

from __future__ import annotations

import attrs

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.contracts.nft import (
    ChainUnavailable,
    ContractInvalid,
    Nft,
    NftHolding,
    NftQuery,
    OwnedQuery,
    OwnedTokens,
    Standard,
    TokenDetails,
    TokenNotFound,
    TokenQuery,
)
from streamgate.errors import FieldError, Invalid
from streamgate.web.routes import SIGNED_IN, Call, Route

PREFIX = "/api/v1/nft"
TIMEOUT_S = 10.0  # auth gives up on a chain before


@attrs.frozen(kw_only=True)
class VerifyBody:
    """`address` left out: the wallet that signed in. `chain` in CAIP-2; amounts and ids are decimal strings."""

    chain: str
    contract: str | None = None
    token_id: str | None = None
    standard: Standard = "auto"
    min_balance: str = "1"
    address: str | None = None


@attrs.frozen(kw_only=True)
class OwnedFilter:
    chain: str
    contract: str
    limit: int = 50
    cursor: str | None = None


@attrs.frozen(kw_only=True)
class TokenFilter:
    token_id: str
    chain: str
    contract: str


class NftRoutes:
    def __init__(self, nft: Nft) -> None:
        self._nft = nft

    def routes(self) -> list[Route]:
        errors = (AddressInvalid, ChainUnknown, ContractInvalid, ChainUnavailable)
        return [
            Route(
                "POST",
                f"{PREFIX}/verify",
                self._verify,
                policy=SIGNED_IN,
                body=VerifyBody,
                answer=NftHolding,
                timeout_s=TIMEOUT_S,
                summary="Does an address hold a token?",
                errors=errors,
            ),
            Route(
                "GET",
                PREFIX,
                self._owned,
                policy=SIGNED_IN,
                query=OwnedFilter,
                answer=OwnedTokens,
                timeout_s=TIMEOUT_S,
                summary="What the caller's wallets hold of a collection",
                description="Tokens are listed where the contract can list them; else the balances alone are known.",
                errors=errors,
            ),
            Route(
                "GET",
                f"{PREFIX}/{{token_id}}",
                self._token,
                policy=SIGNED_IN,
                query=TokenFilter,
                answer=TokenDetails,
                timeout_s=TIMEOUT_S,
                summary="One token, and whether the caller holds it",
                errors=(*errors, TokenNotFound),
            ),
        ]

    async def _verify(self, call: Call[VerifyBody, None]) -> NftHolding:
        body = call.body
        address = body.address or call.actor.address
        if not address:
            message = "is needed: no wallet has signed in here"
            raise Invalid(f"address {message}", errors=(FieldError("address", message),))
        return await self._nft.verify(
            NftQuery(
                address=address,
                chain=body.chain,
                contract=body.contract,
                token_id=body.token_id,
                standard=body.standard,
                min_balance=body.min_balance,
            )
        )

    async def _owned(self, call: Call[None, OwnedFilter]) -> OwnedTokens:
        query = call.query
        asked = OwnedQuery(
            actor=call.actor, chain=query.chain, contract=query.contract, limit=query.limit, cursor=query.cursor
        )
        return await self._nft.owned(asked)

    async def _token(self, call: Call[None, TokenFilter]) -> TokenDetails:
        query = call.query
        asked = TokenQuery(actor=call.actor, chain=query.chain, contract=query.contract, token_id=query.token_id)
        return await self._nft.token(asked)
