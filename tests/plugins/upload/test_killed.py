"""A real server, its real sockets, and kill -9."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator
from typing import Any

import pytest

from streamgate.testing.processes import StreamgateProcess, free_port
from tests.e2e.client import Api
from tests.e2e.wallet import Wallet

CHUNK_BYTES = 256 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgateProcess]:
    folder = tmp_path_factory.mktemp("server")
    process = StreamgateProcess(
        name="all",
        arguments=["--all", "--profile", "dev"],
        environment={
            "STREAMGATE_DATA_DIR": str(folder / "data"),
            "STREAMGATE_UPLOAD__CHUNK_SIZE_BYTES": str(CHUNK_BYTES),
            "STREAMGATE_PLUGINS__DISABLED": "cache,monitor,streaming,transcoder,web,worker",
        },
        port=free_port(),
        log_path=folder / "all.log",
        cwd=folder,
    )
    process.spawn()
    process.wait_ready()
    yield process
    process.stop()


async def begin_chunk(api: Api, port: int, upload_id: str, index: int, half: bytes) -> asyncio.StreamWriter:
    """Sends the head and some bytes of a chunk, and no more; gives the connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /api/v1/upload/chunk?upload_id={upload_id}&index={index} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Length: {CHUNK_BYTES}\r\n\r\n"
    )
    writer.write(head.encode() + half)
    await writer.drain()
    return writer


async def begin(api: Api, data: bytes) -> dict[str, Any]:
    body = {"filename": "clip.mp4", "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    begun: dict[str, Any] = await api.call("POST", "/api/v1/upload/init", json=body, patience_s=5)
    return begun


async def send(api: Api, begun: dict[str, Any], data: bytes, index: int) -> dict[str, Any]:
    acknowledged: dict[str, Any] = await api.call(
        "POST",
        "/api/v1/upload/chunk",
        params={"upload_id": begun["upload_id"], "index": index},
        content=data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES],
        patience_s=10,
    )
    return acknowledged


async def finish(api: Api, begun: dict[str, Any], data: bytes) -> None:
    asked = {"upload_id": begun["upload_id"]}
    status = await api.call("GET", "/api/v1/upload/status", params=asked, patience_s=10)
    for index in status["missing_chunks"]:
        await send(api, begun, data, index)
    await api.call("POST", "/api/v1/upload/complete", json=asked)


async def until_verified(api: Api, begun: dict[str, Any]) -> dict[str, Any]:
    while True:
        asked = {"upload_id": begun["upload_id"]}
        found: dict[str, Any] = await api.call("GET", "/api/v1/upload/status", params=asked)
        if found["status"] != "verifying":
            return found
        await asyncio.sleep(0.02)


async def test_connections_that_break_or_fall_silent_do_not_keep_their_chunk(server: StreamgateProcess) -> None:
    data = random.Random(10).randbytes(CHUNK_BYTES * 2)
    async with Api.connect(server.base_url) as api:
        await api.sign_in(Wallet.new("creator"))
        begun = await begin(api, data)
        broken = await begin_chunk(api, server.port, begun["upload_id"], 0, bytes(100_000))
        broken.close()
        await send(api, begun, data, 0)
        silent = await begin_chunk(api, server.port, begun["upload_id"], 1, bytes(100_000))
        # Its client is alive and says nothing: who brings the chunk gets it after two seconds, not thirty.
        async with asyncio.timeout(10):
            await send(api, begun, data, 1)
        await finish(api, begun, data)
        done = await until_verified(api, begun)
        silent.close()
    assert (done["status"], done["sha256"]) == ("complete", hashlib.sha256(data).hexdigest())


async def test_acknowledged_chunks_and_completed_uploads_survive_kill_9(server: StreamgateProcess) -> None:
    data = random.Random(9).randbytes(CHUNK_BYTES * 5 - 11)
    async with Api.connect(server.base_url) as api:
        await api.sign_in(Wallet.new("creator"))
        whole, begun = await begin(api, data), await begin(api, data)
        for index in (4, 0, 2):
            await send(api, begun, data, index)
        writer = await begin_chunk(api, server.port, begun["upload_id"], 3, data[:1000])
        await finish(api, whole, data)
        server.kill()
        writer.close()
        server.spawn()
        await asyncio.to_thread(server.wait_ready)
        asked = {"upload_id": begun["upload_id"]}
        status = await api.call("GET", "/api/v1/upload/status", params=asked, patience_s=10)
        assert status["missing_chunks"] == [1, 3]
        await finish(api, begun, data)
        for upload in (whole, begun):
            done = await until_verified(api, upload)
            assert (done["status"], done["sha256"]) == ("complete", hashlib.sha256(data).hexdigest())
