"""`POST /api/v1/auth/verify-nft`."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.contracts.nft import ChainUnavailable, ContractInvalid, NftHolding, NftQuery, Standard
from streamgate.errors import TooMany
from streamgate.web.routes import SIGNED_IN, Call, Route
from streamgate_auth.limits import RequestLimit
from streamgate_auth.nft.service import NftService
from streamgate_auth.routes import PREFIX

_at_most = attrs.validators.max_len


@attrs.frozen(kw_only=True)
class VerifyNftBody:
    """`contract` may be left out for the chain's own coin alone. `min_balance` is in base units."""

    address: str = attrs.field(validator=_at_most(128))
    chain: str = attrs.field(validator=_at_most(64))
    contract: str | None = attrs.field(default=None, validator=attrs.validators.optional(_at_most(64)))
    token_id: str | None = attrs.field(default=None, validator=attrs.validators.optional(_at_most(78)))
    standard: Standard = "auto"
    min_balance: str = attrs.field(default="1", validator=_at_most(78))


class NftRoutes:
    """`limit`: chain reads cost, so that one address may ask for so many only."""

    def __init__(self, service: NftService, limit: RequestLimit) -> None:
        self._service = service
        self._limit = limit

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                f"{PREFIX}/verify-nft",
                self.verify,
                policy=SIGNED_IN,
                only_reads=True,
                body=VerifyNftBody,
                answer=NftHolding,
                summary="Whether an address holds so many of a token",
                errors=(AddressInvalid, ChainUnknown, ContractInvalid, ChainUnavailable, TooMany),
            )
        ]

    async def verify(self, call: Call[VerifyNftBody, None]) -> NftHolding:
        self._limit.spend(call.request)
        return await self._service.verify(NftQuery(**attrs.asdict(call.body)))
