"""Many reads in one `eth_call` that creates `contracts/Gather.yul` and keeps nothing.

Beside the results it tells the chain's id and the block, as the code that did the reading saw them: all of one state,
and nothing has to be asked before. A contract is bound to its own gas and bytes there, by the machine itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import attrs
import orjson

from streamgate_auth.evm.reads import (
    CALL_GAS,
    ChainRead,
    EthCall,
    HasCode,
    NativeBalance,
    Returned,
    Reverted,
    Unread,
)
from streamgate_auth.evm.together import Gathered
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question

MAX_CODE_BYTES = 49_152  # EIP-3860: initcode, which the reads are part of
MAX_RESULT_BYTES = 24_000  # EIP-170: what a creation may return
MAX_READ_BYTES = 20_000  # of one result: it must fit beside the block
_HEADER_BYTES = 1 + 4 * 32
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_CALL, _BALANCE, _CODE = range(3)


@attrs.frozen
class Gathering:
    """See `Together`."""

    name: str = "gather"
    repeats: bool = True

    def takes(self, read: ChainRead) -> bool:
        return isinstance(read, EthCall | NativeBalance | HasCode)

    def fits(self, reads: Sequence[ChainRead]) -> int:
        left = MAX_CODE_BYTES - len(_bytecode()) // 2 - 8
        for count, read in enumerate(reads):
            left -= len(_packed(read))
            if left < 0:
                return max(1, count)
        return len(reads)

    def question(self, reads: Sequence[ChainRead], block: str) -> Question:
        """Without `gas`: nodes then give what they give at most."""
        bounds = CALL_GAS.to_bytes(4, "big") + MAX_RESULT_BYTES.to_bytes(4, "big")
        packed = b"".join(_packed(read) for read in reads)
        return Question("eth_call", ({"data": _bytecode() + (bounds + packed).hex()}, block))

    def parse(self, answer: Answer, reads: Sequence[ChainRead]) -> Gathered:
        if not isinstance(answer, str) or not _HEX.fullmatch(answer):
            raise EndpointFault("the result is not of a call's form")
        body = bytes.fromhex(answer[2:])
        if len(body) < _HEADER_BYTES + 3 * len(reads) or body[0] != 1:
            raise EndpointFault("the result is not of the gathering's form")
        results: list[Returned | Reverted | Unread | None] = []
        at = _HEADER_BYTES
        for read in reads:
            status, length = body[at : at + 1], int.from_bytes(body[at + 1 : at + 3], "big")
            at += 3 + length
            if not status or at > len(body):
                raise EndpointFault("the result ends too early")
            results.append(_result(read, status[0], body[at - length : at]))
        if at != len(body):
            raise EndpointFault("the result is too long")
        chain_number, number = (int.from_bytes(body[start : start + 32], "big") for start in (1, 33))
        return Gathered(chain_number=chain_number, number=number, results=tuple(results))


@lru_cache(maxsize=1)
def _bytecode() -> str:
    artifact = orjson.loads(resources.files(__package__).joinpath("contracts/Gather.json").read_bytes())
    code: str = artifact["bytecode"]
    return code


def _result(read: ChainRead, status: int, data: bytes) -> Returned | Reverted | Unread | None:
    """By the statuses of Gather.yul."""
    match status:
        case 0:
            return Reverted()
        case 1 if isinstance(read, HasCode):
            return Returned(b"\x01" if any(data) else b"")
        case 1:
            return Returned(data)
        case 2:
            return Unread("the contract used up its gas", is_of_contract=True)
        case 3:
            return Unread("the contract returned too much", is_of_contract=True)
    return None


def _packed(read: ChainRead) -> bytes:
    data, most = b"", 0
    match read:
        case EthCall(to=address):
            kind, data, most = _CALL, bytes.fromhex(read.data[2:]), min(read.max_bytes, MAX_READ_BYTES)
        case NativeBalance(address=address):
            kind = _BALANCE
        case HasCode(address=address):
            kind = _CODE
        case _:
            raise TypeError(type(read).__name__)
    return bytes((kind,)) + bytes.fromhex(address[2:]) + most.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data
