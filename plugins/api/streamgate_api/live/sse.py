"""`GET /api/v1/events`: server-sent events. A mount behind the edge, which renders what is raised before the answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import orjson
from starlette.types import Receive, Scope, Send

from streamgate.web.problems import MethodNotAllowed, RouteNotFound
from streamgate_api.live.hub import STREAMS, Event, Watcher
from streamgate_api.live.watching import Ended, Looker, Looks

PATH = "/api/v1/events"
_METHODS = ("GET", "HEAD")
RETRY_MS = 3000  # how long a browser waits before it comes back
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx in front hands it on as it comes
]


class EventStream:
    """An ASGI application."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH:
            raise RouteNotFound(f"nothing is served at {scope['path']}")
        if scope["method"] not in _METHODS:
            raise MethodNotAllowed(f"{PATH} does not take {scope['method']}", allowed=_METHODS)
        looker = await self._looks.admit(scope)
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        watcher = self._looks.enter(looker)
        STREAMS.labels("sse").inc()
        # Both in tasks: sending to a client who left is not noticed, and being cut must end the writing.
        writing = asyncio.ensure_future(self._write(looker, watcher, send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
        finally:
            for task in (writing, leaving):
                task.cancel()
            await asyncio.wait({writing, leaving})
            self._looks.leave(watcher)
            STREAMS.labels("sse").dec()

    async def _write(self, looker: Looker, watcher: Watcher, send: Send) -> None:
        async def say(text: bytes) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await say(b"retry: %d\n\n" % RETRY_MS)
        number = 0
        try:
            async with aclosing(self._looks.events(looker, watcher)) as events:
                async for event in events:
                    number += event is not None
                    await say(b": still here\n\n" if event is None else _rendered(event, number))
        except Ended as end:
            await say(_rendered(end.event, number + 1))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _rendered(event: Event, number: int) -> bytes:
    """JSON has no line breaks of its own, so one `data` line holds it. The id counts within this connection alone."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, event.name.encode(), orjson.dumps(event.data))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
