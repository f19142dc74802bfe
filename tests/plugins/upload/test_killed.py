"""A real server, its real sockets, and kill -9."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
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


async def tus(api: Api, method: str, path: str, *content: bytes, **headers: str) -> httpx.Headers:
    """What a tus request is answered with. `Upload_Offset` is Upload-Offset."""
    sent = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {api.token}"}
    sent |= {"Content-Type": "application/offset+octet-stream"} if method == "PATCH" else {}
    sent |= {name.replace("_", "-"): text for name, text in headers.items()}
    answer = await api.http.request(method, path, content=b"".join(content), headers=sent)
    assert answer.status_code < 300, answer.text
    return answer.headers


class TusUploads:
    """Some of known length, of one told late, partial ones, and one whose bytes are being sent with a checksum."""

    def __init__(self, api: Api, data: bytes) -> None:
        self._api = api
        self._data = data
        self._offset = CHUNK_BYTES + 1234
        self._paths: list[str] = []

    async def begin(self, port: int) -> asyncio.StreamWriter:
        length, partial = {"Upload_Length": str(len(self._data))}, {"Upload_Concat": "partial"}
        for headers in (length, {"Upload_Defer_Length": "1"}, length | partial, length | partial):
            made = await tus(self._api, "POST", "/api/v1/upload/tus", **headers)
            self._paths.append(urlsplit(made["location"]).path)
        *broken, whole = self._paths
        for path in broken:
            await tus(self._api, "PATCH", path, self._data[: self._offset], Upload_Offset="0")
        await tus(self._api, "PATCH", whole, self._data, Upload_Offset="0")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"PATCH {broken[0]} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {self._api.token}\r\n"
            "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Upload-Checksum: sha1 {'A' * 27}=\r\nUpload-Offset: {self._offset}\r\n"
            f"Content-Length: {len(self._data) - self._offset}\r\n\r\n"
        )
        writer.write(head.encode() + bytes(CHUNK_BYTES))
        await writer.drain()
        return writer

    async def finish(self) -> list[str]:
        """What was told is still so; the ids of the three that there are in the end."""
        known, late, partial, whole = self._paths
        for path in (known, late, partial):
            assert (await tus(self._api, "HEAD", path))["upload-offset"] == str(self._offset)
        rest, offset = self._data[self._offset :], {"Upload_Offset": str(self._offset)}
        await tus(self._api, "PATCH", known, rest, **offset)
        await tus(self._api, "PATCH", late, rest, **offset, Upload_Length=str(len(self._data)))
        await tus(self._api, "PATCH", partial, rest, **offset)
        made = await tus(self._api, "POST", "/api/v1/upload/tus", Upload_Concat=f"final;{whole} {partial}")
        return [path.rpartition("/")[2] for path in (known, late, made["location"])]


async def test_acknowledged_chunks_and_completed_uploads_survive_kill_9(server: StreamgateProcess) -> None:
    data = random.Random(9).randbytes(CHUNK_BYTES * 5 - 11)
    async with Api.connect(server.base_url) as api:
        await api.sign_in(Wallet.new("creator"))
        whole, begun = await begin(api, data), await begin(api, data)
        for index in (4, 0, 2):
            await send(api, begun, data, index)
        by_tus = TusUploads(api, data)
        writers = [
            await begin_chunk(api, server.port, begun["upload_id"], 3, data[:1000]),
            await by_tus.begin(server.port),
        ]
        await finish(api, whole, data)
        server.kill()
        for writer in writers:
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
        *single, joined = await by_tus.finish()
        for upload_id, expected in ((single[0], data), (single[1], data), (joined, data * 2)):
            done = await until_verified(api, {"upload_id": upload_id})
            assert (done["status"], done["sha256"]) == ("complete", hashlib.sha256(expected).hexdigest())
