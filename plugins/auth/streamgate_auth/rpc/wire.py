"""JSON-RPC 2.0: what is asked, what comes back, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs
import orjson

FaultKind = Literal[
    "unreachable",
    "timeout",
    "status",
    "rate_limited",
    "too_large",
    "malformed",
    "wrong_chain",
    "behind",
    "refused",
    "outvoted",
]
"""Why an endpoint gave nothing of use. `refused`: it answered with JSON-RPC errors alone; `outvoted`: so many others
as the quorum wants agreed on something else."""

MAX_MESSAGE_CHARS = 200
Answer = Any  # Any: a JSON value, whose form the caller checks


class EndpointFault(Exception):
    """The endpoint gave no usable answer at all. The text is for people and names no URL."""

    def __init__(self, text: str, kind: FaultKind = "malformed") -> None:
        super().__init__(text)
        self.kind = kind


@attrs.frozen
class RpcError:
    """The endpoint's word on one question of a batch: an error. Its `message` is never shown: nodes put URLs there."""

    code: int
    message: str
    data: str = ""

    @property
    def is_revert(self) -> bool:
        """The contract itself refused, which is an answer. Nodes disagree on how to say it: geth, anvil and most
        others use code 3, some only a text; -32015 is OpenEthereum's and Nethermind's."""
        return self.code in (3, -32015) or "revert" in self.message.lower()

    @property
    def is_out_of_gas(self) -> bool:
        return "gas" in self.message.lower()


@attrs.frozen
class Question:
    """`params`: in their order, or by name."""

    method: str
    params: Sequence[Any] | Mapping[str, Any] = ()  # Any: JSON values


def encode(questions: Sequence[Question]) -> bytes:
    """One question goes by itself: some providers take no batches."""
    batch = [
        {"jsonrpc": "2.0", "id": number, "method": question.method, "params": _plain(question.params)}
        for number, question in enumerate(questions)
    ]
    return orjson.dumps(batch[0] if len(batch) == 1 else batch)


def _plain(params: Sequence[Any] | Mapping[str, Any]) -> list[Any] | dict[str, Any]:
    return dict(params) if isinstance(params, Mapping) else list(params)


def decode(body: bytes, count: int) -> list[Answer | RpcError]:
    """One answer a question, in their order.

    Raises:
        EndpointFault: it is not JSON-RPC's, or not of these questions.
    """
    try:
        answers = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise EndpointFault("the answer is not JSON") from fault
    if count == 1 and isinstance(answers, dict):
        answers = [answers]
    if not isinstance(answers, list):
        raise EndpointFault("the answer is not a batch")
    found: dict[int, Answer | RpcError] = {}
    for answer in answers:
        number = answer.get("id") if isinstance(answer, dict) else None
        if type(number) is not int or not 0 <= number < count or number in found:
            raise EndpointFault("the answer is not a batch of ours")
        error = answer.get("error")
        if error is not None:
            found[number] = _error(error)
        elif "result" in answer:
            found[number] = answer["result"]
    if len(found) != count:
        raise EndpointFault("the answer lacks some of the batch")
    return [found[number] for number in range(count)]


def _error(error: object) -> RpcError:
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        raise EndpointFault("an error in the answer is not of JSON-RPC's form")
    data = error.get("data")
    message = str(error.get("message", ""))[:MAX_MESSAGE_CHARS]
    return RpcError(error["code"], message, data if isinstance(data, str) else "")


def parse_quantity(value: object) -> int:
    """JSON-RPC's `0x…` number.

    Raises:
        EndpointFault: it is none, or too large for a block or chain number.
    """
    if not isinstance(value, str) or not value.startswith("0x") or not 3 <= len(value) <= 18:
        raise EndpointFault("a number in the answer is none")
    try:
        return int(value, 16)
    except ValueError as fault:
        raise EndpointFault("a number in the answer is none") from fault
