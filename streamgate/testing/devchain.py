"""The local chain for tests and demos, and what people do on it.

    def test_…(devchain: ChainClient) -> None:                  # fixture, one chain a run
        token_id = devchain.mint(alice.address)
        devchain.transfer(alice, bob.address, token_id)

It is the same program that the devchain plugin runs, started as one (`python -m streamgate_devchain`). All of it
blocks, for a few milliseconds a call.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from streamgate.testing.server_process import ServerProcess
from streamgate.testing.wallets import Wallet

_MINT = "0x6a627842"  # mint(address)
_TRANSFER_FROM = "0x23b872dd"  # transferFrom(address,address,uint256)
_OWNER_OF = "0x6352211e"  # ownerOf(uint256)
_RECEIPT_TIMEOUT_S = 10.0
_TRANSFER_GAS = 200_000


class ChainFault(Exception):
    """The node refused, or a transaction did not come through."""


def _word(value: str | int) -> str:
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"


class ChainClient:
    """A node with the demo collection, over JSON-RPC: `ChainClient(info["rpc_url"], info["contract"])`."""

    def __init__(self, rpc_url: str, contract: str, *, chain: str = "eip155:31337") -> None:
        self.chain = chain
        self.rpc_url = rpc_url
        self.contract = contract
        self._http = httpx.Client(trust_env=False, timeout=10.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, *params: Any) -> Any:  # Any: JSON values
        """A JSON-RPC call's result. Raises ChainFault."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self._http.post(self.rpc_url, json=question).json()
        if "error" in answer:
            raise ChainFault(f"{method}: {answer['error']}")
        return answer["result"]

    @property
    def block_number(self) -> int:
        return int(self.call("eth_blockNumber"), 16)

    def fund(self, address: str, *, ether: int = 1) -> None:
        self._sent({"from": self._treasurer, "to": address, "value": hex(ether * 10**18)})

    def mint(self, to: str) -> int:
        """A new token for somebody; its id."""
        receipt = self._sent({"from": self._treasurer, "to": self.contract, "data": _MINT + _word(to)})
        return int(receipt["logs"][0]["topics"][3], 16)

    def owner_of(self, token_id: int) -> str:
        """In lower case. Raises ChainFault where there is no such token."""
        word: str = self.call("eth_call", {"to": self.contract, "data": _OWNER_OF + _word(token_id)}, "latest")
        return "0x" + word[-40:]

    def transfer(self, wallet: Wallet, to: str, token_id: int) -> int:
        """Gives a token away, as its holder's wallet would: signed there, gas paid from there (the holder is funded
        first when they have nothing). The block it happened in."""
        if int(self.call("eth_getBalance", wallet.address, "latest"), 16) < 10**16:
            self.fund(wallet.address)
        gas_price = int(self.call("eth_gasPrice"), 16)
        raw = wallet.sign_transaction(
            {
                "chainId": int(self.call("eth_chainId"), 16),
                "nonce": int(self.call("eth_getTransactionCount", wallet.address, "pending"), 16),
                "to": self.contract,
                "value": 0,
                "gas": _TRANSFER_GAS,
                "maxFeePerGas": 2 * gas_price,
                "maxPriorityFeePerGas": 0,
                "data": _TRANSFER_FROM + _word(wallet.address) + _word(to) + _word(token_id),
            }
        )
        return int(self._receipt(self.call("eth_sendRawTransaction", raw))["blockNumber"], 16)

    @property
    def _treasurer(self) -> str:
        account: str = self.call("eth_accounts")[0]
        return account

    def _sent(self, transaction: dict[str, str]) -> dict[str, Any]:
        return self._receipt(self.call("eth_sendTransaction", transaction))

    def _receipt(self, transaction_hash: str) -> dict[str, Any]:
        ends_at = time.monotonic() + _RECEIPT_TIMEOUT_S
        while time.monotonic() < ends_at:
            receipt: dict[str, Any] | None = self.call("eth_getTransactionReceipt", transaction_hash)
            if receipt is not None and int(receipt["status"], 16) == 1:
                return receipt
            if receipt is not None:
                raise ChainFault(f"transaction {transaction_hash} was reverted")
            time.sleep(0.005)
        raise ChainFault(f"transaction {transaction_hash} was not mined")


class DevchainServer(ServerProcess):
    """A local chain with the demo collection deployed. `kill` and `restart` keep the port, not the state."""

    kind = "devchain"

    def command(self) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "streamgate_devchain"),
            *("--folder", str(self.directory), "--port", str(self.port)),
        ]

    def is_ready(self) -> bool:
        return self._announced() is not None

    @property
    def info(self) -> dict[str, str]:
        """`chain`, `rpc_url`, `contract`, `contract_name`."""
        announced = self._announced()
        if announced is None:
            raise ChainFault("the local chain is not running")
        return announced

    def client(self) -> ChainClient:
        info = self.info
        return ChainClient(info["rpc_url"], info["contract"], chain=info["chain"])

    def _announced(self) -> dict[str, str] | None:
        for line in self.log().splitlines():
            if line.startswith("{"):
                found: dict[str, str] = json.loads(line)
                return found
        return None
