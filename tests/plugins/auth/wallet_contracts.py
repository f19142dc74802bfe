"""Contract wallets on the local chain, what their owners sign, and a wire to the chain that can be cut."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from eth_abi.abi import encode

from streamgate.sdk.evm import keccak256, to_checksum
from streamgate.testing.devchain import ChainClient
from streamgate.testing.wallets import Wallet

FOLDER = Path(__file__).parent / "contracts"
WRAPPER = "6492" * 16
SALT = b"\x07" * 32


@cache
def bytecode(name: str) -> str:
    artifact = json.loads((FOLDER / "Wallets.json").read_text())
    source = (FOLDER / "Wallets.sol").read_bytes()
    assert artifact["source_sha256"] == hashlib.sha256(source).hexdigest(), "compile the contracts anew"
    found: str = artifact["bytecode"][name]
    return found


def call_data(signature: str, *values: Any) -> str:
    """`transfer(address,uint256)` and its values, as `0x` hex."""
    types = [kind for kind in signature.partition("(")[2].rstrip(")").split(",") if kind]
    return "0x" + (keccak256(signature.encode())[:4] + encode(types, values)).hex()


@attrs.frozen
class ContractWallet:
    """Answers like a wallet of the tests; `owners` sign for it. `made_by`: the factory, and what it is to be called
    with where the wallet is not there yet."""

    address: str
    owners: Sequence[Wallet] = ()
    made_by: tuple[str, str] | None = None

    def sign(self, message: str) -> str:
        in_order = sorted(self.owners, key=lambda owner: int(owner.address, 16))
        together = "0x" + "".join(owner.sign(message)[2:] for owner in in_order)
        return together if self.made_by is None else wrapped(*self.made_by, together)


def wrapped(factory: str, factory_call: str, signature: str) -> str:
    """ERC-6492, written by eth-abi."""
    values = [factory, bytes.fromhex(factory_call[2:]), bytes.fromhex(signature[2:])]
    return "0x" + encode(["address", "bytes", "bytes"], values).hex() + WRAPPER


@attrs.frozen
class WalletMaker:
    chain: ChainClient

    def send(self, **transaction: str) -> dict[str, Any]:
        return self.chain._sent({"from": self.chain.call("eth_accounts")[2], **transaction})

    def deploy(self, name: str, types: Sequence[str] = (), values: Sequence[Any] = ()) -> str:
        receipt = self.send(data=bytecode(name) + encode(list(types), list(values)).hex())
        return to_checksum(receipt["contractAddress"])

    def threshold(self, owners: Sequence[Wallet], threshold: int) -> ContractWallet:
        addresses = [owner.address for owner in owners]
        return ContractWallet(
            self.deploy("ThresholdWallet", ["address[]", "uint256"], [addresses, threshold]), owners[:threshold]
        )

    def undeployed(self, owners: Sequence[Wallet], salt: bytes = SALT) -> ContractWallet:
        factory, values = self.deploy("WalletFactory"), ([owner.address for owner in owners], len(owners), salt)
        asked = {"to": factory, "data": call_data("addressOf(address[],uint256,bytes32)", *values)}
        address = to_checksum("0x" + self.chain.call("eth_call", asked, "latest")[-40:])
        make = call_data("make(address[],uint256,bytes32)", *values)
        return ContractWallet(address, owners, (factory, make))

    def swap_owner(self, wallet: ContractWallet, before: Wallet, after: Wallet) -> None:
        self.send(to=wallet.address, data=call_data("swapOwner(address,address)", before.address, after.address))

    def has_code(self, address: str) -> bool:
        return bool(self.chain.call("eth_getCode", address, "latest") != "0x")


@attrs.define
class Wire:
    """A way to the chain; `cut` ends what runs on it, too."""

    url: str
    is_cut: bool = False
    _open: set[asyncio.StreamWriter] = attrs.field(factory=set)

    def cut(self) -> None:
        self.is_cut = True
        for writer in self._open:
            writer.close()

    def mend(self) -> None:
        self.is_cut = False


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    node = urlsplit(url)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire._open.add(writer)
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            wire._open.discard(writer)
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wire.is_cut:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection(node.hostname, node.port)
        await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1")
    wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield wire
    finally:
        wire.cut()
        server.close()
