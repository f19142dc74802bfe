"""Requests of ours to others: no redirects, no proxies from the environment, a bound on time and on the answer.

For addresses that the operator configures. Those that users give go through `sdk.outgoing.guarded_client`.
httpx is imported at the first client, as most processes never make one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 1_048_576


class OutgoingFault(Exception):
    """No usable answer. The text is for people and names no address: it may hold an API key."""


class BadStatus(OutgoingFault):
    """Another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status


class AnswerTooLarge(OutgoingFault):
    """Larger than the caller wants it; the rest was not read."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes} bytes of answer")


def outgoing_client(*, timeout_s: float, max_connections: int = 64, verify: bool = True) -> httpx.AsyncClient:
    """A client whose owner closes it. `verify` False: for plain loopback, where no certificates are read."""
    import httpx

    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        verify=verify,
        timeout=timeout_s,
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections // 4),
    )


async def post_json(
    client: httpx.AsyncClient, url: str, body: bytes, *, max_answer_bytes: int = MAX_ANSWER_BYTES
) -> bytes:
    """The body of a 200 answer, read as it comes and never past the limit.

    Raises:
        OutgoingFault: not reached, another status, or too large an answer.
    """
    import httpx

    headers = {"Content-Type": "application/json"}
    try:
        async with client.stream("POST", url, content=body, headers=headers) as response:
            if response.status_code != 200:
                raise BadStatus(response.status_code)
            received = bytearray()
            async for piece in response.aiter_bytes():
                received += piece
                if len(received) > max_answer_bytes:
                    raise AnswerTooLarge(max_answer_bytes)
            return bytes(received)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as fault:
        raise OutgoingFault(f"not reached ({type(fault).__name__})") from None
