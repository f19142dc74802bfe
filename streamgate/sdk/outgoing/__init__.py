"""Requests to addresses that users give, which must not reach what only we can reach (SSRF).

client = guarded_client(ctx.settings.outgoing)            # aclose() when done
client.check_url(url)                                     # at once, for a 422
answer = await client.request("POST", url, content=body, limit_bytes=65_536, timeout_s=10)
async with client.stream("GET", url, limit_bytes=…, timeout_s=…) as answer:
    async for piece in answer.pieces(): …
"""

from streamgate.sdk.outgoing.client import Answer, GuardedClient, StreamedAnswer, guarded_client
from streamgate.sdk.outgoing.errors import (
    AddressRefused,
    AnswerTooLarge,
    AnswerUnusable,
    OutgoingError,
    TimedOut,
    Unreachable,
    UrlRefused,
)
from streamgate.sdk.outgoing.guard import Resolver

__all__ = [
    "AddressRefused",
    "Answer",
    "AnswerTooLarge",
    "AnswerUnusable",
    "GuardedClient",
    "OutgoingError",
    "Resolver",
    "StreamedAnswer",
    "TimedOut",
    "Unreachable",
    "UrlRefused",
    "guarded_client",
]
