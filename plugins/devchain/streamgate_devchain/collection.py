"""The demo ERC-721 and the faucet, by the node's own unlocked accounts: nothing here is worth anything."""

from __future__ import annotations

import asyncio
import functools
import json
from pathlib import Path
from typing import Any

import attrs

from streamgate.sdk.evm import Address, keccak256, to_checksum
from streamgate_devchain.rpc import Rpc

NAME = "StreamGate Demo Pass"
MINT = "0x6a627842"  # mint(address)
MINTED = "0x4f02c420"  # minted()
BALANCE_OF = "0x70a08231"  # balanceOf(address)
OWNER_OF = "0x6352211e"  # ownerOf(uint256)
TRANSFER_FROM = "0x23b872dd"  # transferFrom(address,address,uint256)
GIFT_WEI = 10**18
# Each of anvil's accounts has 10,000 ether. The last one only deploys, so that the contract's address (its sender
# and nonce 0) is the same on every machine.
DEPLOYER, TREASURER, SOMEBODY = 9, 0, 1
GAS_WEI = 10**16  # enough for a few hundred transfers
RECEIPT_POLL_S = 0.005


@functools.cache
def artifact() -> dict[str, Any]:
    """`compile.mjs` wrote it: ABI, bytecode, and what it was compiled from."""
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / "contracts" / "DemoPass.json").read_text())
    return loaded


@attrs.frozen(kw_only=True)
class MintedToken:
    token_id: int
    block_number: int
    transaction_hash: str


class DemoCollection:
    """A deployed contract. Made by `deploy`."""

    def __init__(self, rpc: Rpc, treasurer: str, somebody: str, address: Address) -> None:
        self._rpc = rpc
        self._treasurer = treasurer
        self.somebody = to_checksum(somebody)  # who gets what is given away
        self._sending = asyncio.Lock()  # the node gives two transactions that come at once the same nonce
        self.address = address

    @classmethod
    async def deploy(cls, rpc: Rpc) -> DemoCollection:
        """The contract that is there already (a chain that was kept), else a new one."""
        accounts = await rpc.call("eth_accounts")
        deployer = bytes.fromhex(accounts[DEPLOYER][2:])
        # CREATE's address: keccak(rlp([sender, nonce])), here for nonce 0.
        address = to_checksum("0x" + keccak256(b"\xd6\x94" + deployer + b"\x80")[12:].hex())
        if await rpc.call("eth_getCode", address, "latest") == "0x":
            await _send(rpc, {"from": accounts[DEPLOYER], "data": artifact()["bytecode"]})
        return cls(rpc, accounts[TREASURER], accounts[SOMEBODY], address)

    async def mint(self, to: Address) -> MintedToken:
        data = MINT + _word(to)
        receipt = await self._send({"to": self.address, "data": data})
        (transfer,) = receipt["logs"]  # Transfer(from, to, tokenId), all three indexed
        return MintedToken(
            token_id=int(transfer["topics"][3], 16),
            block_number=int(receipt["blockNumber"], 16),
            transaction_hash=receipt["transactionHash"],
        )

    async def give_away(self, holder: Address) -> tuple[tuple[int, ...], int]:
        """Sends all that `holder` has to somebody else; which they were, and the last block. None: nothing is sent."""
        async with self._sending:
            held = await self._tokens_of(holder)
            if not held:
                return (), 0
            if int(await self._rpc.call("eth_getBalance", holder, "latest"), 16) < GAS_WEI:
                await _send(self._rpc, {"from": self._treasurer, "to": holder, "value": hex(GAS_WEI)})
            await self._rpc.call("anvil_impersonateAccount", holder)
            receipt: dict[str, Any] = {}
            try:
                for token_id in held:
                    data = TRANSFER_FROM + _word(holder) + _word(self.somebody) + _word(hex(token_id))
                    receipt = await _send(self._rpc, {"from": holder, "to": self.address, "data": data})
            finally:
                await self._rpc.call("anvil_stopImpersonatingAccount", holder)
        return held, int(receipt["blockNumber"], 16)

    async def _tokens_of(self, holder: Address) -> tuple[int, ...]:
        """The contract keeps no list: the newest are looked at first, until all are found."""
        missing = int(await self._ask(BALANCE_OF + _word(holder)), 16)
        token_id = int(await self._ask(MINTED), 16) if missing else 0
        found: list[int] = []
        while missing and token_id:
            if (await self._ask(OWNER_OF + _word(hex(token_id))))[-40:] == holder[2:].lower():
                found.append(token_id)
                missing -= 1
            token_id -= 1
        return tuple(reversed(found))

    async def _ask(self, data: str) -> str:
        answer: str = await self._rpc.call("eth_call", {"to": self.address, "data": data}, "latest")
        return answer

    async def fund(self, to: Address) -> tuple[int, str]:
        """Balance afterwards in wei, and the transaction."""
        receipt = await self._send({"to": to, "value": hex(GIFT_WEI)})
        balance = await self._rpc.call("eth_getBalance", to, "latest")
        return int(balance, 16), receipt["transactionHash"]

    async def _send(self, transaction: dict[str, str]) -> dict[str, Any]:
        async with self._sending:
            return await _send(self._rpc, {"from": self._treasurer, **transaction})


def _word(value: str) -> str:
    """An address or a number in hex as an argument of a call."""
    return value[2:].lower().rjust(64, "0")


async def _send(rpc: Rpc, transaction: dict[str, str]) -> dict[str, Any]:
    """Sends, waits until it is mined (at once: the node mines each transaction), and gives the receipt.

    Raises:
        RpcFault: it would revert.
    """
    transaction_hash = await rpc.call("eth_sendTransaction", transaction)
    while True:
        receipt: dict[str, Any] | None = await rpc.call("eth_getTransactionReceipt", transaction_hash)
        if receipt is not None:
            return receipt
        await asyncio.sleep(RECEIPT_POLL_S)
