"""The faucet over HTTP, for anybody: what it gives is worth nothing. Only what one has oneself can be given away."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.auth import AddressInvalid
from streamgate.contracts.devchain import (
    DevchainInfo,
    DevchainUnavailable,
    FaucetRequest,
    Funded,
    GivenAway,
    Minted,
    NoDemoToken,
)
from streamgate.web.routes import PUBLIC, SIGNED_IN, Call, Route
from streamgate_devchain.service import DevchainService

PREFIX = "/api/v1/devchain"


@attrs.frozen(kw_only=True)
class FaucetBody:
    """`address`: in any case."""

    address: str = attrs.field(validator=attrs.validators.max_len(64))


class DevchainRoutes:
    def __init__(self, service: DevchainService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/info",
                self.info,
                policy=PUBLIC,
                answer=DevchainInfo,
                summary="Where the local chain is, and its demo collection",
                errors=(DevchainUnavailable,),
            ),
            Route(
                "POST",
                f"{PREFIX}/faucet",
                self.faucet,
                policy=PUBLIC,
                body=FaucetBody,
                answer=Funded,
                status=201,
                summary="Get one ether of the local chain",
                errors=(AddressInvalid, DevchainUnavailable),
            ),
            Route(
                "POST",
                f"{PREFIX}/mint",
                self.mint,
                policy=PUBLIC,
                body=FaucetBody,
                answer=Minted,
                status=201,
                summary="Get a token of the demo collection",
                errors=(AddressInvalid, DevchainUnavailable),
            ),
            Route(
                "POST",
                f"{PREFIX}/give-away",
                self.give_away,
                policy=SIGNED_IN,
                answer=GivenAway,
                summary="Give one's tokens of the demo collection to somebody else",
                description="All that the wallet holds that signed in, to show what a gate does then.",
                errors=(AddressInvalid, NoDemoToken, DevchainUnavailable),
            ),
        ]

    async def info(self, call: Call[None, None]) -> DevchainInfo:
        return await self._service.info()

    async def faucet(self, call: Call[FaucetBody, None]) -> Funded:
        return await self._service.fund(FaucetRequest(address=call.body.address))

    async def mint(self, call: Call[FaucetBody, None]) -> Minted:
        return await self._service.mint(FaucetRequest(address=call.body.address))

    async def give_away(self, call: Call[None, None]) -> GivenAway:
        return await self._service.give_away(FaucetRequest(address=call.actor.address))
