"""JSON-RPC to our own node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from streamgate.sdk.http import post_json

if TYPE_CHECKING:
    import httpx


class RpcFault(Exception):
    """The node refused."""


class Rpc:
    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._client = client

    async def call(self, method: str, *params: Any) -> Any:  # Any: JSON values
        """The result.

        Raises:
            RpcFault: the node's own error. OutgoingFault: it does not answer.
        """
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = orjson.loads(await post_json(self._client, self._url, orjson.dumps(question)))
        if "error" in answer:
            raise RpcFault(f"{method}: {answer['error'].get('message', '')}")
        return answer["result"]
