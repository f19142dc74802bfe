"""Many reads in one `eth_call` by Multicall3's `aggregate3`: for nodes on which no call can create a contract.

Its inner calls share their gas: one that loops leaves its neighbours 1/64, and what they then say is not theirs. So the
last call is a canary that fails unless a call's whole gas is still left: gas only ever gets less, so that whoever came
before it had as much. Where the canary fails nothing is taken from the answer. A call that failed without a word may
have run out of its gas, and is asked again by itself.

Interface: https://www.multicall3.com. Gas of the canary: EIP-1108.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from streamgate_auth.evm.reads import (
    CALL_GAS,
    WORD_BYTES,
    ChainRead,
    EthCall,
    NativeBalance,
    Returned,
    Reverted,
    Unread,
)
from streamgate_auth.evm.together import Gathered
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question

MAX_CALLS = 100
AGGREGATE3 = "0x82ad56cb"  # aggregate3((address,bool,bytes)[])
CHAIN_ID = bytes.fromhex("3408e470")  # getChainId()
BLOCK_NUMBER = bytes.fromhex("42cbb15c")  # getBlockNumber()
BALANCE = bytes.fromhex("4d2301cc")  # getEthBalance(address)
# The pairing check costs 45,000 and 34,000 a pair; pairs of zeros are skipped, and the answer is 1.
PAIRING = "0x" + "08".rjust(40, "0")
PAIR_BYTES = 192
PAIRS = -(-(CALL_GAS - 45_000) // 34_000)
_OWN_CALLS = 2
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


@attrs.frozen
class Multicall:
    """See `Together`. `address`: of Multicall3."""

    address: str
    name: str = "multicall3"
    repeats: bool = False

    def takes(self, read: ChainRead) -> bool:
        return isinstance(read, EthCall | NativeBalance)

    def fits(self, reads: Sequence[ChainRead]) -> int:
        return min(len(reads), MAX_CALLS)

    def question(self, reads: Sequence[ChainRead], block: str) -> Question:
        calls = [
            *((self.address, own) for own in (CHAIN_ID, BLOCK_NUMBER)),
            *(self._call(read) for read in reads),
            (PAIRING, bytes(PAIRS * PAIR_BYTES)),
        ]
        return Question("eth_call", ({"to": self.address, "data": AGGREGATE3 + _encode(calls).hex()}, block))

    def parse(self, answer: Answer, reads: Sequence[ChainRead]) -> Gathered:
        if not isinstance(answer, str) or not _HEX.fullmatch(answer):
            raise EndpointFault("the result is not of a call's form")
        told = _decode(bytes.fromhex(answer[2:]), len(reads) + _OWN_CALLS + 1)
        chain_number, number, canary = (_number(*told[place]) for place in (0, 1, -1))
        if chain_number is None or number is None:
            raise EndpointFault("the result is not Multicall3's")
        if canary != 1:
            raise EndpointFault("the calls did not have all their gas")
        results = (_result(read, *each) for read, each in zip(reads, told[_OWN_CALLS:-1], strict=True))
        return Gathered(chain_number=chain_number, number=number, results=tuple(results))

    def _call(self, read: ChainRead) -> tuple[str, bytes]:
        match read:
            case EthCall(to=to, data=data):
                return to, bytes.fromhex(data[2:])
            case NativeBalance(address=address):
                return self.address, BALANCE + _word(int(address, 16))
        raise TypeError(type(read).__name__)


def _result(read: ChainRead, has_worked: bool, data: bytes) -> Returned | Reverted | Unread | None:
    if not has_worked:
        return Reverted() if data else None
    if isinstance(read, EthCall) and len(data) > read.max_bytes:
        return Unread("the contract returned too much", is_of_contract=True)
    return Returned(data)


def _number(has_worked: bool, data: bytes) -> int | None:
    return int.from_bytes(data, "big") if has_worked and len(data) == WORD_BYTES else None


def _word(number: int) -> bytes:
    return number.to_bytes(WORD_BYTES, "big")


def _encode(calls: Sequence[tuple[str, bytes]]) -> bytes:
    """ABI: an array of (address, bool, bytes), each of which may fail."""
    items = [
        _word(int(to, 16)) + _word(1) + _word(3 * WORD_BYTES) + _word(len(data)) + data + bytes(-len(data) % WORD_BYTES)
        for to, data in calls
    ]
    offsets, at = [], len(items) * WORD_BYTES
    for item in items:
        offsets.append(_word(at))
        at += len(item)
    return _word(WORD_BYTES) + _word(len(items)) + b"".join(offsets) + b"".join(items)


def _decode(body: bytes, count: int) -> list[tuple[bool, bytes]]:
    """ABI: an array of (bool, bytes). Raises EndpointFault."""

    def word(at: int) -> int:
        if at + WORD_BYTES > len(body):
            raise EndpointFault("the result ends too early")
        return int.from_bytes(body[at : at + WORD_BYTES], "big")

    start = word(0)
    if word(start) != count:
        raise EndpointFault("the result is of another number of calls")
    first = start + WORD_BYTES
    results = []
    for place in range(count):
        item = first + word(first + place * WORD_BYTES)
        data = item + word(item + WORD_BYTES)
        length = word(data)
        begins = data + WORD_BYTES
        if begins + length > len(body):
            raise EndpointFault("the result ends too early")
        results.append((word(item) == 1, body[begins : begins + length]))
    return results
