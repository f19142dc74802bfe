"""What stands between a socket and a handler: in process, and by requests a second of one process on either server."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route as BareRoute
from starlette.types import ASGIApp, Message

from streamgate.context import Actor
from streamgate.health import Readiness
from streamgate.sdk.edge.addresses import ClientAddresses
from streamgate.sdk.edge.policy import Edge
from streamgate.settings import LimitSettings, ServerSettings
from streamgate.web.access import AccessLog
from streamgate.web.app import build_app
from streamgate.web.routes import SIGNED_IN, Call, Route
from tests.bench.figures import Figure
from tests.bench.processes import bare, load, process

BATCHES = 200
BATCH = 50
LOAD_RUNS = 3
OFTEN = 1_000_000_000
UNLIMITED = {
    "STREAMGATE_LIMITS__ADDRESS_PER_MINUTE": str(OFTEN),
    "STREAMGATE_LIMITS__IDENTITY_PER_MINUTE": str(OFTEN),
}
_HEADERS = [
    (b"host", b"127.0.0.1:9090"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"authorization", b"Bearer " + b"x" * 300),
]


@attrs.frozen
class Answer:
    status: str


async def _ours(call: Call[None, None]) -> Answer:
    return Answer("ok")


async def _bare(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


class _Known:
    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        return Actor(kind="user", user_id="u_bench", roles=("viewer",), credential="a_bench")


async def _is_ready() -> Readiness:
    return Readiness(ready=True, checks={}, service="bench")


def _stack(log: AccessLog) -> ASGIApp:
    """With every layer, for somebody who is signed in; the look-up of the token aside."""
    limits = LimitSettings(address_per_minute=OFTEN, identity_per_minute=OFTEN)
    settings = ServerSettings(public_url="https://video.example")
    return build_app(
        routes=[Route("GET", "/x", _ours, policy=SIGNED_IN, summary="Says ok", answer=Answer)],
        authenticator=_Known(),
        settings=settings,
        service="bench",
        mode="all",
        readiness=_is_ready,
        began_s=time.monotonic(),
        access_log=log,
        policy=Edge(settings, limits, addresses=ClientAddresses(())),
    )


async def _time(app: ASGIApp, log: AccessLog) -> tuple[float, ...]:
    """Microseconds a request, by batches."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None: ...

    samples = []
    for _ in range(BATCHES):
        began = time.perf_counter()
        for _ in range(BATCH):
            scope: dict[str, Any] = {
                "type": "http",
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": "/x",
                "raw_path": b"/x",
                "root_path": "",
                "query_string": b"",
                "headers": list(_HEADERS),
                "client": ("192.0.2.7", 4711),
                "server": ("127.0.0.1", 9090),
            }
            await app(scope, receive, send)
        samples.append((time.perf_counter() - began) / BATCH * 1e6)
        log.flush()
    return tuple(samples)


def _in_process() -> list[Figure]:
    log = AccessLog(lambda lines: None)
    ours = asyncio.run(_time(_stack(log), log))
    peer = asyncio.run(_time(Starlette(routes=[BareRoute("/x", _bare)]), log))
    overhead = tuple(each - statistics.median(peer) for each in ours)
    return [
        Figure(name="a request through the whole stack", unit="µs", ours=ours, peer=peer, peer_name="bare Starlette"),
        Figure(name="  added to bare Starlette", unit="µs", ours=overhead, limit=150.0),
    ]


def _requests(folder: Path, engine: str, limit: float) -> list[Figure]:
    arguments = ["--all", "--profile", "dev", "--engine", engine]
    ours = process(folder, f"load-{engine}", arguments, UNLIMITED)
    ours.spawn()
    rates, peer_rates = [], []
    latencies_ms: list[float] = []
    peer_latencies_ms: list[float] = []
    try:
        ours.wait_ready()
        with bare(engine) as (port, _, _):
            for _ in range(LOAD_RUNS):  # in turn, so that a drift of the machine's speed hits both
                rate, each_ms = load(ours.port)
                rates.append(rate)
                latencies_ms += each_ms
                rate, each_ms = load(port)
                peer_rates.append(rate)
                peer_latencies_ms += each_ms
    finally:
        ours.stop()
    ratio = statistics.median(rates) / statistics.median(peer_rates)
    return [
        Figure(
            name=f"small requests, one process, {engine}",
            unit="1/s",
            ours=tuple(rates),
            peer=tuple(peer_rates),
            peer_name=f"bare Starlette on {engine}",
            higher_is_better=True,
            limit=limit,
        ),
        Figure(name="  share of it", unit="×", ours=(ratio,), higher_is_better=True, limit=0.45),
        Figure(name="  latency of each", unit="ms", ours=tuple(latencies_ms), peer=tuple(peer_latencies_ms)),
    ]


def measure(folder: Path) -> list[Figure]:
    return [*_in_process(), *_requests(folder, "hypercorn", 0.0), *_requests(folder, "uvicorn", 4_500.0)]
