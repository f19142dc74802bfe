"""JSON-RPC over HTTP to one endpoint: one batch out, one answer a question back, within a time and a size.

An endpoint's URL often holds an API key, so that neither faults nor logs name it: endpoints go by their number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from streamgate.sdk.http import OutgoingFault, post_json
from streamgate.settings import Secret

if TYPE_CHECKING:
    import httpx


class EndpointFault(Exception):
    """The endpoint gave no usable answer at all. The text is for people and names no URL."""


@attrs.frozen
class RpcError:
    """The endpoint's word on one question of a batch: an error."""

    code: int
    message: str
    data: str = ""

    @property
    def is_revert(self) -> bool:
        """The contract itself refused, which is an answer. Nodes disagree on how to say it: geth, anvil and most
        others use code 3, some only a text; -32015 is OpenEthereum's and Nethermind's."""
        return self.code in (3, -32015) or "revert" in self.message.lower()


Answer = Any  # Any: a JSON value, whose form the caller checks


@attrs.frozen
class Question:
    method: str
    params: Sequence[Any] = ()  # Any: JSON values


class Endpoint:
    """One node. `client` makes or gives the HTTP client; it is asked at the first use."""

    def __init__(self, url: Secret, client: Callable[[], httpx.AsyncClient], *, timeout_s: float) -> None:
        self._url = url
        self._client = client
        self._timeout_s = timeout_s

    async def ask(self, questions: Sequence[Question]) -> list[Answer | RpcError]:
        """One answer a question, in their order.

        Raises:
            EndpointFault: no answer in time, too large a one, or one that is not JSON-RPC.
        """
        batch = [
            {"jsonrpc": "2.0", "id": number, "method": question.method, "params": list(question.params)}
            for number, question in enumerate(questions)
        ]
        client = self._client()  # making the first one takes a while, which is not the node's fault
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await post_json(client, self._url.reveal(), orjson.dumps(batch))
        except OutgoingFault as fault:
            raise EndpointFault(str(fault)) from None
        except TimeoutError as fault:
            raise EndpointFault(f"no answer within {self._timeout_s:g} s") from fault
        try:
            answers = orjson.loads(body)
        except orjson.JSONDecodeError as fault:
            raise EndpointFault("the answer is not JSON") from fault
        return _in_order(answers, len(batch))


def _in_order(answers: object, count: int) -> list[Answer | RpcError]:
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
    return RpcError(error["code"], str(error.get("message", ""))[:200], data if isinstance(data, str) else "")


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
