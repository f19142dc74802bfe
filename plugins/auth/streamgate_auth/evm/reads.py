"""What can be asked of a chain at a block, and what an endpoint's answer to it means."""

from __future__ import annotations

import re
from typing import Protocol

import attrs

from streamgate_auth.rpc.wire import Answer, Question, RpcError

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
    """It could not be said; `reason` is for people. `is_of_contract`: by its doing, so that another endpoint could
    not say it either."""

    reason: str
    is_of_contract: bool = False


class ChainRead(Protocol):
    """A question about one state of the chain; equal ones of a moment are asked once. Values, hashable."""

    def question(self, block: str) -> Question:
        """By itself, at a block's number (`0x…`)."""

    def result(self, answer: Answer | RpcError) -> Returned | Reverted | Unread:
        """What the answer to that question means."""


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
            if answer.is_revert:
                return Reverted()
            return Unread(f"error {answer.code}", is_of_contract=answer.is_out_of_gas)
        if not isinstance(answer, str) or not answer.startswith("0x"):
            return Unread("the result is not of a call's form")
        if len(answer) > 2 + 2 * self.max_bytes:
            return Unread("the contract returned too much", is_of_contract=True)
        if not _HEX.fullmatch(answer):
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
