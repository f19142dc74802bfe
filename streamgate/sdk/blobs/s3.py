"""Blobs in an S3 bucket.

    <prefix><key>                    an object
    <prefix>.streamgate-store        the store's id (`agreement.py`)

Large objects are sent in parts while they arrive, several at once; nothing is copied at the end. Keys stay immutable
by `If-None-Match: *`, which S3 and the usual servers of its protocol know. What a killed process had begun is aborted
at a later start, when no part of it has come for a week (`ORPHAN_S`).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

from loguru import logger

from streamgate.health import Check
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.sdk.blobs.agreement import MARKER, Agreement
from streamgate.sdk.blobs.base import (
    STREAM_CHUNK_BYTES,
    BlobExists,
    BlobInfo,
    BlobMissing,
    BlobStat,
    StoreClosed,
    check_key,
    check_prefix,
)
from streamgate.sdk.blobs.s3_bucket import Bucket, code_of, once_there
from streamgate.sdk.blobs.s3_multipart import MultipartObjects, hash_of, ms_of
from streamgate.sdk.blobs.s3_parts import (
    PART_BYTES,
    PartsOnTheWay,
    collect_orphans,
    cut_to_fill,
)
from streamgate.sdk.blobs.spool import Room, Spool
from streamgate.sdk.shared import SharedUse

SENDING_MAX = 8
"""Parts on their way to the store at once: what they hold in memory is this many times PART_BYTES."""
ROOM_BYTES = 128 * 1024 * 1024
"""Bytes that arrived and wait in memory for the rest of their part; more wait in files (`spool.py`)."""
DELETE_BATCH = 1000
ORPHAN_S = 7 * 24 * 3600


class S3Store(MultipartObjects):
    """See `BlobStore`. `agreement` is asked at the start where other processes use the same bucket.

    Args:
        start_timeout_s: how long `open` waits for a store that is not there yet.
    """

    def __init__(self, bucket: Bucket, *, start_timeout_s: float = 10.0) -> None:
        self.agreement: Agreement | None = None
        super().__init__(bucket, room=Room(ROOM_BYTES), sending=asyncio.Semaphore(SENDING_MAX))
        self._start_timeout_s = start_timeout_s
        self._collecting: asyncio.Task[None] | None = None
        self._use = SharedUse(self.open, self.close)

    # --- life ---------------------------------------------------------------------------------------

    def units(self, plugin: str) -> list[Unit]:
        return [SimpleUnit(f"{plugin}.blobs", self._use.acquire, self._use.release, needs=("bus",))]

    def check(self) -> Check:
        return Check("blobs", self._probe)

    async def _probe(self) -> str:
        await self._bucket.check()
        return str(self._bucket.place)

    async def open(self) -> None:
        """Raises StoreFault: it cannot be used, or was not there in time."""
        await once_there(self._open, self._bucket.place, self._start_timeout_s)

    async def _open(self) -> None:
        await self._bucket.open()
        try:
            if self.agreement is not None:
                await self.agreement.start()
        except BaseException:
            await self.close()
            raise
        self._collecting = asyncio.create_task(self._collect_orphans(), name="blobs.orphans")

    async def close(self) -> None:
        collecting, self._collecting = self._collecting, None
        if collecting is not None:
            collecting.cancel()
            await asyncio.wait({collecting})
        if self.agreement is not None:
            await self.agreement.stop()
        await self._bucket.close()

    async def _collect_orphans(self) -> None:
        try:
            count = await collect_orphans(self._bucket, time.time() - ORPHAN_S)
        except Exception as fault:
            logger.bind(error=repr(fault)).warning("unfinished objects were not collected")
        else:
            logger.bind(count=count).debug("unfinished objects of former processes aborted")

    async def identify(self) -> str:
        """The store's id; the first who asks makes it."""
        with suppress(BlobExists):
            await self._put_once(MARKER, secrets.token_hex(16).encode())
        return (await self._get(MARKER)).decode().strip()

    # --- whole objects ------------------------------------------------------------------------------

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        check_key(key)
        sha256, size_bytes = hashlib.sha256(), 0
        upload: PartsOnTheWay | None = None
        spool = Spool(self._room)
        try:
            async for chunk in chunks:
                for piece in cut_to_fill(chunk, PART_BYTES - spool.size_bytes):
                    await spool.add(piece)
                    size_bytes += len(piece)
                    if spool.size_bytes == PART_BYTES:
                        upload = upload or await self._begin(key)
                        full, spool = spool, Spool(self._room)
                        await upload.send(full, sha256)
            if upload is None:
                async with self._sending:
                    data = await spool.take()
                    await asyncio.to_thread(sha256.update, data)
                    info = BlobInfo(size_bytes=size_bytes, sha256=sha256.hexdigest())
                    await self._put_new(key, data, info)
                return info
            if spool.size_bytes:
                full, spool = spool, Spool(self._room)
                await upload.send(full, sha256)
            info = BlobInfo(size_bytes=size_bytes, sha256=sha256.hexdigest())
            await self._end_put(key, upload, info)
            return info
        except BaseException:
            if upload is not None:
                await upload.abort()
            raise
        finally:
            spool.close()

    async def put_bytes(self, key: str, data: bytes) -> BlobInfo:
        check_key(key)
        info = BlobInfo(size_bytes=len(data), sha256=(await hash_of(data)).hexdigest())
        await self._put_new(key, data, info)
        return info

    async def _put_new(self, key: str, data: bytes, info: BlobInfo) -> None:
        try:
            await self._put_once(key, data)
        except BlobExists:
            if not await self._has(key, info):
                raise

    async def _put_once(self, key: str, data: bytes) -> None:
        with self._bucket.translated():
            await self._bucket.client.put_object(**self._bucket.at(key), Body=data, IfNoneMatch="*")

    async def _end_put(self, key: str, upload: PartsOnTheWay, info: BlobInfo) -> None:
        parts = await upload.end()
        try:
            await self._complete(key, upload.token, parts)
        except BlobExists:
            await upload.abort()
            if not await self._has(key, info):
                raise

    async def _has(self, key: str, info: BlobInfo) -> bool:
        """Whether exactly these bytes are under the key."""
        try:
            if (await self.stat(key)).size_bytes != info.size_bytes:
                return False
            sha256 = hashlib.sha256()
            async for piece in self.stream(key):
                sha256.update(piece)
        except BlobMissing:  # deleted meanwhile
            return False
        return sha256.hexdigest() == info.sha256

    async def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return b"".join([piece async for piece in self.stream(key, start, length)])

    async def stream(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        check_key(key)
        if length == 0:
            await self.stat(key)
            return
        whole = start == 0 and length is None
        asked = {} if whole else {"Range": f"bytes={start}-{'' if length is None else start + length - 1}"}
        with self._bucket.translated():
            try:
                found = await self._bucket.client.get_object(**self._bucket.at(key), **asked)
            except self._bucket.client.exceptions.ClientError as fault:
                if code_of(fault) in ("InvalidRange", "416"):  # it ends before
                    return
                raise
        async with found["Body"] as body:
            while True:
                with self._bucket.translated():
                    piece = await body.read(STREAM_CHUNK_BYTES)
                if not piece:
                    return
                yield piece

    async def _get(self, key: str) -> bytes:
        with self._bucket.translated():
            found = await self._bucket.client.get_object(**self._bucket.at(key))
            async with found["Body"] as body:
                data: bytes = await body.read()
        return data

    async def exists(self, key: str) -> bool:
        try:
            await self.stat(key)
        except BlobMissing:
            return False
        return True

    async def delete(self, key: str) -> None:
        check_key(key)
        with self._bucket.translated(), suppress(self._bucket.client.exceptions.NoSuchKey):
            await self._bucket.client.delete_object(**self._bucket.at(key))

    async def delete_prefix(self, prefix: str) -> int:
        if not check_prefix(prefix):
            raise ValueError("an empty prefix would remove everything")
        keys = [found.key async for found in self.list(prefix)]
        for at in range(0, len(keys), DELETE_BATCH):
            objects = [{"Key": self._bucket.at(key)["Key"]} for key in keys[at : at + DELETE_BATCH]]
            with self._bucket.translated():
                done = await self._bucket.client.delete_objects(
                    Bucket=self._bucket.place.bucket, Delete={"Objects": objects, "Quiet": True}
                )
            if done.get("Errors"):
                raise StoreClosed(f"{len(done['Errors'])} objects could not be removed", retry_after_s=5)
        return len(keys)

    async def list(self, prefix: str = "") -> AsyncIterator[BlobStat]:
        own = self._bucket.place.prefix
        where = {"Bucket": self._bucket.place.bucket, "Prefix": own + check_prefix(prefix)}
        pages = aiter(self._bucket.client.get_paginator("list_objects_v2").paginate(**where))
        while True:
            with self._bucket.translated():
                page = await anext(pages, None)
            if page is None:
                return
            for found in page.get("Contents", ()):
                key = found["Key"].removeprefix(own)
                if key != MARKER:
                    yield BlobStat(key=key, size_bytes=found["Size"], modified_at_ms=ms_of(found["LastModified"]))

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    async def signed_url(self, key: str, *, method: Literal["GET", "PUT"], expires_s: int) -> str | None:
        check_key(key)
        call = "get_object" if method == "GET" else "put_object"
        url: str = await self._bucket.client.generate_presigned_url(
            call, Params=self._bucket.at(key), ExpiresIn=expires_s
        )
        return url

    async def _begin(self, key: str) -> PartsOnTheWay:
        token = await self.begin_multipart(key)
        return PartsOnTheWay(
            partial(self._send_part, key, token), partial(self.abort_multipart, key, token), self._sending, token
        )
