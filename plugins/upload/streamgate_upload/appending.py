"""Bytes that continue an upload where it stands (tus): gathered into chunks, kept when a request breaks off.

One request at a time holds an upload, for HOLD_S, prolonged with each chunk. What has been answered, or what a later
HEAD tells, survives kill -9: whole chunks are parts in the blob store, what is left over is a tail (`tails.py`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.uploads import ChunkBusy, OffsetMismatch, StorageFull, UploadBusy, UploadGone, UploadTooLarge
from streamgate.errors import StreamgateError
from streamgate.sdk import blobs as blob_store
from streamgate.sdk.blobs import BlobIncomplete, BlobStore, PartInfo
from streamgate.sdk.blobs.spool import Room, Spool
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import repository, tails
from streamgate_upload.finishing import Finisher
from streamgate_upload.live import Live
from streamgate_upload.measures import RECEIVED
from streamgate_upload.receiving import closed
from streamgate_upload.repository import Upload
from streamgate_upload.sends import Send, Sends
from streamgate_upload.tables import UploadRow
from streamgate_upload.tails import Tail

Change = Callable[[UploadRow], None]

HOLD_S = 30.0
RENEW_S = 10.0
BUSY_WAIT_S = 5.0
BUSY_POLL_S = 0.25
SILENT_S = 2.0
ROOM_BYTES = 64 * 1024 * 1024
"""Bytes of unfinished chunks in memory, of all requests; more wait in files."""


class Appender:
    """Args:
    expire_after_s: pushed on by each request that brings bytes.
    silent_s: after so long without bytes a request loses the upload to another one.
    """

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        clock: Clock,
        sends: Sends,
        live: Live,
        finisher: Finisher,
        *,
        expire_after_s: float,
        silent_s: float = SILENT_S,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._sends = sends
        self._live = live
        self._finisher = finisher
        self._expire_after_ms = round(expire_after_s * 1000)
        self._silent_s = silent_s
        self._room = Room(ROOM_BYTES)

    async def append(self, actor: Actor, upload_id: str, offset: int, pieces: AsyncIterator[bytes]) -> Upload:
        """Takes the bytes from `offset` on. With the last one the upload is finished.

        Raises:
            UploadNotFound, UploadGone, OffsetMismatch, UploadBusy, UploadTooLarge (nothing past the end is kept),
            StorageFull. What came before the fault is kept, where that can be.
        """
        holder = secrets.token_hex(16)
        with self._sends.running(holder, upload_id) as send:
            upload = await self._hold(actor, upload_id, offset, holder)
            try:
                if upload.status == "receiving" and upload.received_bytes < upload.size_bytes:
                    upload = await self._take(upload, holder, send, pieces)
            finally:
                await self._let_go(upload_id, holder)
        await self._live.progress(upload)
        if upload.status == "receiving" and upload.received_bytes == upload.size_bytes:
            upload = await self._finisher.complete(actor, upload_id, "")
            await self._blobs.delete_prefix(tails.prefix_of(upload_id))
        return upload

    # --- whose upload it is -----------------------------------------------------------------------

    async def _hold(self, actor: Actor, upload_id: str, offset: int, holder: str) -> Upload:
        ends_at_s = self._clock.monotonic_s() + BUSY_WAIT_S
        while True:
            upload = await self._db.write(lambda session: self._try_hold(session, actor, upload_id, offset, holder))
            if upload.holder in ("", holder):
                return upload
            if self._clock.monotonic_s() >= ends_at_s:
                raise UploadBusy(f"Upload {upload_id!r} is being sent to by another request", retry_after_s=1)
            await self._wait_for(upload.holder)

    def _try_hold(self, session: Session, actor: Actor, upload_id: str, offset: int, holder: str) -> Upload:
        row = repository.get_owned(session, upload_id, actor, lock=True)
        upload = repository.to_upload(row)
        check_open(upload)
        now_ms = self._clock.now_ms()
        if row.holder and row.held_until_ms > now_ms:
            return upload
        if offset != row.received_bytes:
            raise OffsetMismatch(
                f"Upload {upload_id!r} goes on at {row.received_bytes}, not at {offset}",
                extra={"offset": row.received_bytes},
            )
        if row.status == "receiving":
            row.holder, row.held_until_ms = holder, now_ms + round(HOLD_S * 1000)
        return repository.to_upload(row)

    async def _wait_for(self, holder: str) -> None:
        send = self._sends.find(holder)
        if send is None:  # in another process, or just ended
            await self._clock.sleep(BUSY_POLL_S)
            return
        if send.silent_s >= self._silent_s:
            send.interrupt()
        try:
            async with asyncio.timeout(BUSY_POLL_S):
                await send.ended.wait()
        except TimeoutError:
            return

    async def _let_go(self, upload_id: str, holder: str) -> None:
        def run(session: Session) -> None:
            row = repository.get_held(session, upload_id, holder)
            if row is not None:
                row.holder = ""

        try:
            await self._db.write(run)
        except Exception as fault:
            logger.bind(upload_id=upload_id, error=repr(fault)).warning("hold left to run out")

    # --- its bytes --------------------------------------------------------------------------------

    async def _take(self, upload: Upload, holder: str, send: Send, pieces: AsyncIterator[bytes]) -> Upload:
        current = upload
        spool = Spool(self._room)
        try:
            async with send:
                async for piece in self._watched(pieces, send, upload.upload_id, holder):
                    rest = piece
                    while rest:
                        wanted_bytes = _wanted_bytes(current) - spool.size_bytes
                        if wanted_bytes == 0:
                            raise UploadTooLarge(f"The upload has {upload.size_bytes} bytes; more came")
                        await spool.add(rest[:wanted_bytes])
                        rest = rest[wanted_bytes:]
                        if spool.size_bytes == _wanted_bytes(current):
                            current = await self._store_chunk(current, holder, spool)
                            spool.close()
                            spool = Spool(self._room)
        except Exception:  # a sender that left, or stalled: what has come is kept for the next request
            await self._keep_rest(current, holder, spool)
            raise
        else:
            return await self._store_rest(current, holder, spool)
        finally:
            spool.close()

    async def _watched(
        self, pieces: AsyncIterator[bytes], send: Send, upload_id: str, holder: str
    ) -> AsyncIterator[bytes]:
        renew_at_s = self._clock.monotonic_s() + RENEW_S
        async for piece in pieces:
            send.note_bytes()
            RECEIVED.labels("tus").inc(len(piece))
            if self._clock.monotonic_s() >= renew_at_s:
                renew_at_s += RENEW_S
                await self._change(upload_id, holder, lambda row: None)
            yield piece

    async def _store_chunk(self, upload: Upload, holder: str, spool: Spool) -> Upload:
        """The tail and what was gathered make a whole chunk."""
        tail = Tail.parse(upload.tail)
        index = upload.received_bytes // upload.chunk_size_bytes
        part = await self._write(upload, index, tail, await spool.take())

        def run(row: UploadRow) -> None:
            row.received_bytes += spool.size_bytes
            row.tail = ""

        stored = await self._change(upload.upload_id, holder, run, done=(index, part))
        await self._remove(upload.upload_id, tail)
        await self._live.progress(stored)
        return stored

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
                limit_bytes=upload.chunks.length_bytes(index),
            )
        except BlobIncomplete as fault:
            raise closed(upload) from fault
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault

    async def _store_rest(self, upload: Upload, holder: str, spool: Spool) -> Upload:
        if spool.size_bytes == 0:
            return upload
        old = Tail.parse(upload.tail)
        data = await spool.take()
        try:
            if len(old.pieces) < tails.PIECES_MAX:
                new = Tail((*old.pieces, await tails.keep(self._blobs, upload.upload_id, data)))
            else:
                together = b"".join([piece async for piece in old.read(self._blobs)]) + data
                new = Tail((await tails.keep(self._blobs, upload.upload_id, together),))
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault

        def run(row: UploadRow) -> None:
            row.received_bytes += len(data)
            row.tail = new.text

        stored = await self._change(upload.upload_id, holder, run)
        if not set(old.pieces) <= set(new.pieces):
            await self._remove(upload.upload_id, old)
        return stored

    async def _remove(self, upload_id: str, tail: Tail) -> None:
        """What is not removed now goes with the rest, at the end of the upload."""
        try:
            await tail.remove(self._blobs)
        except StreamgateError as fault:
            logger.bind(upload_id=upload_id, code=fault.code).info("the pieces of a chunk are left for later")

    async def _keep_rest(self, upload: Upload, holder: str, spool: Spool) -> None:
        if spool.size_bytes == _wanted_bytes(upload):
            return  # a whole chunk, which is stored by now or could not be: it is no tail, and is sent again
        try:
            await self._store_rest(upload, holder, spool)
        except StreamgateError as fault:
            logger.bind(upload_id=upload.upload_id, error=fault.code).warning("the end of a broken request is lost")

    async def _change(
        self, upload_id: str, holder: str, change: Change, *, done: tuple[int, PartInfo] | None = None
    ) -> Upload:
        """Raises ChunkBusy, UploadGone: it passed to another request, or was ended."""

        def run(session: Session) -> Upload:
            row = repository.get_held(session, upload_id, holder)
            if row is None:
                gone = repository.find(session, upload_id)
                if gone is not None:
                    check_open(gone)
                raise ChunkBusy("Another request took over this upload")
            if done is not None:
                index, part = done
                repository.add_done(session, upload_id, index, part.sha256, part.tag)
            change(row)
            row.updated_at_ms = self._clock.now_ms()
            row.held_until_ms = row.updated_at_ms + round(HOLD_S * 1000)
            row.expires_at_ms = row.updated_at_ms + self._expire_after_ms
            return repository.to_upload(row)

        return await self._db.write(run)


def check_open(upload: Upload) -> None:
    """Raises UploadGone, UploadClosed: it takes no bytes in a row, or none any more."""
    if upload.form != "tus":
        raise closed(upload)
    if upload.status in ("failed", "aborted", "expired"):
        raise UploadGone(f"Upload {upload.upload_id!r} is {upload.status}", extra={"status": upload.status})


def _wanted_bytes(upload: Upload) -> int:
    """What the chunk at which the upload stands still lacks; 0 at its end."""
    if upload.received_bytes == upload.size_bytes:
        return 0
    index, begun_bytes = divmod(upload.received_bytes, upload.chunk_size_bytes)
    return upload.chunks.length_bytes(index) - begun_bytes
