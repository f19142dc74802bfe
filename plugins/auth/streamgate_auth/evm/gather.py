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
    EthCall,
    HasCode,
    NativeBalance,
    Returned,
    Reverted,
    Unread,
)
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question

Gatherable = EthCall | NativeBalance | HasCode
NotRun = None
"""There was no room or gas left for this read; it may be asked again."""

MAX_CODE_BYTES = 49_152  # EIP-3860: initcode, which the reads are part of
MAX_RESULT_BYTES = 24_000  # EIP-170: what a creation may return
MAX_READ_BYTES = 20_000  # of one result: it must fit beside the block
_HEADER_BYTES = 1 + 4 * 32
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_CALL, _BALANCE, _CODE = range(3)


@attrs.frozen(kw_only=True)
class Gathered:
    """`number` is the `NUMBER` instruction's, which on Arbitrum is the parent chain's."""

    chain_number: int
    number: int
    results: tuple[Returned | Reverted | Unread | None, ...]


@lru_cache(maxsize=1)
def _bytecode() -> str:
    artifact = orjson.loads(resources.files(__package__).joinpath("contracts/Gather.json").read_bytes())
    code: str = artifact["bytecode"]
    return code


def fits(reads: Sequence[Gatherable]) -> int:
    """How many of these, from the first, one call has room for; at least 1."""
    left = MAX_CODE_BYTES - len(_bytecode()) // 2 - 8
    for count, read in enumerate(reads):
        left -= len(_packed(read))
        if left < 0:
            return max(1, count)
    return len(reads)


def question(reads: Sequence[Gatherable], block: str) -> Question:
    """Without `gas`: nodes then give what they give at most."""
    bounds = CALL_GAS.to_bytes(4, "big") + MAX_RESULT_BYTES.to_bytes(4, "big")
    packed = b"".join(_packed(read) for read in reads)
    return Question("eth_call", ({"data": _bytecode() + (bounds + packed).hex()}, block))


def parse(answer: Answer, reads: Sequence[Gatherable]) -> Gathered:
    """Raises EndpointFault: this is not what the code returns."""
    if not isinstance(answer, str) or not _HEX.fullmatch(answer):
        raise EndpointFault("the result is not of a call's form")
    body = bytes.fromhex(answer[2:])
    if len(body) < _HEADER_BYTES + 3 * len(reads) or body[0] != 1:
        raise EndpointFault("the result is not of the gathering's form")
    words = [int.from_bytes(body[start : start + 32], "big") for start in range(1, _HEADER_BYTES, 32)]
    if words[1] >= 1 << 63:
        raise EndpointFault("the block's number makes no sense")
    results: list[Returned | Reverted | Unread | None] = []
    at = _HEADER_BYTES
    for _ in reads:
        status, length = body[at : at + 1], int.from_bytes(body[at + 1 : at + 3], "big")
        at += 3 + length
        if not status or at > len(body):
            raise EndpointFault("the result ends too early")
        results.append(_result(status[0], body[at - length : at]))
    if at != len(body):
        raise EndpointFault("the result is too long")
    settled = (_settled(read, result) for read, result in zip(reads, results, strict=True))
    return Gathered(chain_number=words[0], number=words[1], results=tuple(settled))


def _result(status: int, data: bytes) -> Returned | Reverted | Unread | None:
    match status:
        case 0:
            return Reverted()
        case 1:
            return Returned(data)
        case 2:
            return Unread("the contract used up its gas", is_of_contract=True)
        case 3:
            return Unread("the contract returned too much", is_of_contract=True)
    return NotRun


def _settled(read: Gatherable, result: Returned | Reverted | Unread | None) -> Returned | Reverted | Unread | None:
    if isinstance(read, HasCode) and isinstance(result, Returned):
        return Returned(b"\x01" if any(result.data) else b"")
    return result


def _packed(read: Gatherable) -> bytes:
    if isinstance(read, EthCall):
        data = bytes.fromhex(read.data[2:])
        kind, address, most = _CALL, read.to, min(read.max_bytes, MAX_READ_BYTES)
    else:
        data, most = b"", 0
        kind, address = (_BALANCE if isinstance(read, NativeBalance) else _CODE), read.address
    return bytes((kind,)) + bytes.fromhex(address[2:]) + most.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data
