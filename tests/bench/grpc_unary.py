"""A gRPC unary call through all of the gateway, beside a bare grpc.aio server that answers the same message.

python -m tests.bench.grpc_unary serve PORT | load PORT CALLS CONCURRENT [TOKEN ID]

Two calls of ours, of one `--all` process: health (gRPC alone), and a content read by somebody signed in: token, policy,
routing, the database, JSON and protobuf. The bare peer, a process too, parses a request and serializes the same
content, and does nothing else: so the limit is on health, and the other ratio says what all the rest costs. Calls a
second and milliseconds a call with 16 under way from one client process, which shares the cores; and processor time of
the server a call, which what else the machine does hardly touches ("per s" of it is what one core could do).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
import uvloop
from grpc_health.v1 import health_pb2

from streamgate.testing.processes import free_port
from streamgate_api.proto import content_pb2
from tests.bench.figures import Figure, Row
from tests.bench.processes import person, processor_s, running

CALLS = 3_000
CONCURRENT = 16
ROUNDS = 3
GET = "/streamgate.v1.ContentService/Get"
CHECK = "/grpc.health.v1.Health/Check"


async def serve(port: int) -> None:
    content = content_pb2.Content(content_id="c_1", owner="u_1", title="A film", state="draft", created_at="2026-01-31")

    async def get(request: Any, context: Any) -> Any:
        return content

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        get,
        request_deserializer=content_pb2.GetContentRequest.FromString,
        response_serializer=content_pb2.Content.SerializeToString,
    )
    services = grpc.method_handlers_generic_handler("streamgate.v1.ContentService", {"Get": handler})
    server.add_generic_rpc_handlers((services,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def load(port: int, calls: int, concurrent: int, token: str, content_id: str) -> None:
    """Prints JSON: calls per second and each latency in milliseconds."""
    path = GET if content_id else CHECK
    message = content_pb2.GetContentRequest(content_id=content_id) if content_id else health_pb2.HealthCheckRequest()
    payload, metadata = message.SerializeToString(), (("authorization", f"Bearer {token}"),) if token else ()
    latencies_ms: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        untyped: Any = channel
        call = untyped.unary_unary(path)
        await channel.channel_ready()

        async def ask(count: int) -> None:
            for _ in range(count):
                began = time.perf_counter()
                await call(payload, metadata=metadata, timeout=30)
                latencies_ms.append((time.perf_counter() - began) * 1000)

        await ask(100)
        latencies_ms.clear()
        began = time.perf_counter()
        await asyncio.gather(*(ask(calls // concurrent) for _ in range(concurrent)))
        print(json.dumps({"per_s": len(latencies_ms) / (time.perf_counter() - began), "latencies_ms": latencies_ms}))


def _load(port: int, token: str, content_id: str) -> tuple[float, list[float]]:
    given = [str(port), str(CALLS), str(CONCURRENT), *([token, content_id] if content_id else [])]
    command = [sys.executable, "-m", "tests.bench.grpc_unary", "load", *given]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)
    return answer["per_s"], answer["latencies_ms"]


async def _signed_in(url: str) -> tuple[str, str]:
    """A token, and the id of a content of its owner's."""
    who = await person(url)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        made = await http.post("/api/v1/content", json={"title": "A film"}, headers=who.headers)
        return who.access_token, made.raise_for_status().json()["content_id"]


def measure(folder: Path) -> list[Row]:
    port, bare_port = free_port(), free_port()
    settings = {"STREAMGATE_API__GRPC_PORT": str(port), "STREAMGATE_LIMITS__ENABLED": "false"}
    rates: dict[str, list[float]] = {"get": [], "check": [], "bare": []}
    times_ms: dict[str, list[float]] = {"get": [], "check": [], "bare": []}
    work_us: dict[str, list[float]] = {"get": [], "check": [], "bare": []}
    bare = subprocess.Popen([sys.executable, "-m", "tests.bench.grpc_unary", "serve", str(bare_port)])
    try:
        with running(folder, "all", ["--all", "--profile", "dev"], settings) as ours:
            token, content_id = asyncio.run(_signed_in(ours.base_url))
            asked = {"bare": (bare_port, "", "c_1"), "check": (port, "", ""), "get": (port, token, content_id)}
            for _ in range(ROUNDS):  # by turns: what else the machine does meets all alike
                for name, given in asked.items():
                    pid = bare.pid if name == "bare" else ours.pid
                    before_s = processor_s(pid)
                    per_s, latencies_ms = _load(*given)
                    work_us[name].append((processor_s(pid) - before_s) / (len(latencies_ms) + 100) * 1e6)
                    rates[name].append(per_s)
                    times_ms[name] += latencies_ms
    finally:
        bare.terminate()
        bare.wait(10)
    rows: list[Row] = []
    for which, said, share, aim in (("check", "health", 0.7, 50_000), ("get", "a content, signed in", 0, 0)):

        def beside(name: str, unit: str, values: dict[str, list[float]], which: str = which, **asked: Any) -> Figure:
            ours, peer = tuple(values[which]), tuple(values["bare"])
            return Figure(name=name, unit=unit, ours=ours, peer=peer, peer_name="bare grpc.aio", **asked)

        rows += [
            beside(f"gRPC unary, {said}", "1/s", rates, higher_is_better=True, ratio_limit=share, aim=aim),
            beside("  latency of each", "ms", times_ms, per_s=statistics.median(rates[which])),
            beside("  processor time of each", "µs", work_us),
        ]
    return rows


if __name__ == "__main__":
    what, number, *more = sys.argv[1:]
    if what == "serve":
        uvloop.run(serve(int(number)))
    else:
        calls, concurrent, *who = more
        uvloop.run(load(int(number), int(calls), int(concurrent), *(who or ["", ""])))
