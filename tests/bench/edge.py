"""What stands between a socket and a handler.

- Microseconds a request in process, without a server: the whole stack for somebody signed in (edge, policy, counting,
  telemetry, access log) beside a bare Starlette route, in batches of 50 calls one after another. Nothing waits there,
  so it is the thread's processor time, which what else the machine does hardly touches.
- Requests a second of one `--all` process on either server, and of two such processes at once (each with data of its
  own, on uvicorn): 16 keep-alive connections a process from a load generator of its own, which shares the cores. What
  is asked, the public keys, is small, public, and goes through every layer. Peer: bare Starlette on the same server in
  as many processes, by turns. Beside it the servers' processor time a request; its "per s" is what one core could do.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
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
from tests.bench.figures import Figure, Row
from tests.bench.load import command, read
from tests.bench.processes import OFTEN, UNLIMITED, bare, processor_s, running

BATCHES = 200
BATCH = 50
LOAD_RUNS = 7
REQUESTS = 6_000
PATH = "/.well-known/jwks.json"
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
        began = time.thread_time()
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
        samples.append((time.thread_time() - began) / BATCH * 1e6)
        log.flush()
    return tuple(samples)


def _in_process() -> list[Row]:
    log = AccessLog(lambda lines: None)
    ours = asyncio.run(_time(_stack(log), log))
    peer = asyncio.run(_time(Starlette(routes=[BareRoute("/x", _bare)]), log))
    added = tuple(each - statistics.median(peer) for each in ours)
    return [
        Figure(name="a request through the whole stack", unit="µs", ours=ours, peer=peer, peer_name="bare Starlette"),
        Figure(name="  added to bare Starlette", unit="µs", ours=added, limit=150),
    ]


@attrs.frozen
class _Run:
    """What processes did at once, a load generator each: requests a second of all together, and processor time of the
    servers a request."""

    per_s: float
    latencies_ms: tuple[float, ...]
    work_us: float


def _run(ports: Sequence[int], pids: Sequence[int]) -> _Run:
    before_s = processor_s(*pids)
    children = [
        subprocess.Popen(command(port, PATH, requests=REQUESTS), stdout=subprocess.PIPE, text=True) for port in ports
    ]
    found = [read(child.communicate(timeout=120)[0]) for child in children]
    work_us = (processor_s(*pids) - before_s) / (REQUESTS * len(ports)) * 1e6
    latencies_ms = tuple(ms for each in found for ms in each.latencies_ms)
    return _Run(sum(each.per_s for each in found), latencies_ms, work_us)


def _requests(folder: Path, engine: str, processes: int, *, limit: float = 0, aim: float = 0) -> list[Row]:
    arguments = ["--all", "--profile", "dev", "--engine", engine]
    share = 0.45 if processes == 1 else 0  # what more processes share is the machine's matter
    names = [f"{engine}-{processes}-{n}" for n in range(processes)]
    with ExitStack() as stack:
        ours = [stack.enter_context(running(folder, name, arguments, UNLIMITED)) for name in names]
        peers = [stack.enter_context(bare(engine)) for _ in range(processes)]
        both = ([(each.port, each.pid) for each in ours], [(each.port, each.pid) for each in peers])
        runs: tuple[list[_Run], list[_Run]] = ([], [])
        for _ in range(LOAD_RUNS):
            for servers, found in zip(both, runs, strict=True):
                found.append(_run([port for port, _ in servers], [pid for _, pid in servers]))
    where = f"{processes} process{'es' if processes > 1 else ''}, {engine}"

    def beside(name: str, unit: str, of: Callable[[_Run], tuple[float, ...]], **asked: Any) -> Figure:
        mine, theirs = (tuple(value for run in found for value in of(run)) for found in runs)
        return Figure(name=name, unit=unit, ours=mine, peer=theirs, peer_name="bare Starlette", **asked)

    def rate(run: _Run) -> tuple[float, ...]:
        return (run.per_s,)

    per_s = statistics.median(run.per_s for run in runs[0])
    return [
        beside(f"small requests, {where}", "1/s", rate, higher_is_better=True, ratio_limit=share, limit=limit, aim=aim),
        beside("  latency of each", "ms", lambda run: run.latencies_ms, per_s=per_s),
        beside("  processor time of each", "µs", lambda run: (run.work_us,)),
    ]


def measure(folder: Path) -> list[Row]:
    return [
        *_in_process(),
        *_requests(folder, "hypercorn", 1),
        *_requests(folder, "uvicorn", 1, limit=4_500),
        *_requests(folder, "uvicorn", 2, aim=10_000),
    ]
