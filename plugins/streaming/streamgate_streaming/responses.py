"""Answers as raw ASGI applications: bytes that are here, and bytes as they are read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import attrs
from loguru import logger
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from streamgate.errors import TooLarge

RawHeaders = list[tuple[bytes, bytes]]


@attrs.frozen
class Plain:
    status: int
    headers: RawHeaders
    body: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        body = b"" if scope["method"] == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body, "more_body": False})


@attrs.frozen
class Streamed:
    """The bytes of a blob as they are read; `first` are read already."""

    status: int
    headers: RawHeaders
    first: bytes
    rest: AsyncIterator[bytes]
    length_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = self.length_bytes - len(self.first)
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": self.first, "more_body": left > 0})
            async for chunk in self.rest:
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
        finally:
            if isinstance(self.rest, AsyncGenerator):
                await self.rest.aclose()
        if left > 0:
            # Returning without the end of the body makes the server cut the connection: the client must notice.
            logger.bind(missing_bytes=left).error("blob is shorter than its index says")


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """What was sent.

    Raises:
        TooLarge: 413.
        ClientDisconnect: nobody is there to be answered.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > max_bytes:
            raise TooLarge(f"the body is larger than the {max_bytes} bytes that are read here")
        if not message.get("more_body", False):
            return body
