"""Uploads into the blob store on disk, hashed and fsynced, beside the same bytes through a bare Starlette endpoint that
hashes them, writes them to a file and fsyncs it, and by tus beside the Node tus server, which does neither.

    python -m tests.bench.upload PORT how SIZE_BYTES CONCURRENT TOKEN

Two processes at a time: the server (`--all` on the default engine, without the transcoder: nobody transcodes) and the
client, which shares its cores and disk. MB (10^6 bytes) a second of all together, from the first byte to the last
acknowledgement: in one request (`single`), in chunks of 8 MiB with four under way for each upload (`chunked`), by tus
in one PATCH (`tus`), and with many uploads at once. Ours and the peer's by turns. Memory: the most that the server
held, all in all.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import uvloop

from streamgate.testing.server_process import ServerProcess
from tests.bench.figures import Figure, Row
from tests.bench.load import Connection, Reply, connected
from tests.bench.processes import UNLIMITED, bare, memory_mb, person, running

MB = 1_000_000
CHUNK_BYTES = 8 << 20
CHUNKS_AT_ONCE = 4
ROUNDS = 3
BARE, NODE = "bare Starlette, hashed, to a file", "the Node tus server"
NODE_FOLDER = Path(__file__).parent / "node"
BOUNDARY = "bench"
OPEN_AT_ONCE = 1_000


@attrs.frozen
class Case:
    """So many uploads at once, of so many bytes each."""

    name: str
    how: str
    size_bytes: int
    concurrent: int
    limit: float = 0.0
    ratio_limit: float = 0.0
    peer: str = BARE
    aim: float = 0.0


CASES = (
    Case("upload in one request", "single", 256 * MB, 1, 100, 0.85),
    Case("upload in chunks", "chunked", 256 * MB, 1, 100, 0.85, aim=500),
    Case("upload by tus", "tus", 256 * MB, 1, 100, 0.85),
    Case("upload by tus", "tus", 256 * MB, 1, 100, 2.0, NODE),
    Case("  20 in one request", "single", 2 * MB, 20),
    Case("  20 in chunks", "chunked", 2 * MB, 20),
    Case("  200 in chunks", "chunked", MB // 2, 200),
    Case("  200 by tus", "tus", MB // 2, 200, 0, 2.0, NODE),
)
MEMORY_MB = 400


@attrs.frozen
class Client:
    """One uploader."""

    port: int
    headers: dict[str, str]
    data: memoryview

    async def bare(self) -> None:
        async with connected(self.port) as connection:
            await connection.ask("POST", "/sink", self.data)

    async def node(self) -> None:
        await self._by_tus("/files")

    async def tus(self) -> None:
        await self._by_tus("/api/v1/upload/tus")

    async def _by_tus(self, path: str) -> None:
        headers = {**self.headers, "Tus-Resumable": "1.0.0"}
        async with connected(self.port) as connection:
            name = f"filename {base64.b64encode(b'clip.mp4').decode()}"
            wanted = {**headers, "Upload-Length": str(len(self.data)), "Upload-Metadata": name}
            made = await connection.ask("POST", path, headers=wanted)
            at = urlsplit(made.location).path
            sent = {**headers, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
            await connection.ask("PATCH", at, self.data, headers=sent)

    async def single(self) -> None:
        disposition = 'Content-Disposition: form-data; name="file"; filename="clip.mp4"\r\nContent-Type: video/mp4'
        body = b"".join(
            (f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode(), self.data, f"\r\n--{BOUNDARY}--\r\n".encode())
        )
        headers = {**self.headers, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        async with connected(self.port) as connection:
            await connection.ask("POST", "/api/v1/upload", body, headers=headers)

    async def chunked(self) -> None:
        async with connected(self.port) as connection:
            begun = (await self._say(connection, "init", {"filename": "clip.mp4", "size_bytes": len(self.data)})).json()
            waiting = list(range(begun["chunks"]))
            chunk_bytes, upload_id = begun["chunk_size_bytes"], begun["upload_id"]

            async def send() -> None:
                async with connected(self.port) as own:
                    while waiting:
                        index = waiting.pop()
                        part = self.data[index * chunk_bytes : (index + 1) * chunk_bytes]
                        target = f"/api/v1/upload/chunk?upload_id={upload_id}&index={index}"
                        headers = {**self.headers, "Content-Type": "application/octet-stream"}
                        await own.ask("POST", target, part, headers=headers)

            await asyncio.gather(*(send() for _ in range(min(CHUNKS_AT_ONCE, len(waiting)))))
            await self._say(connection, "complete", {"upload_id": upload_id})

    async def _say(self, connection: Connection, what: str, body: dict[str, object]) -> Reply:
        headers = {**self.headers, "Content-Type": "application/json"}
        return await connection.ask("POST", f"/api/v1/upload/{what}", json.dumps(body).encode(), headers=headers)


async def _send(port: int, how: str, size_bytes: int, concurrent: int, token: str) -> None:
    """Prints JSON: seconds for all."""
    headers = {"Authorization": f"Bearer {token}"}
    client = Client(port, headers, memoryview(bytes(range(256)) * (size_bytes // 256 + 1))[:size_bytes])
    send = getattr(client, how)
    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(concurrent)))
    print(json.dumps({"took_s": time.perf_counter() - began}))


def _sent(case: Case, port: int, how: str, token: str = "") -> float:
    """MB a second, from a process of its own."""
    given = [str(port), how, str(case.size_bytes), str(case.concurrent), token]
    command = [sys.executable, "-m", "tests.bench.upload", *given]
    answer = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout)
    return float(case.size_bytes * case.concurrent / MB / answer["took_s"])


def _measured(ours: Callable[[Case], float], peer: Callable[[Case], float]) -> list[Row]:
    rows: list[Row] = []
    for case in CASES:
        rates = [(ours(case), peer(case)) for _ in range(ROUNDS)]
        rows.append(
            Figure(
                name=f"{case.name}, {case.concurrent} × {case.size_bytes / MB:g} MB",
                unit="MB/s",
                ours=tuple(rate for rate, _ in rates),
                peer=tuple(rate for _, rate in rates),
                peer_name=case.peer,
                higher_is_better=True,
                limit=case.limit,
                ratio_limit=case.ratio_limit,
                aim=case.aim,
            )
        )
    return rows


class NodeTus(ServerProcess):
    """Installed beside this file, from its lock file."""

    kind = "tus"

    def command(self) -> Sequence[str]:
        return [str(shutil.which("node")), str(NODE_FOLDER / "tus.mjs"), str(self.port), str(self.directory)]


def measure(folder: Path) -> list[Row]:
    subprocess.run([sys.executable, "deploy/setup/npm.py", str(NODE_FOLDER / "package-lock.json")], check=True)
    sink = folder / "sink"
    sink.mkdir()
    environment = {
        "STREAMGATE_PLUGINS__DISABLED": "transcoder",
        "STREAMGATE_UPLOAD__MAX_OPEN_UPLOADS": str(OPEN_AT_ONCE),
        **UNLIMITED,
    }
    with ExitStack() as opened:
        server = opened.enter_context(running(folder, "all", ["--all", "--profile", "dev"], environment))
        peer, node = opened.enter_context(bare(folder=sink)), opened.enter_context(NodeTus())
        token = asyncio.run(person(server.base_url)).access_token

        def ours(case: Case) -> float:
            return _sent(case, server.port, case.how, token)

        def beside(case: Case) -> float:
            place = sink if case.peer == BARE else node.directory
            try:
                return _sent(case, *((peer.port, "bare") if case.peer == BARE else (node.port, "node")))
            finally:
                for file in place.iterdir():
                    if file.name != "server.log":
                        file.unlink()

        rows = _measured(ours, beside)
        most_mb = memory_mb(server.pid, "VmHWM")
    name = "  memory, at most"
    return [*rows, Figure(name=name, unit="MB", ours=(most_mb,), limit=MEMORY_MB)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("how", choices=("bare", "node", "tus", "single", "chunked"))
    parser.add_argument("size_bytes", type=int)
    parser.add_argument("concurrent", type=int)
    parser.add_argument("token")
    given = parser.parse_args()
    uvloop.run(_send(given.port, given.how, given.size_bytes, given.concurrent, given.token))
