"""A small HTTP client and load: keep-alive connections, one request at a time on each.

    python -m tests.bench.load PORT PATH --connections 16 --requests 8000

Prints JSON: requests per second and each latency in milliseconds. Its own process, so that it does not share
the server's interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import uvloop

PART_BYTES = 256 * 1024
WARM_UP = 200


class Refused(Exception):
    """An answer that was not asked for."""


@attrs.frozen
class Reply:
    status: int
    body: bytes
    location: str

    def json(self) -> Any:
        return json.loads(self.body)


@attrs.frozen
class Connection:
    """One keep-alive connection to a server on this machine; its answers have a Content-Length."""

    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(
        self, method: str, target: str, body: bytes | memoryview = b"", *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Raises Refused for an answer that is not 2xx."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if method not in ("GET", "DELETE"):
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join((*lines, "", "")).encode())
        for begin in range(0, len(body), PART_BYTES):
            self.writer.write(body[begin : begin + PART_BYTES])
            await self.writer.drain()
        raw = await self.reader.readuntil(b"\r\n\r\n")
        head = raw.lower()
        status = int(head[9:12])
        _, found, after = head.partition(b"content-length:")
        answer = await self.reader.readexactly(int(after.split(b"\r\n", 1)[0])) if found else b""
        if b"transfer-encoding: chunked" in head:
            await self.reader.readuntil(b"0\r\n\r\n")  # of the peers that answer so nobody reads the body
        if not 200 <= status < 300:
            raise Refused(f"{method} {target}: {status} {answer[:500].decode(errors='replace')}")
        before, found, _ = head.partition(b"\r\nlocation:")
        location = raw[len(before) + len(found) :].split(b"\r\n", 1)[0].decode().strip() if found else ""
        return Reply(status, answer, location)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=8 << 20)
    try:
        yield Connection(port, reader, writer)
    finally:
        writer.close()


async def timed(call: Callable[[], Awaitable[object]], count: int) -> tuple[float, ...]:
    """Milliseconds of each call, one after another."""
    took_ms = []
    for _ in range(count):
        began_s = time.perf_counter()
        await call()
        took_ms.append((time.perf_counter() - began_s) * 1000)
    return tuple(took_ms)


async def timed_by_turns(
    ours: Callable[[], Awaitable[object]], peer: Callable[[], Awaitable[object]], count: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Milliseconds of each call of both, so that a drift of the machine's speed hits both."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for call, took_ms in zip((ours, peer), found, strict=True):
            took_ms += await timed(call, 1)
    return tuple(found[0]), tuple(found[1])


@attrs.frozen
class Loaded:
    """What one run of this program found."""

    per_s: float
    latencies_ms: tuple[float, ...]


def command(port: int, path: str, *, connections: int = 16, requests: int = 8_000) -> list[str]:
    numbers = ["--connections", str(connections), "--requests", str(requests)]
    return [sys.executable, "-m", "tests.bench.load", str(port), path, *numbers]


def load(port: int, path: str, *, connections: int = 16, requests: int = 8_000) -> Loaded:
    """In a process of its own."""
    asked = command(port, path, connections=connections, requests=requests)
    return read(subprocess.run(asked, capture_output=True, text=True, check=True, timeout=120).stdout)


def read(printed: str) -> Loaded:
    answer = json.loads(printed)
    return Loaded(answer["per_s"], tuple(answer["latencies_ms"]))


async def _main(port: int, path: str, connections: int, requests: int) -> None:
    latencies_ms: list[float] = []
    each = requests // connections

    async def one(connection: Connection) -> None:
        latencies_ms.extend(await timed(lambda: connection.ask("GET", path), each))

    async with connected(port) as connection:
        await timed(lambda: connection.ask("GET", path), min(WARM_UP, requests))
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_with_connection(port, one))
    took_s = time.perf_counter() - began
    print(json.dumps({"per_s": each * connections / took_s, "latencies_ms": latencies_ms}))


async def _with_connection(port: int, work: Callable[[Connection], Awaitable[None]]) -> None:
    async with connected(port) as connection:
        await work(connection)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=8000)
    given = parser.parse_args()
    uvloop.run(_main(given.port, given.path, given.connections, given.requests))
