"""The conformance suite of blob stores.

class TestDisk(BlobStoreSuite):
    @pytest.fixture
    async def store(self, tmp_path): ...                  # an open, empty store
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

import pytest

from streamgate.sdk.blobs import (
    STREAM_CHUNK_BYTES,
    BlobExists,
    BlobIncomplete,
    BlobMissing,
    BlobStore,
    PartTooLarge,
)

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes."""


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def broken(*chunks: bytes) -> AsyncIterator[bytes]:
    """A client that goes away in the middle."""
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError("the client is gone")


def pattern(size_bytes: int, seed: int = 1) -> bytes:
    block = hashlib.sha256(bytes([seed])).digest()
    return (block * (size_bytes // len(block) + 1))[:size_bytes]


async def collected(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


class BlobStoreSuite(ABC):
    """Each test says one thing that every store must do."""

    @abstractmethod
    def store(self) -> BlobStore:
        """A fixture: an empty store that runs."""

    async def test_what_was_put_is_read_back(self, store: BlobStore) -> None:
        info = await store.put("c/1/seg.m4s", pieces(b"abc", b"", b"def"))
        assert (info.size_bytes, info.sha256) == (6, hashlib.sha256(b"abcdef").hexdigest())
        assert await store.read("c/1/seg.m4s") == b"abcdef"
        assert (await store.stat("c/1/seg.m4s")).size_bytes == 6
        assert await store.exists("c/1/seg.m4s")

    async def test_empty_object_exists(self, store: BlobStore) -> None:
        assert (await store.put_bytes("empty", b"")).size_bytes == 0
        assert await store.read("empty") == b""
        assert await collected(store.stream("empty")) == b""

    async def test_large_object_survives_whole(self, store: BlobStore) -> None:
        whole = pattern(3 * 1024 * 1024 + 17)
        info = await store.put("big", pieces(*(whole[at : at + 65_536] for at in range(0, len(whole), 65_536))))
        assert info.sha256 == hashlib.sha256(whole).hexdigest()
        assert await store.read("big") == whole

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (3, 4, b"3456"),
            (8, 100, b"89"),
            (10, 1, b""),
            (50, None, b""),
            (2, 0, b""),
        ],
    )
    async def test_ranges(self, store: BlobStore, start: int, length: int | None, expected: bytes) -> None:
        await store.put_bytes("digits", b"0123456789")
        assert await store.read("digits", start, length) == expected
        assert await collected(store.stream("digits", start, length)) == expected

    async def test_stream_comes_in_bounded_chunks(self, store: BlobStore) -> None:
        whole = pattern(STREAM_CHUNK_BYTES * 2 + 5)
        await store.put_bytes("long", whole)
        chunks = [chunk async for chunk in store.stream("long", 1)]
        assert b"".join(chunks) == whole[1:]
        assert max(map(len, chunks)) <= STREAM_CHUNK_BYTES

    async def test_missing_object_says_so(self, store: BlobStore) -> None:
        with pytest.raises(BlobMissing):
            await store.read("nothing/here")
        with pytest.raises(BlobMissing):
            await store.stat("nothing/here")
        with pytest.raises(BlobMissing):
            await collected(store.stream("nothing/here"))
        assert not await store.exists("nothing/here")

    async def test_same_bytes_again_are_harmless(self, store: BlobStore) -> None:
        first = await store.put_bytes("k", b"same")
        assert await store.put("k", pieces(b"sa", b"me")) == first

    async def test_other_bytes_under_a_key_are_refused(self, store: BlobStore) -> None:
        await store.put_bytes("k", b"first")
        with pytest.raises(BlobExists):
            await store.put_bytes("k", b"other")
        with pytest.raises(BlobExists):
            await store.put("k", pieces(b"longer than the first"))
        assert await store.read("k") == b"first"

    async def test_two_writers_of_one_key_leave_one_whole_object(self, store: BlobStore) -> None:
        async def write(seed: int) -> bytes | None:
            data = pattern(300_000, seed)
            try:
                await store.put("race", pieces(data[:100_000], data[100_000:]))
            except BlobExists:
                return None
            return data

        wrote = [data for data in await asyncio.gather(*map(write, range(1, 5))) if data is not None]
        assert wrote == [await store.read("race")]

    async def test_broken_put_leaves_nothing(self, store: BlobStore) -> None:
        with pytest.raises(ConnectionResetError):
            await store.put("half", broken(pattern(2_000_000)))
        assert not await store.exists("half")
        assert [found.key async for found in store.list()] == []

    async def test_deleting_twice_is_harmless_and_frees_the_key(self, store: BlobStore) -> None:
        await store.put_bytes("a/b/c", b"1")
        await store.delete("a/b/c")
        await store.delete("a/b/c")
        assert not await store.exists("a/b/c")
        await store.put_bytes("a/b/c", b"2")
        assert await store.read("a/b/c") == b"2"

    async def test_listing_is_by_whole_words(self, store: BlobStore) -> None:
        for key in ("a/b/2", "a/b/10", "a/bc/1", "a-b/1", "b"):
            await store.put_bytes(key, key.encode())
        assert sorted([found.key async for found in store.list("a/b/")]) == ["a/b/10", "a/b/2"]
        assert sorted([(found.key, found.size_bytes) async for found in store.list()]) == [
            (key, len(key)) for key in sorted(("a/b/2", "a/b/10", "a/bc/1", "a-b/1", "b"))
        ]
        assert [found.key async for found in store.list("nothing/")] == []

    async def test_deleting_a_prefix_takes_nothing_else(self, store: BlobStore) -> None:
        for key in ("a/b/1", "a/b/c/2", "a/bc/1", "a/d"):
            await store.put_bytes(key, b"x")
        assert await store.delete_prefix("a/b/") == 2
        assert sorted([found.key async for found in store.list()]) == ["a/bc/1", "a/d"]
        assert await store.delete_prefix("a/b/") == 0

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "../x",
            ".hidden",
            "a/.parts/x",
            "a\\b",
            "a\0b",
            "ä",
            "a b",
            "x" * 513,
        ],
    )
    async def test_keys_that_could_leave_the_store_are_refused(self, store: BlobStore, key: str) -> None:
        for use in (store.put_bytes(key, b""), store.read(key), store.delete(key), store.begin_multipart(key)):
            with pytest.raises(ValueError, match="no blob key"):
                await use
        with pytest.raises(ValueError, match="no blob key"):
            store.local_path(key)

    @pytest.mark.parametrize("prefix", ["", "a", "/", "../", "a/../", ".parts/"])
    async def test_prefixes_that_say_too_much_are_refused(self, store: BlobStore, prefix: str) -> None:
        with pytest.raises(ValueError, match="prefix"):
            await store.delete_prefix(prefix)

    # --- objects of others ---------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "sizes",
        [(7,), (3, 4, 5), (10, PART_BYTES + 5, 3, 4, PART_BYTES - 1, 20)],
    )
    async def test_objects_become_one(self, store: BlobStore, sizes: tuple[int, ...]) -> None:
        wholes = [pattern(size_bytes, seed) for seed, size_bytes in enumerate(sizes)]
        keys = [f"half/{number}" for number in range(len(sizes))]
        for key, data in zip(keys, wholes, strict=True):
            await store.put_bytes(key, data)
        for _ in range(2):
            assert (await store.concatenate("whole", keys)).size_bytes == sum(sizes)
        assert await store.read("whole") == b"".join(wholes)
        assert sorted([found.key async for found in store.list()]) == sorted([*keys, "whole"])

    async def test_an_object_of_what_is_not_there_is_not_made(self, store: BlobStore) -> None:
        await store.put_bytes("there", b"1")
        with pytest.raises(BlobMissing):
            await store.concatenate("whole", ["there", "missing"])
        await store.put_bytes("taken", b"123")
        with pytest.raises(BlobExists):
            await store.concatenate("taken", ["there"])
        assert sorted([found.key async for found in store.list()]) == ["taken", "there"]
        assert await store.read("taken") == b"123"

    # --- parts ---------------------------------------------------------------------------------------

    async def test_parts_in_any_order_make_one_object(self, store: BlobStore) -> None:
        whole = pattern(2 * PART_BYTES + 1_000)
        token = await store.begin_multipart("up/source")
        parts = [whole[:PART_BYTES], whole[PART_BYTES : 2 * PART_BYTES], whole[2 * PART_BYTES :]]

        async def write(number: int) -> None:
            data = parts[number - 1]
            info = await store.write_part(
                "up/source", token, number, (number - 1) * PART_BYTES, pieces(data[:70_000], data[70_000:])
            )
            assert (info.size_bytes, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())

        await asyncio.gather(write(3), write(1), write(2))
        assert not await store.exists("up/source")
        assert (await store.finish_multipart("up/source", token, len(whole))).size_bytes == len(whole)
        assert await store.read("up/source") == whole

    async def test_part_written_again_replaces_itself(self, store: BlobStore) -> None:
        token = await store.begin_multipart("up/again")
        with pytest.raises(ConnectionResetError):
            await store.write_part("up/again", token, 1, 0, broken(b"xxx"))
        await store.write_part("up/again", token, 1, 0, pieces(b"wrong"))
        part = await store.write_part("up/again", token, 1, 0, pieces(b"right"))
        await store.finish_multipart("up/again", token, 5, tags={1: part.tag} if part.tag else None)
        assert await store.read("up/again") == b"right"

    async def test_finishing_again_is_harmless(self, store: BlobStore) -> None:
        token = await store.begin_multipart("up/twice")
        await store.write_part("up/twice", token, 1, 0, pieces(b"data"))
        first = await store.finish_multipart("up/twice", token, 4)
        again = await store.finish_multipart("up/twice", token, 4)
        assert (first.key, first.size_bytes) == (again.key, again.size_bytes) == ("up/twice", 4)

    async def test_incomplete_object_does_not_appear(self, store: BlobStore) -> None:
        token = await store.begin_multipart("up/short")
        await store.write_part("up/short", token, 1, 0, pieces(b"data"))
        with pytest.raises(BlobIncomplete):
            await store.finish_multipart("up/short", token, 5)
        assert not await store.exists("up/short")
        await store.finish_multipart("up/short", token, 4)

    async def test_parts_past_the_end_may_be_left_out(self, store: BlobStore) -> None:
        token = await store.begin_multipart("up/cut")
        tags: dict[int, str] = {}
        for number, data in ((2, pattern(PART_BYTES)), (3, b"in vain"), (2, b"end"), (1, pattern(PART_BYTES))):
            part = await store.write_part("up/cut", token, number, (number - 1) * PART_BYTES, pieces(data))
            tags[number] = part.tag
        kept = {number: tag for number, tag in tags.items() if tag and number < 3}
        with pytest.raises(BlobIncomplete):
            await store.finish_multipart("up/cut", token, PART_BYTES + 3, tags=kept)
        await store.finish_multipart("up/cut", token, PART_BYTES + 3, tags=kept, is_cut=True)
        assert await store.read("up/cut") == pattern(PART_BYTES) + b"end"

    async def test_part_may_not_run_into_the_next(self, store: BlobStore) -> None:
        token = await store.begin_multipart("up/over")
        with pytest.raises(PartTooLarge):
            await store.write_part("up/over", token, 1, 0, pieces(b"12345", b"6"), limit_bytes=5)
        await store.write_part("up/over", token, 1, 0, pieces(b"12345"), limit_bytes=5)
        await store.finish_multipart("up/over", token, 5)
        assert await store.read("up/over") == b"12345"

    async def test_aborted_upload_takes_no_more_parts(self, store: BlobStore) -> None:
        token = await store.begin_multipart("up/gone")
        await store.write_part("up/gone", token, 1, 0, pieces(b"data"))
        await store.abort_multipart("up/gone", token)
        await store.abort_multipart("up/gone", token)
        with pytest.raises(BlobIncomplete):
            await store.write_part("up/gone", token, 2, 4, pieces(b"more"))
        with pytest.raises(BlobIncomplete):
            await store.finish_multipart("up/gone", token, 4)
        assert [found.key async for found in store.list()] == []

    async def test_finished_upload_never_replaces_an_object(self, store: BlobStore) -> None:
        await store.put_bytes("up/taken", b"first")
        token = await store.begin_multipart("up/taken")
        await store.write_part("up/taken", token, 1, 0, pieces(b"other"))
        with pytest.raises(BlobExists):
            await store.finish_multipart("up/taken", token, 5)
        assert await store.read("up/taken") == b"first"

    async def test_cancelled_writer_harms_nobody(self, store: BlobStore) -> None:
        arrived = asyncio.Event()

        async def stalling() -> AsyncIterator[bytes]:
            yield pattern(2_000_000)
            arrived.set()
            await asyncio.Event().wait()

        writing = asyncio.create_task(store.put("stalled", stalling()))
        await arrived.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert not await store.exists("stalled")
        await store.put_bytes("stalled", b"fine")
