"""A gRPC unary call through all of the gateway, beside a bare grpc.aio server that answers the same message.

python -m tests.bench.grpc_unary serve PORT | load PORT CALLS CONCURRENT [TOKEN ID]

Two calls of ours: health (gRPC alone), and a content read by somebody signed in: token, policy, routing, the
database, JSON and protobuf. The bare peer parses a request and serializes the same content, and does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
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
from streamgate.testing.wallets import Wallet, sign_in
from streamgate_api.proto import content_pb2
from tests.bench.figures import Figure
from tests.bench.processes import process

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


def _processor_s(pid: int) -> float:
    """Of all its threads since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _signed_in(url: str) -> tuple[str, str]:
    """A token, and the id of a content of its owner's."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        who = await sign_in(http, Wallet.named("bench"))
        made = await http.post("/api/v1/content", json={"title": "A film"}, headers=who.headers)
        return who.access_token, made.raise_for_status().json()["content_id"]


def measure(folder: Path) -> list[Figure]:
    port, bare_port = free_port(), free_port()
    settings = {"STREAMGATE_API__GRPC_PORT": str(port), "STREAMGATE_LIMITS__ENABLED": "false"}
    ours = process(folder, "all", ["--all", "--profile", "dev"], settings)
    bare = subprocess.Popen([sys.executable, "-m", "tests.bench.grpc_unary", "serve", str(bare_port)])
    rates: dict[str, list[float]] = {"get": [], "check": [], "bare": []}
    times_ms: dict[str, list[float]] = {"get": [], "check": [], "bare": []}
    work_us: dict[str, list[float]] = {"get": [], "check": [], "bare": []}
    try:
        ours.spawn()
        ours.wait_ready()
        token, content_id = asyncio.run(_signed_in(ours.base_url))
        for _ in range(ROUNDS):  # by turns: what else the machine does meets all alike
            asked = {"bare": (bare_port, "", "c_1"), "check": (port, "", ""), "get": (port, token, content_id)}
            for name, given in asked.items():
                pid = bare.pid if name == "bare" else ours.pid
                before_s = _processor_s(pid)
                per_s, latencies_ms = _load(*given)
                work_us[name].append((_processor_s(pid) - before_s) / (len(latencies_ms) + 100) * 1e6)
                rates[name].append(per_s)
                times_ms[name] += latencies_ms
    finally:
        ours.stop()
        bare.terminate()
        bare.wait(10)

    def beside(name: str, unit: str, values: dict[str, list[float]], which: str, *, higher: bool) -> Figure:
        return Figure(
            name=name,
            unit=unit,
            ours=tuple(values[which]),
            peer=tuple(values["bare"]),
            peer_name=f"bare grpc.aio; {CONCURRENT} at once, one client process",
            higher_is_better=higher,
        )

    return [
        beside("gRPC unary, health", "1/s", rates, "check", higher=True),
        beside("gRPC unary, a content, signed in", "1/s", rates, "get", higher=True),
        beside("gRPC unary, a content, signed in", "ms", times_ms, "get", higher=False),
        beside("gRPC unary, health, processor time", "µs", work_us, "check", higher=False),
        beside("gRPC unary, a content, processor time", "µs", work_us, "get", higher=False),
    ]


if __name__ == "__main__":
    what, number, *more = sys.argv[1:]
    if what == "serve":
        uvloop.run(serve(int(number)))
    else:
        calls, concurrent, *who = more
        uvloop.run(load(int(number), int(calls), int(concurrent), *(who or ["", ""])))
