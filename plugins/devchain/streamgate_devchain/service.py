"""The contract `devchain`: the chain comes up beside the start of the server, and calls wait for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loguru import logger

from streamgate.contracts.auth import Auth
from streamgate.contracts.devchain import (
    DevchainInfo,
    DevchainUnavailable,
    FaucetRequest,
    Funded,
    GivenAway,
    Minted,
    NoDemoToken,
)
from streamgate.errors import StreamgateError, Unavailable
from streamgate.sdk.evm import parse_address
from streamgate.sdk.http import OutgoingFault
from streamgate_devchain.anvil import AnvilFault
from streamgate_devchain.chain import CHAIN, LocalChain
from streamgate_devchain.config import DevchainConfig
from streamgate_devchain.rpc import RpcFault


class DevchainService:
    """See `streamgate.contracts.devchain.Devchain`.

    Args:
        folder: keeps the chain's state and log.
        auth: asked whether the operator has a chain of the same id, to which this one yields.
    """

    def __init__(self, config: DevchainConfig, folder: Path, auth: Auth) -> None:
        self._config = config
        self._folder = folder
        self._auth = auth
        self._opening: asyncio.Task[LocalChain] | None = None

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns at once: nothing else waits for the chain."""
        self._opening = asyncio.create_task(self._open(), name="devchain.open")

    async def stop(self) -> None:
        opening, self._opening = self._opening, None
        if opening is None:
            return
        opening.cancel()
        (chain,) = await asyncio.gather(opening, return_exceptions=True)
        if isinstance(chain, LocalChain):
            await chain.close()

    async def _open(self) -> LocalChain:
        """Raises DevchainUnavailable, which every caller then sees."""
        if await self._is_configured():
            logger.bind(chain=CHAIN).info("local chain not started: the configured one of the same id is used")
            raise DevchainUnavailable(f"the local chain is not running: {CHAIN} is configured, and that one is used")
        try:
            chain = await LocalChain.open(self._folder, program=self._config.anvil, port=self._config.port)
        except (AnvilFault, RpcFault, OutgoingFault, OSError) as fault:
            logger.bind(error=str(fault)).warning("local chain not started")
            raise DevchainUnavailable(f"the local chain is not running: {fault}") from fault
        logger.bind(rpc_url=chain.info.rpc_url, contract=chain.info.contract).info("local chain started")
        return chain

    async def _is_configured(self) -> bool:
        try:
            return CHAIN in (await self._auth.configured_chains()).chains
        except StreamgateError:
            return False  # auth is not there yet; it prefers its own chain of that id anyway

    async def _chain(self) -> LocalChain:
        if self._opening is None:
            raise DevchainUnavailable("the local chain is not running")
        return await asyncio.shield(self._opening)

    # --- the contract ---------------------------------------------------------------------------

    async def probe(self) -> str:
        return (await self._chain()).info.rpc_url

    async def info(self) -> DevchainInfo:
        return (await self._chain()).info

    async def fund(self, request: FaucetRequest) -> Funded:
        chain, address = await self._chain(), parse_address(request.address)
        try:
            balance_wei, transaction_hash = await chain.collection.fund(address)
        except RpcFault as fault:
            raise DevchainUnavailable(f"the faucet did not give: {fault}") from fault
        except OutgoingFault as fault:  # perhaps after it was sent
            raise Unavailable(f"the local chain did not answer: {fault}") from fault
        return Funded(address=address, balance_wei=str(balance_wei), transaction_hash=transaction_hash)

    async def mint(self, request: FaucetRequest) -> Minted:
        chain, address = await self._chain(), parse_address(request.address)
        try:
            token = await chain.collection.mint(address)
        except RpcFault as fault:
            raise DevchainUnavailable(f"nothing was minted: {fault}") from fault
        except OutgoingFault as fault:  # perhaps after it was sent
            raise Unavailable(f"the local chain did not answer: {fault}") from fault
        return Minted(
            address=address,
            chain=chain.info.chain,
            contract=chain.info.contract,
            token_id=str(token.token_id),
            block_number=token.block_number,
            transaction_hash=token.transaction_hash,
        )

    async def give_away(self, request: FaucetRequest) -> GivenAway:
        chain, address = await self._chain(), parse_address(request.address)
        try:
            token_ids, block_number = await chain.collection.give_away(address)
        except (RpcFault, OutgoingFault) as fault:
            raise DevchainUnavailable(f"not everything was given away: {fault}") from fault
        if not token_ids:
            raise NoDemoToken(f"{address} holds no {chain.info.contract_name}; get one first")
        return GivenAway(
            address=address,
            to=chain.collection.somebody,
            chain=chain.info.chain,
            contract=chain.info.contract,
            token_ids=tuple(map(str, token_ids)),
            block_number=block_number,
        )
