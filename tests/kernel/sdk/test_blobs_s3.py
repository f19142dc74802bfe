"""Blobs in a real S3 server: the common suite, and what only S3 can show."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.errors import Unavailable
from streamgate.lifecycle import StartFailed
from streamgate.sdk.blobs import BlobExists, BlobIncomplete, BlobStore, StoreFault, open_blobs
from streamgate.sdk.blobs.s3 import S3Store
from streamgate.sdk.blobs.s3_bucket import Bucket, parse_place
from streamgate.sdk.blobs.s3_parts import PART_BYTES, collect_orphans
from streamgate.settings import BlobSettings, KernelSettings, Secret
from streamgate.testing.blob_suite import BlobStoreSuite, broken, pattern, pieces
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.s3_server import S3Bucket, S3Server


def made(settings: BlobSettings, bus: MemoryBus | None = None) -> S3Store:
    store = open_blobs(plugin_context("a", data_dir=None, bus=bus, settings=KernelSettings(blobs=settings)))  # type: ignore[arg-type]
    assert isinstance(store, S3Store)
    return store


@pytest.fixture
async def s3(s3_bucket: S3Bucket) -> AsyncIterator[S3Store]:
    store = made(s3_bucket.settings(prefix="media"))
    async with running(bus_unit(MemoryBus()), *store.units("test")):
        yield store


class TestS3Store(BlobStoreSuite):
    @pytest.fixture
    async def store(self, s3: S3Store) -> BlobStore:
        return s3


async def unfinished(store: S3Store) -> list[str]:
    bucket = store._bucket
    found = await bucket.client.list_multipart_uploads(Bucket=bucket.place.bucket)
    return [upload["Key"] for upload in found.get("Uploads", ())]


async def test_a_large_object_goes_in_parts_while_it_arrives(s3: S3Store) -> None:
    whole = pattern(2 * PART_BYTES + 12_345)
    begun: list[list[str]] = []

    async def arriving() -> AsyncIterator[bytes]:
        yield whole[: 2 * PART_BYTES]
        begun.append(await unfinished(s3))
        yield whole[2 * PART_BYTES :]

    info = await s3.put("big", arriving())
    assert begun == [["media/big"]]
    assert (info.size_bytes, info.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert await s3.read("big") == whole
    assert await s3.read("big", PART_BYTES - 5, 10) == whole[PART_BYTES - 5 : PART_BYTES + 5]
    assert await s3.put("big", pieces(whole)) == info
    with pytest.raises(BlobExists):
        await s3.put("big", pieces(whole[:-1], b"?"))
    assert await s3.read("big") == whole
    assert await unfinished(s3) == []


async def test_whoever_finishes_an_object_that_was_just_finished_by_another_has_it_too(
    s3: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replicas at once, or the client's own second try where the first answer was lost."""
    token = await s3.begin_multipart("twice")
    await s3.write_part("twice", token, 1, 0, pieces(b"whole"))
    complete = s3._complete

    async def another_was_quicker(*asked: Any) -> None:
        await complete(*asked)
        raise BlobExists("the bucket has it")

    monkeypatch.setattr(s3, "_complete", another_was_quicker)
    assert (await s3.finish_multipart("twice", token, 5)).size_bytes == 5
    monkeypatch.undo()
    other = await s3.begin_multipart("twice")
    await s3.write_part("twice", other, 1, 0, pieces(b"other"))
    with pytest.raises(BlobExists):
        await s3.finish_multipart("twice", other, 5)
    await s3.abort_multipart("twice", other)
    assert await s3.read("twice") == b"whole"


async def test_an_object_that_breaks_off_leaves_no_parts(s3: S3Store) -> None:
    with pytest.raises(ConnectionResetError):
        await s3.put("half", broken(pattern(2 * PART_BYTES)))
    assert await unfinished(s3) == []
    assert not await s3.exists("half")


async def test_what_a_killed_process_began_is_collected_when_it_is_old(s3: S3Store) -> None:
    began_s = time.time()
    token = await s3.begin_multipart("left/behind")
    await s3.write_part("left/behind", token, 1, 0, pieces(b"x"))
    assert await collect_orphans(s3._bucket, began_s - 60) == 0
    assert await unfinished(s3) == ["media/left/behind"]
    assert await collect_orphans(s3._bucket, time.time() + 60) == 1
    assert await unfinished(s3) == []
    with pytest.raises(BlobIncomplete):
        await s3.finish_multipart("left/behind", token, 1)


async def test_many_slow_senders_cost_files_and_not_memory(s3: S3Store) -> None:
    """Twenty at once, each with most of a part waiting, where there is room for one part in memory."""
    s3._room._left_bytes = PART_BYTES
    everyone = asyncio.Barrier(20)
    data = [pattern(3 * 1024 * 1024, seed) for seed in range(20)]

    async def slowly(number: int) -> AsyncIterator[bytes]:
        for at in range(0, len(data[number]), 64 * 1024):
            yield data[number][at : at + 64 * 1024]
        await everyone.wait()
        assert s3._room.left_bytes >= 0

    stored = await asyncio.gather(*(s3.put(f"many/{number}", slowly(number)) for number in range(20)))
    assert [info.sha256 for info in stored] == [hashlib.sha256(each).hexdigest() for each in data]
    assert s3._room.left_bytes == PART_BYTES
    assert await s3.read("many/7") == data[7]


async def test_signed_addresses_open_one_object_for_one_use(s3: S3Store) -> None:
    await s3.put_bytes("shown", b"bytes")
    async with httpx.AsyncClient() as http:
        url = await s3.signed_url("shown", method="GET", expires_s=60)
        assert url is not None
        assert (await http.get(url)).content == b"bytes"
        assert (await http.get(url, headers={"Range": "bytes=1-2"})).content == b"yt"
        assert (await http.get(url.replace("shown", "other"))).status_code == 403
        assert (await http.put(url, content=b"other")).status_code == 403
        assert (await http.get(url.partition("?")[0])).status_code == 403
        wanted = await s3.signed_url("new", method="PUT", expires_s=60)
        assert wanted is not None
        assert (await http.put(wanted, content=b"sent")).status_code == 200
    assert await s3.read("new") == b"sent"


async def test_objects_outside_the_prefix_are_not_seen(s3: S3Store, s3_bucket: S3Bucket) -> None:
    other = made(s3_bucket.settings(prefix="media-2"))
    async with running(bus_unit(MemoryBus()), *other.units("other")):
        await other.put_bytes("k", b"theirs")
        await s3.put_bytes("k", b"ours")
        assert await other.read("k") == b"theirs"
        assert [found.key async for found in s3.list()] == ["k"]


# --- when it is not well ----------------------------------------------------------------------------------


async def test_a_store_that_is_down_is_503_and_well_again_when_it_is_back(own_s3_server: S3Server) -> None:
    bucket = S3Bucket(name=own_s3_server.create_bucket(), server=own_s3_server)
    store = made(bucket.settings())
    async with running(bus_unit(MemoryBus()), *store.units("test")):
        await store.put_bytes("k", b"kept")
        await store.check().probe()
        await asyncio.to_thread(own_s3_server.kill)
        uses = (store.read("k"), store.put_bytes("n", b"x"), store.stat("k"), store.begin_multipart("m"))
        for answer in await asyncio.gather(*uses, store.check().probe(), return_exceptions=True):
            assert isinstance(answer, Unavailable)
            assert (answer.code, answer.retryable) == ("blobs.unavailable", True)
        await asyncio.to_thread(own_s3_server.restart)
        assert await read_once_well(store, "k") == b"kept"


async def read_once_well(store: S3Store, key: str) -> bytes:
    """The server answers before it has found all its volumes again."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store.read(key)
            except Unavailable:
                await asyncio.sleep(0.05)


async def test_a_start_waits_for_a_store_that_is_still_coming_up(own_s3_server: S3Server) -> None:
    bucket = S3Bucket(name=own_s3_server.create_bucket(), server=own_s3_server)
    await asyncio.to_thread(own_s3_server.kill)
    store = made(bucket.settings())
    starting = asyncio.create_task(store.open())
    await asyncio.to_thread(own_s3_server.restart)
    await starting
    await store.put_bytes("k", b"kept")
    await store.close()


@pytest.mark.parametrize("is_reachable", [True, False], ids=["fails", "silent"])
async def test_a_start_does_not_wait_for_ever(s3_bucket: S3Bucket, is_reachable: bool) -> None:
    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(fail, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if not is_reachable:
        server.close()
    place = attrs.evolve(parse_place(urlsplit(s3_bucket.settings().url)), endpoint=address)
    store = S3Store(Bucket(place, access_key="a", secret_key="b"), start_timeout_s=0.2)
    with pytest.raises(StoreFault, match=r"was not ready within 0\.2 s"):
        await store.open()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"access_key": Secret("nobody")}, "access key|credentials"),
        ({"secret_key": Secret("wrong")}, "secret key|credentials"),
        ({"url": "s3://nowhere"}, "create it"),
    ],
    ids=["access key", "secret key", "bucket"],
)
async def test_what_cannot_be_used_is_a_start_fault(s3_bucket: S3Bucket, wrong: dict[str, object], told: str) -> None:
    right = s3_bucket.settings()
    if "url" in wrong:
        wrong = {"url": right.url.replace(f"s3://{s3_bucket.name}", str(wrong["url"]))}
    store = made(attrs.evolve(right, **wrong))  # type: ignore[arg-type]
    with pytest.raises(StartFailed, match=told):
        async with running(bus_unit(MemoryBus()), *store.units("test")):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://UPPER",
        "s3://bucket/path",
        "s3://bucket?colour=red",
        "s3://bucket?endpoint=ftp://x",
        "s3://bucket?prefix=../x",
    ],
)
def test_urls_that_are_no_bucket_are_faults(url: str) -> None:
    with pytest.raises(StoreFault, match=r"blobs\.url"):
        parse_place(urlsplit(url))


def test_half_of_the_credentials_is_a_fault() -> None:
    with pytest.raises(StoreFault, match="both"):
        made(BlobSettings(url="s3://bucket", access_key=Secret("k")))


def test_a_place_says_where_it_is() -> None:
    place = parse_place(urlsplit("s3://bucket?endpoint=http://127.0.0.1:8333&region=eu-west-1&prefix=a/b/"))
    assert (place.bucket, place.endpoint, place.region, place.prefix) == (
        "bucket",
        "http://127.0.0.1:8333",
        "eu-west-1",
        "a/b/",
    )
    assert str(place) == "s3://bucket/a/b/ at http://127.0.0.1:8333"
    assert isinstance(Bucket(place, access_key="", secret_key=""), Bucket)


# --- processes of a split must mean the same bucket ------------------------------------------------------------


async def test_processes_with_one_bucket_agree(s3_bucket: S3Bucket) -> None:
    bus = MemoryBus(is_local=False)
    one, two = made(s3_bucket.settings(), bus), made(s3_bucket.settings(), bus)
    async with running(bus_unit(bus), *one.units("one"), *two.units("two")):
        await one.put_bytes("k", b"v")
        assert await two.read("k") == b"v"
        assert [found.key async for found in two.list()] == ["k"]  # the marker is not shown


async def test_a_process_with_another_prefix_does_not_start(s3_bucket: S3Bucket) -> None:
    bus = MemoryBus(is_local=False)
    one, two = made(s3_bucket.settings(), bus), made(s3_bucket.settings(prefix="other"), bus)
    async with running(bus_unit(bus), *one.units("one")):
        with pytest.raises(StartFailed, match="another store"):
            async with running(*two.units("two")):
                pass
