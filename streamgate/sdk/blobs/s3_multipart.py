"""Objects in S3 that are written in parts, over restarts, and those that are made of other objects."""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from streamgate.sdk.blobs.base import (
    STREAM_CHUNK_BYTES,
    BlobExists,
    BlobIncomplete,
    BlobMissing,
    BlobStat,
    PartInfo,
    PartTooLarge,
    check_key,
)
from streamgate.sdk.blobs.s3_bucket import Bucket
from streamgate.sdk.blobs.s3_join import Slice, plan_parts
from streamgate.sdk.blobs.s3_parts import Parts, list_parts
from streamgate.sdk.blobs.spool import Room, Spool

MIN_PART_BYTES = 5 * 1024 * 1024


class MultipartObjects(ABC):
    """Half of `S3Store`.

    Args:
        room: for bytes that wait for the rest of their part.
        sending: how many parts of the store are sent at once.
    """

    min_part_bytes = MIN_PART_BYTES

    def __init__(self, bucket: Bucket, *, room: Room, sending: asyncio.Semaphore) -> None:
        self._bucket = bucket
        self._room = room
        self._sending = sending

    @abstractmethod
    async def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """As the store's."""

    async def stat(self, key: str) -> BlobStat:
        check_key(key)
        with self._bucket.translated():
            found = await self._bucket.client.head_object(**self._bucket.at(key))
        return BlobStat(key=key, size_bytes=found["ContentLength"], modified_at_ms=ms_of(found["LastModified"]))

    async def begin_multipart(self, key: str) -> str:
        check_key(key)
        with self._bucket.translated():
            begun = await self._bucket.client.create_multipart_upload(**self._bucket.at(key))
        token: str = begun["UploadId"]
        return token

    async def write_part(
        self,
        key: str,
        token: str,
        number: int,
        offset: int,
        chunks: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        want_sha256: bool = True,
    ) -> PartInfo:
        check_key(key)
        if number < 1 or offset < 0:
            raise ValueError(f"part {number} at {offset}: parts count from 1, offsets from 0")
        spool = Spool(self._room)
        try:
            async for chunk in chunks:
                if limit_bytes is not None and spool.size_bytes + len(chunk) > limit_bytes:
                    raise PartTooLarge(f"more than {limit_bytes} bytes came")
                await spool.add(bytes(chunk))
            async with self._sending:
                data = await spool.take()
                sha256 = (await hash_of(data)).hexdigest() if want_sha256 else ""
                tag = await self._send_part(key, token, number, data)
            return PartInfo(size_bytes=len(data), sha256=sha256, tag=tag)
        finally:
            spool.close()

    async def _send_part(self, key: str, token: str, number: int, data: bytes) -> str:
        """Its ETag."""
        with self._bucket.translated():
            sent = await self._bucket.client.upload_part(
                **self._bucket.at(key), UploadId=token, PartNumber=number, Body=data
            )
        etag: str = sent["ETag"]
        return etag

    async def finish_multipart(
        self,
        key: str,
        token: str,
        size_bytes: int,
        *,
        tags: Mapping[int, str] | None = None,
        is_cut: bool = False,
    ) -> BlobStat:
        check_key(key)
        try:
            parts = await self._parts_of(key, token, size_bytes, tags or {}, is_cut)
            await self._complete(key, token, parts)
        except BlobIncomplete:
            if (found := await self._finished(key, size_bytes)) is not None:
                return found
            raise
        except BlobExists:  # by this very upload, if nothing is left of it: a second try, or two at once
            try:
                await self._parts_of(key, token, size_bytes, tags or {}, is_cut)
            except BlobIncomplete:
                if (found := await self._finished(key, size_bytes)) is not None:
                    return found
            raise
        return await self.stat(key)

    async def _parts_of(self, key: str, token: str, size_bytes: int, tags: Mapping[int, str], is_cut: bool) -> Parts:
        """Raises BlobIncomplete: there is no such upload (any more), or something of it is missing."""
        wanted = size_bytes if is_cut else None
        with self._bucket.translated():
            parts, found_bytes = await list_parts(self._bucket, self._bucket.at(key), token, tags, wanted_bytes=wanted)
        if found_bytes != size_bytes:
            raise BlobIncomplete(f"{found_bytes} bytes are there, {size_bytes} were promised")
        return parts

    async def _finished(self, key: str, size_bytes: int) -> BlobStat | None:
        with suppress(BlobMissing):
            found = await self.stat(key)
            if found.size_bytes == size_bytes:
                return found
        return None

    async def abort_multipart(self, key: str, token: str) -> None:
        check_key(key)
        with self._bucket.translated(), suppress(self._bucket.client.exceptions.NoSuchUpload):
            await self._bucket.client.abort_multipart_upload(**self._bucket.at(key), UploadId=token)

    async def concatenate(self, key: str, sources: Sequence[str]) -> BlobStat:
        check_key(key)
        sizes = [(source, (await self.stat(source)).size_bytes) for source in sources]
        size_bytes = sum(size for _, size in sizes)
        if (found := await self._finished(key, size_bytes)) is not None:
            return found
        token = await self.begin_multipart(key)
        try:
            plan = plan_parts(sizes, MIN_PART_BYTES)
            copying = (self._copy_part(key, token, number, slices) for number, slices in enumerate(plan, 1))
            parts = await asyncio.gather(*copying, return_exceptions=True)
            for part in parts:
                if isinstance(part, BaseException):
                    raise part
            await self._complete(key, token, [part for part in parts if not isinstance(part, BaseException)])
        except BaseException:
            await self.abort_multipart(key, token)
            raise
        return await self.stat(key)

    async def _copy_part(self, key: str, token: str, number: int, slices: Sequence[Slice]) -> Mapping[str, Any]:
        """Where it is of one object, the store copies it by itself."""
        async with self._sending:
            if len(slices) > 1:
                data = b"".join([await self.read(each.key, each.start, each.length) for each in slices])
                return {"PartNumber": number, "ETag": await self._send_part(key, token, number, data)}
            [only] = slices
            with self._bucket.translated():
                copied = await self._bucket.client.upload_part_copy(
                    **self._bucket.at(key),
                    UploadId=token,
                    PartNumber=number,
                    CopySource=self._bucket.at(only.key),
                    CopySourceRange=f"bytes={only.start}-{only.start + only.length - 1}",
                )
            return {"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]}

    async def _complete(self, key: str, token: str, parts: Parts) -> None:
        if not parts:
            raise BlobIncomplete("no part of it is there")
        with self._bucket.translated():
            await self._bucket.client.complete_multipart_upload(
                **self._bucket.at(key), UploadId=token, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )


async def hash_of(data: bytes) -> Any:
    return await asyncio.to_thread(hashlib.sha256, data) if len(data) > STREAM_CHUNK_BYTES else hashlib.sha256(data)


def ms_of(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
