"""A service that creates, behind the edge, and a client of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
from starlette.responses import JSONResponse, Response, StreamingResponse

from streamgate.errors import Conflict, Unavailable
from streamgate.health import Readiness
from streamgate.sdk.edge.kept import MAX_ANSWER_BYTES
from streamgate.sdk.edge.policy import Edge
from streamgate.web.access import AccessLog
from streamgate.web.app import build_app
from streamgate.web.routes import PUBLIC, SIGNED_IN, Call, Route
from tests.kernel.sdk.edge.conftest import SERVER, KnownByWord


class Exists(Conflict):
    code = "toy.exists"


class Full(Unavailable):
    """Said by a service that did nothing."""

    code = "toy.full"


@attrs.frozen
class Body:
    title: str = ""


@attrs.frozen
class Path:
    shelf: str


@attrs.frozen
class Made:
    number: int
    title: str


@attrs.define
class Shelf:
    """Counts what it makes."""

    made: int = 0
    faults: list[Exception] = attrs.field(factory=list)
    entered: asyncio.Event = attrs.field(factory=asyncio.Event)
    may_go: asyncio.Event = attrs.field(factory=asyncio.Event)
    committed: threading.Event = attrs.field(factory=threading.Event)

    async def make(self, call: Call[Body, Any]) -> Made:
        self.made += 1
        if self.faults:
            raise self.faults.pop(0)
        return Made(self.made, call.body.title)

    async def slow(self, call: Call[Body, None]) -> Made:
        self.entered.set()
        await self.may_go.wait()
        return await self.make(call)

    async def late(self, call: Call[Body, None]) -> Made:
        """Takes longer than the route may; a thread commits nevertheless, as a database's does."""
        self.entered.set()
        await asyncio.to_thread(self._commit)
        raise AssertionError("nobody waits for it")

    def _commit(self) -> None:
        self.made += 1
        assert self.committed.wait(30)

    async def huge(self, call: Call[Body, None]) -> Response:
        await self.make(call)
        return JSONResponse({"text": "x" * MAX_ANSWER_BYTES}, 201, {"location": "/things/1"})

    async def large(self, call: Call[Body, None]) -> Made:
        await self.make(call)
        return Made(1, "x" * MAX_ANSWER_BYTES)

    async def respond(self, call: Call[Body, None]) -> Response:
        made = await self.make(call)
        return JSONResponse({"number": made.number}, 201, {"location": f"/things/{made.number}"})

    async def stream(self, call: Call[Body, None]) -> Response:
        made = await self.make(call)

        async def parts() -> AsyncIterator[bytes]:
            yield str(made.number).encode()

        return StreamingResponse(parts(), 201)

    async def take(self, call: Call[None, None]) -> Response:
        """What streams: `bad` is refused after it was read."""
        body = await call.request.body()
        if body == b"bad":
            return JSONResponse({"read": 3}, 422)
        if body == b"odd":
            raise Exists("odd")
        self.made += 1
        return JSONResponse({"number": self.made}, 201, {"location": f"/things/{self.made}"})

    def routes(self) -> list[Route]:
        made: dict[str, Any] = {"policy": SIGNED_IN, "body": Body, "status": 201, "summary": "Makes"}
        return [
            Route("POST", "/things", self.make, answer=Made, **made),
            Route("POST", "/others", self.make, answer=Made, **made),
            Route("POST", "/slow", self.slow, answer=Made, **made),
            Route("POST", "/late", self.late, answer=Made, timeout_s=0.05, **made),
            Route("POST", "/huge", self.huge, **made),
            Route("POST", "/large", self.large, answer=Made, **made),
            Route("POST", "/things/{shelf}", self.make, answer=Made, query=Path, **made),
            Route("POST", "/responds", self.respond, **made),
            Route("POST", "/streams", self.stream, **made),
            Route(
                "POST", "/raw", self.take, raw_body=True, headers_doc={"X-Size": "Of all."}, **{**made, "body": None}
            ),
            Route("POST", "/public", self.make, answer=Made, **{**made, "policy": PUBLIC}),
            Route("POST", "/changes", self.make, answer=Made, **{**made, "status": 200}),
        ]


async def is_ready() -> Readiness:
    return Readiness(ready=True, checks={}, service="toy")


def open_client(shelf: Shelf, edge: Edge) -> httpx.AsyncClient:
    app = build_app(
        routes=shelf.routes(),
        authenticator=KnownByWord(),
        settings=SERVER,
        service="toy",
        mode="all",
        readiness=is_ready,
        began_s=time.monotonic(),
        access_log=AccessLog(lambda lines: None),
        policy=edge,
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://toy")
