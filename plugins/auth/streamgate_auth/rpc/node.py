"""One endpoint: a request out, an answer back, within a time and a size; and what is known of how it does.

An endpoint's URL often holds an API key, so that neither faults nor logs name it: endpoints go by their number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamgate.sdk.clock import Clock
from streamgate.sdk.http import MAX_ANSWER_BYTES, AnswerTooLarge, BadStatus, OutgoingFault, post_json
from streamgate.settings import Secret
from streamgate_auth.metrics import RPC_CALLS, RPC_SECONDS
from streamgate_auth.rpc.health import Health
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError, decode, encode

if TYPE_CHECKING:
    import httpx

TOO_MANY_REQUESTS = 429


class Node:
    """One endpoint of a chain.

    Args:
        number: its place in the configuration, from 1.
        client: makes or gives the HTTP client; it is asked at the first use.
        chain: for metrics.
    """

    def __init__(
        self,
        number: int,
        url: Secret,
        client: Callable[[], httpx.AsyncClient],
        clock: Clock,
        *,
        timeout_s: float,
        chain: str,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.number = number
        self.health = Health(clock=clock, timeout_s=timeout_s)
        self.is_verified = False  # told the right chain, and no fault of transport since
        self._url = url
        self._client = client
        self._timeout_s = timeout_s
        self._chain = chain
        self._max_answer_bytes = max_answer_bytes

    @property
    def host(self) -> str:
        """Without user, path and query, which hold keys."""
        try:
            return urlsplit(self._url.reveal()).hostname or ""
        except ValueError:
            return ""

    async def ask(self, questions: Sequence[Question]) -> list[Answer | RpcError]:
        """One answer a question, in their order, by one HTTP request.

        Raises:
            EndpointFault: no answer in time, too large a one, or one that is not JSON-RPC.
        """
        outcome = "failed"
        try:
            with RPC_SECONDS.labels(chain=self._chain).time():
                body = await self._send(encode(questions))
                answers = decode(body, len(questions))
            outcome = "answered"
        except EndpointFault as fault:
            outcome = fault.kind
            self.is_verified = False
            raise
        except asyncio.CancelledError:
            outcome = "overtaken"
            raise
        finally:
            RPC_CALLS.labels(chain=self._chain, endpoint=str(self.number), outcome=outcome).inc()
        return answers

    async def _send(self, body: bytes) -> bytes:
        client = self._client()  # making the first one takes a while, which is not the node's fault
        try:
            async with asyncio.timeout(self._timeout_s):
                return await post_json(client, self._url.reveal(), body, max_answer_bytes=self._max_answer_bytes)
        except BadStatus as fault:
            raise EndpointFault(str(fault), "rate_limited" if fault.status == TOO_MANY_REQUESTS else "status") from None
        except AnswerTooLarge as fault:
            raise EndpointFault(str(fault), "too_large") from None
        except OutgoingFault as fault:
            raise EndpointFault(str(fault), "unreachable") from None
        except TimeoutError as fault:
            raise EndpointFault(f"no answer within {self._timeout_s:g} s", "timeout") from fault
