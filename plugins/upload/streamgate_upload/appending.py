"""Bytes that continue an upload where it stands (tus): gathered into chunks, kept when a request breaks off.

What has been answered, or what a later HEAD tells, survives kill -9: whole chunks are parts in the blob store, what is
left over is a tail (`tails.py`). With a checksum nothing is written down before all bytes of the request have been
hashed: what went to the store before that is no part of the upload, and the bytes that are sent instead replace it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import attrs
from loguru import logger

from streamgate.context import Actor
from streamgate.contracts.uploads import ChecksumMismatch, StorageFull, UploadTooLarge
from streamgate.errors import StreamgateError
from streamgate.sdk import blobs as blob_store
from streamgate.sdk.blobs import BlobIncomplete, BlobStore, PartInfo
from streamgate.sdk.blobs.spool import Room, Spool
from streamgate.sdk.clock import Clock
from streamgate_upload import tails
from streamgate_upload.checksums import Checksum
from streamgate_upload.digests import Hash, HashPool
from streamgate_upload.finishing import Finisher
from streamgate_upload.holding import Holds
from streamgate_upload.live import Live
from streamgate_upload.measures import RECEIVED
from streamgate_upload.receiving import closed
from streamgate_upload.repository import Upload
from streamgate_upload.sends import Send, Sends
from streamgate_upload.tables import UploadRow
from streamgate_upload.tails import Tail

RENEW_S = 10.0
ROOM_BYTES = 64 * 1024 * 1024
"""Bytes of unfinished chunks in memory, of all requests; more wait in files."""


@attrs.define(kw_only=True)
class _Work:
    """One request that brings bytes.

    `upload` is it with the bytes that are in the store. `parts` are of those, and `used` the tail's pieces that went
    into them, as long as that is not written down.
    """

    upload: Upload
    holder: str
    checksum: Checksum | None
    hash: Hash | None
    parts: list[tuple[int, PartInfo]] = attrs.Factory(list)
    used: list[Tail] = attrs.Factory(list)


class _Storing:
    """A chunk on its way into the store, or none; its spool is closed afterwards."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def begin(self, storing: Coroutine[Any, Any, None], spool: Spool) -> None:
        async def run() -> None:
            try:
                await storing
            finally:
                spool.close()

        self._task = asyncio.create_task(run())

    async def end(self) -> None:
        """Raises what storing raised."""
        if self._task is not None:
            await asyncio.shield(self._task)
            self._task = None

    async def has_ended_well(self) -> bool:
        if self._task is None:
            return True
        await asyncio.wait({self._task})
        return not self._task.cancelled() and self._task.exception() is None

    async def give_up(self) -> None:
        """What is still on its way, as nobody waits for it any more, is no part of the upload."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class Appender:
    """Args:
    max_size_bytes: of an upload whose size is not told yet.
    """

    def __init__(
        self,
        blobs: BlobStore,
        clock: Clock,
        sends: Sends,
        live: Live,
        hashing: HashPool,
        holds: Holds,
        finisher: Finisher,
        *,
        max_size_bytes: int,
    ) -> None:
        self._blobs = blobs
        self._clock = clock
        self._sends = sends
        self._live = live
        self._hashing = hashing
        self.holds = holds
        self._finisher = finisher
        self._max_size_bytes = max_size_bytes
        self._room = Room(ROOM_BYTES)

    async def append(
        self,
        actor: Actor,
        upload_id: str,
        offset: int,
        pieces: AsyncIterator[bytes],
        *,
        size_bytes: int | None = None,
        checksum: Checksum | None = None,
    ) -> Upload:
        """Takes the bytes from `offset` on. With the last one the upload is finished.

        Args:
            size_bytes: of the whole file, where it is told with these bytes.

        Raises:
            UploadNotFound, UploadGone, UploadClosed, FinalTakesNone, OffsetMismatch, UploadBusy, BadRequest (not that
            size), UploadTooLarge (nothing past the end is kept), QuotaExceeded, StorageFull. What came before the
            fault is kept, where that can be.
            ChecksumMismatch: nothing is kept; nor is it where bytes with a checksum break off.
        """
        holder = secrets.token_hex(16)
        with self._sends.running(holder, upload_id) as send:
            upload = await self.holds.take(actor, upload_id, offset, holder, size_bytes)
            try:
                if upload.status == "receiving":
                    hash_ = None if checksum is None else self._hashing.new(checksum.algorithm)
                    work = _Work(upload=upload, holder=holder, checksum=checksum, hash=hash_)
                    await self._take(work, send, pieces)
                    upload = work.upload
            finally:
                await self.holds.let_go(upload_id, holder)
        await self._live.progress(upload)
        if upload.form == "tus" and upload.status == "receiving" and upload.is_whole:
            upload = await self._finisher.complete(actor, upload_id, "")
            await self._blobs.delete_prefix(tails.prefix_of(upload_id))
        return upload

    async def _take(self, work: _Work, send: Send, pieces: AsyncIterator[bytes]) -> None:
        """While one chunk is on its way into the store, the next one is gathered."""
        spool, storing = Spool(self._room), _Storing()
        stands = work.upload  # with the chunk that is on its way
        try:
            async with send:
                async for piece in self._watched(pieces, send, work):
                    rest = piece
                    self._check_room(stands, spool.size_bytes + len(rest))
                    while rest:
                        wanted_bytes = _wanted_bytes(stands) - spool.size_bytes
                        if wanted_bytes == 0:
                            raise UploadTooLarge(f"The upload has {stands.size_bytes} bytes; more came")
                        await spool.add(rest[:wanted_bytes])
                        rest = rest[wanted_bytes:]
                        if spool.size_bytes == _wanted_bytes(stands):
                            await storing.end()
                            stands = attrs.evolve(
                                work.upload, received_bytes=work.upload.received_bytes + spool.size_bytes, tail=""
                            )
                            storing.begin(self._store_chunk(work, spool), spool)
                            spool = Spool(self._room)
            await storing.end()
            if work.checksum is not None and work.hash is not None and not work.hash.matches(work.checksum.digest):
                raise ChecksumMismatch(f"The bytes do not have this {work.checksum.algorithm}; send them again")
        except Exception:  # a sender that left, or stalled: what has come is kept for the next request
            if await storing.has_ended_well() and work.checksum is None:
                await self._keep_rest(work, spool)
            raise
        else:
            await self._store_rest(work, spool)
            if work.upload.is_whole and work.upload.tail:  # its size was told after its last byte
                await self._store_chunk(work, spool)
                await self._store_rest(work, spool)
        finally:
            await storing.give_up()
            spool.close()

    def _check_room(self, upload: Upload, more_bytes: int) -> None:
        if not upload.size_bytes and upload.received_bytes + more_bytes > self._max_size_bytes:
            raise UploadTooLarge(f"At most {self._max_size_bytes} bytes are taken")

    async def _watched(self, pieces: AsyncIterator[bytes], send: Send, work: _Work) -> AsyncIterator[bytes]:
        renew_at_s = self._clock.monotonic_s() + RENEW_S
        async for piece in pieces:
            send.note_bytes()
            RECEIVED.labels("tus").inc(len(piece))
            if work.hash is not None:
                await work.hash.update(piece)
            if self._clock.monotonic_s() >= renew_at_s:
                renew_at_s += RENEW_S
                await self.holds.change(work.upload.upload_id, work.holder, lambda row: None)
            yield piece

    async def _store_chunk(self, work: _Work, spool: Spool) -> None:
        """The tail and what was gathered make a whole chunk."""
        upload = work.upload
        tail = Tail.parse(upload.tail)
        index = upload.received_bytes // upload.chunk_size_bytes
        part = await self._write(upload, index, tail, await spool.take())
        work.parts.append((index, part))
        work.used.append(tail)
        after = attrs.evolve(upload, received_bytes=upload.received_bytes + spool.size_bytes, tail="")
        if work.checksum is not None:
            work.upload = after
            return
        await self._acknowledge(work, after)
        await self._live.progress(work.upload)

    async def _write(self, upload: Upload, index: int, tail: Tail, data: bytes) -> PartInfo:
        async def whole() -> AsyncIterator[bytes]:
            async for piece in tail.read(self._blobs):
                yield piece
            yield data

        try:
            return await self._blobs.write_part(
                upload.source_key,
                upload.multipart_token,
                index + 1,
                index * upload.chunk_size_bytes,
                whole(),
                limit_bytes=_chunk_length_bytes(upload, index),
            )
        except BlobIncomplete as fault:
            raise closed(upload) from fault
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault

    async def _store_rest(self, work: _Work, spool: Spool) -> None:
        upload = work.upload
        if spool.size_bytes == 0:
            if work.parts:
                await self._acknowledge(work, upload)
            return
        old = Tail.parse(upload.tail)
        data = await spool.take()
        try:
            if len(old.pieces) < tails.PIECES_MAX:
                new = Tail((*old.pieces, await tails.keep(self._blobs, upload.upload_id, data)))
            else:
                together = b"".join([piece async for piece in old.read(self._blobs)]) + data
                new = Tail((await tails.keep(self._blobs, upload.upload_id, together),))
                work.used.append(old)
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault
        after = attrs.evolve(upload, received_bytes=upload.received_bytes + len(data), tail=new.text)
        await self._acknowledge(work, after)

    async def _acknowledge(self, work: _Work, after: Upload) -> None:
        """All that is in the store is written down; then the pieces that went into chunks are wanted no more."""

        def run(row: UploadRow) -> None:
            row.received_bytes, row.tail = after.received_bytes, after.tail

        work.upload = await self.holds.change(after.upload_id, work.holder, run, done=work.parts)
        used = tuple(work.used)
        work.parts.clear()
        work.used.clear()
        for tail in used:
            await self._remove(after.upload_id, tail)

    async def _remove(self, upload_id: str, tail: Tail) -> None:
        """What is not removed now goes with the rest, at the end of the upload."""
        try:
            await tail.remove(self._blobs)
        except StreamgateError as fault:
            logger.bind(upload_id=upload_id, code=fault.code).info("the pieces of a chunk are left for later")

    async def _keep_rest(self, work: _Work, spool: Spool) -> None:
        if spool.size_bytes == _wanted_bytes(work.upload):
            return  # a whole chunk, which is stored by now or could not be: it is no tail, and is sent again
        try:
            await self._store_rest(work, spool)
        except StreamgateError as fault:
            logger.bind(upload_id=work.upload.upload_id, error=fault.code).warning("the end of a request is lost")


def _chunk_length_bytes(upload: Upload, index: int) -> int:
    return upload.chunks.length_bytes(index) if upload.size_bytes else upload.chunk_size_bytes


def _wanted_bytes(upload: Upload) -> int:
    """What the chunk at which the upload stands still lacks; 0 at its end."""
    if upload.is_whole:
        return 0
    index, begun_bytes = divmod(upload.received_bytes, upload.chunk_size_bytes)
    return _chunk_length_bytes(upload, index) - begun_bytes
