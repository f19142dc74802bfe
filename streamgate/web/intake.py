"""Request bodies at the door: how long the next bytes may take, and what becomes of a body nobody reads.

A route that refuses (401, 413) answers while the client is still sending. Two things then go wrong by
themselves: closing with unread bytes resets the connection, so the client never sees the answer; and the
server's bounded queue of body parts stays full, which holds the connection's task for ever (hypercorn puts
the disconnect into the same queue). So the last part of such an answer waits until the rest of the body
has come and is thrown away, or LINGER_S have passed.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgate.web.problems import RequestTimedOut

LINGER_S = 2.0


def has_body(scope: Scope) -> bool:
    """Whether bytes may follow the head. HTTP/2 needs no header for that, so there the method tells."""
    if scope["http_version"] not in ("1.0", "1.1"):
        return scope["method"] not in ("GET", "HEAD")
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False


async def take_in(app: ASGIApp, scope: Scope, receive: Receive, send: Send, read_timeout_s: float) -> None:
    """Runs `app` on a request that has a body, with the two promises above."""
    intake = _Intake(receive, read_timeout_s)

    async def send_on(message: Message) -> None:
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not is_last or intake.is_done:
            await send(message)
            return
        await send({**message, "more_body": True})
        drain = asyncio.create_task(intake.drain())
        try:
            await asyncio.wait([drain], timeout=LINGER_S)
            # The drain goes on beside this: the server may have to queue one more part to end the request.
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            await asyncio.wait([drain], timeout=LINGER_S)
        finally:
            drain.cancel()

    await app(scope, intake.receive, send_on)


class _Intake:
    def __init__(self, receive: Receive, read_timeout_s: float) -> None:
        self._receive = receive
        self._read_timeout_s = read_timeout_s
        self.is_done = False

    async def receive(self) -> Message:
        if self.is_done:
            return await self._receive()
        try:
            async with asyncio.timeout(self._read_timeout_s):
                message = await self._receive()
        except TimeoutError as fault:
            raise RequestTimedOut(f"no bytes came for {self._read_timeout_s:g} s") from fault
        self._note(message)
        return message

    async def drain(self) -> None:
        """Throws away what still comes, until the body ends or the client goes."""
        while not self.is_done:
            self._note(await self._receive())

    def _note(self, message: Message) -> None:
        self.is_done = message["type"] == "http.disconnect" or not message.get("more_body", False)
