"""A small HTTP load: N keep-alive connections, one request at a time on each, latencies kept.

    python -m tests.bench.load HOST PORT PATH --connections 16 --requests 8000

Prints JSON: requests per second and each latency in milliseconds. Its own process, so that it does not share
the server's interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import uvloop


async def _connection(host: str, port: int, request: bytes, count: int, latencies_ms: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for _ in range(count):
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode(errors="replace"))
        lower = head.lower()
        length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        latencies_ms.append((time.perf_counter() - began) * 1000)
    writer.close()


async def _main(host: str, port: int, path: str, connections: int, requests: int) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    warm: list[float] = []
    await _connection(host, port, request, 200, warm)
    latencies_ms: list[float] = []
    began = time.perf_counter()
    each = requests // connections
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_connection(host, port, request, each, latencies_ms))
    took_s = time.perf_counter() - began
    print(json.dumps({"per_s": each * connections / took_s, "latencies_ms": latencies_ms}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=8000)
    given = parser.parse_args()
    uvloop.run(_main(given.host, given.port, given.path, given.connections, given.requests))
