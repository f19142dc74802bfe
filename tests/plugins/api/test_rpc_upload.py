"""Bytes on a client stream: a file in one stream, chunks, and what is refused on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from streamgate.context import Actor
from streamgate.testing.house import house
from streamgate.testing.wait import eventually
from streamgate_api.rpc.server import Address, RpcServer
from tests.plugins.api.rpc_client import Client, believing, messages, refusal

ALICE = Actor(kind="user", user_id="u_alice", roles=("viewer", "creator"))
BOB = Actor(kind="user", user_id="u_bob", roles=("viewer", "creator"))
EVE = Actor(kind="user", user_id="u_eve", roles=("viewer",))
M = messages("Upload")
Code = grpc.StatusCode
FILE = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
async def nobody(tmp_path: Path) -> AsyncIterator[Client]:
    async with house(tmp_path, ["metadata", "auth", "worker", "upload", "api"]) as home:
        address = Address(host="127.0.0.1", port=0, is_derived=False)
        server = RpcServer(lambda: believing(home.app), address, asyncio.Event())
        await server.start()
        async with Client.connect(server.port) as client:
            yield client
        await server.stop()


@pytest.fixture
def alice(nobody: Client) -> Client:
    return nobody.acting_as(ALICE)


def parts(data: bytes = FILE, size: int = 100_000, **header: Any) -> Iterator[Any]:
    yield M.UploadRequest(header=M.UploadHeader(**{"filename": "film.mp4", **header}))
    for at in range(0, len(data), size):
        yield M.UploadRequest(data=data[at : at + size])


def chunk(upload_id: str, index: int, data: bytes, **header: Any) -> Iterator[Any]:
    yield M.ChunkRequest(header=M.ChunkHeader(upload_id=upload_id, index=index, **header))
    for at in range(0, len(data), 100_000):
        yield M.ChunkRequest(data=data[at : at + 100_000])


async def test_a_file_in_one_stream(alice: Client) -> None:
    name = 'an "odd"\r\nname é.mp4'
    done = await alice.call("Upload", "Upload", parts(filename=name, title="A film"))
    assert (done.size_bytes, done.content_id[:2]) == (len(FILE), "c_")

    async def verified() -> Any:
        status = await alice.call("Upload", "Status", M.UploadStatusRequest(upload_id=done.upload_id))
        return status if status.sha256 else None

    status = await eventually(verified, what="the digest")
    assert status.sha256 == hashlib.sha256(FILE).hexdigest()
    content = messages("Content").GetContentRequest(content_id=done.content_id)
    assert (await alice.call("Content", "Get", content)).title == "A film"
    page = await alice.call("Upload", "List", M.ListUploadsRequest(limit=10))
    assert [item.upload_id for item in page.items] == [done.upload_id]


async def test_a_file_in_chunks_that_may_be_sent_again(alice: Client, nobody: Client) -> None:
    begun = await alice.call("Upload", "Init", M.InitUploadRequest(filename="film.mp4", size_bytes=len(FILE)))
    size = begun.chunk_size_bytes
    pieces = [FILE[at : at + size] for at in range(0, len(FILE), size)]
    assert begun.chunks == len(pieces)
    complete = M.CompleteUploadRequest(upload_id=begun.upload_id)
    told = await refusal(alice.call("Upload", "Complete", complete))
    assert (told.code, told.reason) == (Code.FAILED_PRECONDITION, "upload.chunks_missing")
    told = await refusal(alice.call("Upload", "Chunk", chunk(begun.upload_id, 0, pieces[0], sha256=bytes(32))))
    assert (told.code, told.reason) == (Code.INVALID_ARGUMENT, "upload.digest_mismatch")
    for _ in range(2):
        for index, piece in enumerate(pieces):
            sent = chunk(begun.upload_id, index, piece, sha256=hashlib.sha256(piece).digest())
            assert (await alice.call("Upload", "Chunk", sent)).size_bytes == len(piece)
    told = await refusal(alice.call("Upload", "Chunk", chunk(begun.upload_id, 0, b"z" * len(pieces[0]))))
    assert (told.code, told.reason) == (Code.ALREADY_EXISTS, "upload.chunk_differs")
    told = await refusal(
        nobody.acting_as(BOB).call("Upload", "Status", M.UploadStatusRequest(upload_id=begun.upload_id))
    )
    assert (told.code, told.reason) == (Code.NOT_FOUND, "upload.not_found")
    assert (await alice.call("Upload", "Complete", complete)).upload_id == begun.upload_id


async def test_an_upload_is_aborted(alice: Client) -> None:
    begun = await alice.call("Upload", "Init", M.InitUploadRequest(filename="film.mp4", size_bytes=10))
    await alice.call("Upload", "Abort", M.AbortUploadRequest(upload_id=begun.upload_id))
    status = await alice.call("Upload", "Status", M.UploadStatusRequest(upload_id=begun.upload_id))
    assert status.status == "aborted"


async def test_who_may_not_upload_is_told_before_the_bytes_are_read(nobody: Client) -> None:
    for client, code in ((nobody, Code.UNAUTHENTICATED), (nobody.acting_as(EVE), Code.PERMISSION_DENIED)):
        assert (await refusal(client.call("Upload", "Upload", parts()))).code is code
        assert (await refusal(client.call("Upload", "Upload", iter([])))).code is code


@pytest.mark.parametrize(
    ("stream", "field"),
    [
        ([], "header"),
        ([M.UploadRequest(data=b"x")], "header"),
        ([M.UploadRequest()], "header"),
        ([*parts(b"x"), *parts(b"x")], "data"),
    ],
    ids=["nothing", "data first", "an empty message", "two headers"],
)
async def test_a_stream_that_is_none(alice: Client, stream: list[Any], field: str) -> None:
    told = await refusal(alice.call("Upload", "Upload", iter(stream)))
    assert (told.code, list(told.fields)) == (Code.INVALID_ARGUMENT, [field])
    assert not (await alice.call("Upload", "List", M.ListUploadsRequest())).items or field == "data"


async def test_a_sender_who_leaves_leaves_nothing_open(alice: Client) -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[Any]:
        for part in parts():
            yield part
        stopped.set()
        await asyncio.Event().wait()

    call = alice.method("Upload", "Upload")(endless(), metadata=alice.metadata)
    await stopped.wait()
    call.cancel()

    async def closed() -> bool | None:
        items = (await alice.call("Upload", "List", M.ListUploadsRequest())).items
        return all(item.status not in ("receiving", "complete") for item in items) or None

    await eventually(closed, what="the upload to be given up")
