"""The parts of an object in S3: sent while the next ones arrive, and collected where nobody ended them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from loguru import logger

from streamgate.sdk.blobs.base import BlobIncomplete, PartTooLarge
from streamgate.sdk.blobs.s3_bucket import Bucket
from streamgate.sdk.blobs.spool import Spool

PART_BYTES = 8 * 1024 * 1024
PARTS_MAX = 10_000  # S3's own limit
SENDING_PER_OBJECT = 3

Parts = Sequence[Mapping[str, Any]]
"""As S3 wants them at the end: `PartNumber` and `ETag`, in order."""


class PartsOnTheWay:
    """The parts of one `put`, some of them being sent.

    Args:
        send: sends one (number, bytes) and returns its ETag.
        sending: what all objects of the store have in common: how many parts are sent at once.
    """

    def __init__(
        self,
        send: Callable[[int, bytes], Awaitable[str]],
        abort: Callable[[], Awaitable[None]],
        sending: asyncio.Semaphore,
        token: str,
    ) -> None:
        self._send_part = send
        self._abort = abort
        self._sending = sending
        self._turn = asyncio.Semaphore(SENDING_PER_OBJECT)
        self._tasks: list[asyncio.Task[str]] = []
        self.token = token

    async def send(self, spool: Spool, sha256: Any) -> None:
        """Takes over the spool; hashes in order, sends side by side. Raises what an earlier part met."""
        number = len(self._tasks) + 1
        try:
            if number > PARTS_MAX:
                raise PartTooLarge(f"more than {PARTS_MAX * PART_BYTES} bytes came in one stream")
            for task in self._tasks:
                if task.done():
                    task.result()
            await self._turn.acquire()
        except BaseException:
            spool.close()
            raise
        hashed = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._send(number, spool, sha256, hashed)))
        await hashed.wait()

    async def _send(self, number: int, spool: Spool, sha256: Any, hashed: asyncio.Event) -> str:
        try:
            async with self._sending:
                data = await spool.take()
                await asyncio.to_thread(sha256.update, data)
                hashed.set()
                return await self._send_part(number, data)
        finally:
            hashed.set()
            spool.close()
            self._turn.release()

    async def end(self) -> Parts:
        etags = await asyncio.gather(*self._tasks)
        return [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]

    async def abort(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # it has been looked at
        try:
            await self._abort()
        except Exception as fault:
            logger.bind(error=repr(fault)).warning("unfinished parts left to be collected")


def cut_to_fill(chunk: bytes, room_bytes: int) -> list[bytes]:
    """A chunk in pieces: the first fills a part that has so much room left, the others parts of their own."""
    if len(chunk) <= room_bytes:
        return [bytes(chunk)] if chunk else []
    cuts = [0, *range(room_bytes, len(chunk), PART_BYTES), len(chunk)]
    return [bytes(chunk[begins:ends]) for begins, ends in itertools.pairwise(cuts)]


async def list_parts(
    bucket: Bucket, where: Mapping[str, str], token: str, tags: Mapping[int, str], *, wanted_bytes: int | None = None
) -> tuple[Parts, int]:
    """What was sent, and how many bytes that is; with `wanted_bytes` no part past those.

    A part that was sent again is there once on AWS, but twice on SeaweedFS, in any order; then the tag decides.

    Raises:
        BlobIncomplete: it cannot be told which is meant.
    """
    sizes: dict[int, dict[str, int]] = {}
    async for page in bucket.client.get_paginator("list_parts").paginate(**where, UploadId=token):
        for part in page.get("Parts", ()):
            if tags.get(part["PartNumber"], part["ETag"]) == part["ETag"]:
                sizes.setdefault(part["PartNumber"], {})[part["ETag"]] = part["Size"]
    parts: list[dict[str, Any]] = []
    found_bytes = 0
    for number in sorted(sizes):
        if wanted_bytes is not None and found_bytes >= wanted_bytes:
            break
        if len(sizes[number]) > 1:
            raise BlobIncomplete("a part was sent with different bytes")
        for tag, size_bytes in sizes[number].items():
            parts.append({"PartNumber": number, "ETag": tag})
            found_bytes += size_bytes
    return parts, found_bytes


async def collect_orphans(bucket: Bucket, before_s: float) -> int:
    """Aborts what was begun before (seconds since 1970), and to which no part has come since; how many."""
    count = 0
    client, name = bucket.client, bucket.place.bucket
    with bucket.translated():
        uploads = client.get_paginator("list_multipart_uploads").paginate(Bucket=name, Prefix=bucket.place.prefix)
        async for page in uploads:
            for begun in page.get("Uploads", ()):
                where = {"Bucket": name, "Key": begun["Key"], "UploadId": begun["UploadId"]}
                if begun["Initiated"].timestamp() < before_s and not await _has_part_since(client, where, before_s):
                    await client.abort_multipart_upload(**where)
                    count += 1
    return count


async def _has_part_since(client: Any, where: dict[str, str], before_s: float) -> bool:
    async for page in client.get_paginator("list_parts").paginate(**where):
        if any(part["LastModified"].timestamp() >= before_s for part in page.get("Parts", ())):
            return True
    return False
