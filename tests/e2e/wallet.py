"""A person's wallet on the development chain: signs messages, sends tokens."""

from __future__ import annotations

from typing import Any

import attrs
import httpx
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from streamgate.testing.wait import eventually

TRANSFER_SELECTOR = bytes.fromhex("23b872dd")  # transferFrom(address,address,uint256)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


@attrs.frozen
class Wallet:
    name: str
    account: LocalAccount

    @classmethod
    def new(cls, name: str) -> Wallet:
        return cls(name, Account.create())

    @property
    def address(self) -> str:
        return str(self.account.address)

    def sign(self, message: str) -> str:
        return "0x" + self.account.sign_message(encode_defunct(text=message)).signature.hex().removeprefix("0x")

    async def transfer(self, rpc_url: str, contract: str, token_id: int, to: str) -> int:
        """Sends the ERC-721 token and waits for its receipt; the block number."""
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:

            async def rpc(method: str, *params: Any) -> Any:
                asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
                answer = (await client.post(rpc_url, json=asked)).json()
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

            data = TRANSFER_SELECTOR + _word(int(self.address, 16)) + _word(int(to, 16)) + _word(token_id)
            signed = self.account.sign_transaction(
                {
                    "to": contract,
                    "data": "0x" + data.hex(),
                    "value": 0,
                    "gas": 200_000,
                    "gasPrice": int(await rpc("eth_gasPrice"), 16) * 2,
                    "nonce": int(await rpc("eth_getTransactionCount", self.address, "latest"), 16),
                    "chainId": int(await rpc("eth_chainId"), 16),
                }
            )
            sent = await rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex().removeprefix("0x"))
            receipt = await eventually(
                lambda: rpc("eth_getTransactionReceipt", sent), timeout_s=30, every_s=0.02, what="the receipt"
            )
            if int(receipt["status"], 16) != 1:
                raise RuntimeError("the transfer was reverted")
            return int(receipt["blockNumber"], 16)
