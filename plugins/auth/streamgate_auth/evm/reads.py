"""What can be asked of a chain at a block, and what an endpoint's answer to it means."""

from __future__ import annotations

import re

import attrs

from streamgate_auth.evm.rpc import Answer, Question, RpcError

CALL_GAS = 1_000_000  # a contract that loops runs into this, not into the node's own limit
WORD_BYTES = 32
MAX_RESULT_BYTES = 1024
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})")


@attrs.frozen
class Returned:
    data: bytes


@attrs.frozen
class Reverted:
    """The contract refused the call."""


@attrs.frozen
class Unread:
    """No endpoint could say; `reason` is for people."""

    reason: str


@attrs.frozen
class EthCall:
    """`eth_call`: contract and call data, both `0x` hex. More than `max_bytes` of answer is none."""

    to: str
    data: str
    max_bytes: int = MAX_RESULT_BYTES

    def question(self, block: str) -> Question:
        return Question("eth_call", ({"to": self.to, "data": self.data, "gas": hex(CALL_GAS)}, block))

    def result(self, answer: Answer | RpcError) -> Returned | Reverted | Unread:
        if isinstance(answer, RpcError):
            return Reverted() if answer.is_revert else Unread(f"error {answer.code}")
        if not isinstance(answer, str) or len(answer) > 2 + 2 * self.max_bytes or not _HEX.fullmatch(answer):
            return Unread("the result is not of a call's form")
        return Returned(bytes.fromhex(answer[2:]))


@attrs.frozen
class NativeBalance:
    """`eth_getBalance`, in wei; returned as a word."""

    address: str

    def question(self, block: str) -> Question:
        return Question("eth_getBalance", (self.address, block))

    def result(self, answer: Answer | RpcError) -> Returned | Reverted | Unread:
        if isinstance(answer, RpcError):
            return Unread(f"error {answer.code}")
        if not isinstance(answer, str) or not _QUANTITY.fullmatch(answer):
            return Unread("the balance is not a number")
        return Returned(int(answer, 16).to_bytes(WORD_BYTES, "big"))


@attrs.frozen
class HasCode:
    """`eth_getCode`: returns one byte where there is a contract, none where there is not."""

    address: str

    def question(self, block: str) -> Question:
        return Question("eth_getCode", (self.address, block))

    def result(self, answer: Answer | RpcError) -> Returned | Reverted | Unread:
        if isinstance(answer, RpcError):
            return Unread(f"error {answer.code}")
        if not isinstance(answer, str) or not _HEX.fullmatch(answer):
            return Unread("the code is not hexadecimal")
        return Returned(b"\x01" if len(answer) > 2 else b"")


ChainRead = EthCall | NativeBalance | HasCode
