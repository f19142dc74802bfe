"""The local chain: node and collection together, up or not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from streamgate.contracts.devchain import DevchainInfo
from streamgate.sdk.http import outgoing_client
from streamgate_devchain.anvil import CHAIN_NUMBER, Anvil, find_anvil
from streamgate_devchain.collection import NAME, DemoCollection

if TYPE_CHECKING:
    import httpx

CHAIN = f"eip155:{CHAIN_NUMBER}"
HTTP_TIMEOUT_S = 5.0


@attrs.frozen(eq=False)
class LocalChain:
    """A running one. `close` ends the node."""

    info: DevchainInfo
    collection: DemoCollection
    _node: Anvil
    _client: httpx.AsyncClient

    @classmethod
    async def open(cls, folder: Path, *, program: str = "", port: int = 0, keeps_state: bool = True) -> LocalChain:
        """Raises AnvilFault: it cannot be had; nothing is left running."""
        node = Anvil(find_anvil(program), folder, port=port, keeps_state=keeps_state)
        # On a thread: the first client of a process takes a while, and the server is starting beside us.
        client = await asyncio.to_thread(outgoing_client, timeout_s=HTTP_TIMEOUT_S, verify=False)
        try:
            rpc = await node.start(client)
            collection = await DemoCollection.deploy(rpc)
        except BaseException:
            await node.stop()
            await client.aclose()
            raise
        info = DevchainInfo(chain=CHAIN, rpc_url=node.rpc_url, contract=collection.address, contract_name=NAME)
        return cls(info, collection, node, client)

    async def close(self) -> None:
        await self._client.aclose()
        await self._node.stop()
