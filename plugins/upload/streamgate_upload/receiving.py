"""One chunk, from the socket into the blob store.

Parts are written in place, so at most one request writes a chunk at a time: it holds the claim in the chunk's row,
for CLAIM_S, prolonged while bytes come. A second one waits for it; where the first has gone silent in this process
(its client is gone and the network has not said so) the second takes over. An acknowledged chunk is never written
again: sending it once more compares the bytes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.uploads import (
    ChunkBusy,
    ChunkDiffers,
    ChunkInvalid,
    StorageFull,
    UploadClosed,
)
from streamgate.sdk import blobs as blob_store
from streamgate.sdk.blobs import BlobIncomplete, BlobStore, PartInfo
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import repository
from streamgate_upload.bodies import ChunkBody, of_length
from streamgate_upload.digests import HashPool, wrong_header
from streamgate_upload.live import Live
from streamgate_upload.measures import RECEIVED
from streamgate_upload.repository import Upload
from streamgate_upload.sends import Send, Sends

CLAIM_S = 30.0
RENEW_S = 10.0
BUSY_WAIT_S = 10.0
BUSY_POLL_S = 0.25
SILENT_S = 2.0


@attrs.frozen(kw_only=True)
class ChunkAck:
    """An acknowledged chunk survives kill -9 of the server."""

    upload_id: str
    index: int
    size_bytes: int
    sha256: str
    received_bytes: int
    progress: float


@attrs.frozen
class _Claimed:
    """`done_sha256` is that of the chunk when it was acknowledged before; `holder` the claim of who writes it."""

    upload: Upload
    holder: str
    done_sha256: str


class ChunkReceiver:
    """Args:
    expire_after_s: pushed on by each chunk.
    silent_s: after so long without bytes a request loses its chunk to another one that brings it.
    """

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        clock: Clock,
        hashing: HashPool,
        sends: Sends,
        live: Live,
        *,
        expire_after_s: float,
        silent_s: float = SILENT_S,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._hashing = hashing
        self._sends = sends
        self._live = live
        self._expire_after_ms = round(expire_after_s * 1000)
        self._silent_s = silent_s

    async def receive(self, actor: Actor, upload_id: str, index: int, body: ChunkBody) -> ChunkAck:
        """Takes a chunk, in any order, side by side with others.

        Raises:
            UploadNotFound, UploadClosed, ChunkInvalid, DigestMismatch, ChunkBusy, ChunkDiffers, StorageFull.
        """
        claim = secrets.token_hex(16)
        claimed = await self._claim(actor, upload_id, index, body, claim)
        if claimed.done_sha256:
            return await self._compare(claimed, index, body)
        is_acknowledged = False
        with self._sends.running(claim, upload_id) as send:
            try:
                part = await self._write(claimed.upload, index, body, send, claim)
                upload = await self._db.write(
                    lambda session: self._acknowledge(session, claimed.upload, index, claim, part)
                )
                is_acknowledged = True
            finally:
                if not is_acknowledged:
                    await self._release(upload_id, index, claim)
        await self._live.progress(upload)
        return _ack(upload, index, part.sha256)

    # --- whose chunk it is ------------------------------------------------------------------------

    async def _claim(self, actor: Actor, upload_id: str, index: int, body: ChunkBody, claim: str) -> _Claimed:
        ends_at_s = self._clock.monotonic_s() + BUSY_WAIT_S
        while True:
            claimed = await self._db.write(
                lambda session: self._try_claim(session, actor, upload_id, index, body.declared_bytes, claim)
            )
            if claimed.done_sha256 or claimed.holder == claim:
                return claimed
            if self._clock.monotonic_s() >= ends_at_s:
                raise ChunkBusy(f"Chunk {index} is being sent by another request", retry_after_s=1)
            await self._wait_for(claimed.holder)

    def _try_claim(
        self, session: Session, actor: Actor, upload_id: str, index: int, declared_bytes: int | None, claim: str
    ) -> _Claimed:
        upload = repository.to_upload(repository.get_owned(session, upload_id, actor))
        if upload.status != "receiving" or upload.form != "chunks":
            raise closed(upload)
        check_declared(upload.chunks.length_bytes(index), declared_bytes)
        now_ms = self._clock.now_ms()
        row = repository.claim_chunk(session, upload_id, index, claim, now_ms, now_ms + round(CLAIM_S * 1000))
        return _Claimed(upload, row.claim, row.sha256 if row.is_done else "")

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

    async def _release(self, upload_id: str, index: int, claim: str) -> None:
        try:
            await self._db.write(lambda session: repository.release_claim(session, upload_id, index, claim))
        except Exception as fault:
            logger.bind(upload_id=upload_id, index=index, error=repr(fault)).warning("claim left to run out")

    # --- its bytes --------------------------------------------------------------------------------

    async def _write(self, upload: Upload, index: int, body: ChunkBody, send: Send, claim: str) -> PartInfo:
        """What was written, when it is what the sender meant."""
        length_bytes = upload.chunks.length_bytes(index)
        pieces = self._watched(of_length(body.pieces(), length_bytes), send, upload.upload_id, index, claim)
        try:
            async with send:
                part = await self._blobs.write_part(
                    upload.source_key,
                    upload.multipart_token,
                    index + 1,
                    index * upload.chunk_size_bytes,
                    pieces,
                    limit_bytes=length_bytes,
                )
        except BlobIncomplete as fault:
            raise closed(upload) from fault
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault
        if body.digest is not None and body.digest.hex() != part.sha256:
            raise wrong_header(f"Chunk {index} does not match its Content-Digest; send it again")
        return part

    async def _watched(
        self, pieces: AsyncIterator[bytes], send: Send, upload_id: str, index: int, claim: str
    ) -> AsyncIterator[bytes]:
        """The pieces; while they come, the claim is kept."""
        renew_at_s = self._clock.monotonic_s() + RENEW_S
        async for piece in pieces:
            send.note_bytes()
            RECEIVED.labels("chunks").inc(len(piece))
            if self._clock.monotonic_s() >= renew_at_s:
                renew_at_s += RENEW_S
                await self._keep_claim(upload_id, index, claim)
            yield piece

    async def _keep_claim(self, upload_id: str, index: int, claim: str) -> None:
        until_ms = self._clock.now_ms() + round(CLAIM_S * 1000)

        def run(session: Session) -> bool:
            return repository.keep_claim(session, upload_id, index, claim, until_ms)

        if not await self._db.write(run):
            raise ChunkBusy(f"Chunk {index} passed to another request")

    def _acknowledge(self, session: Session, upload: Upload, index: int, claim: str, part: PartInfo) -> Upload:
        row = repository.lock(session, upload.upload_id)
        if row is None or row.status != "receiving":
            raise closed(upload if row is None else repository.to_upload(row))
        if not repository.set_done(session, upload.upload_id, index, claim, part.sha256, part.tag):
            raise ChunkBusy(f"Chunk {index} passed to another request")
        row.received_bytes += upload.chunks.length_bytes(index)
        row.updated_at_ms = self._clock.now_ms()
        row.expires_at_ms = row.updated_at_ms + self._expire_after_ms
        return repository.to_upload(row)

    async def _compare(self, claimed: _Claimed, index: int, body: ChunkBody) -> ChunkAck:
        """Reads a chunk that is there already. Its acknowledged bytes stay, whatever comes."""
        hash_ = self._hashing.new()
        async for piece in of_length(body.pieces(), claimed.upload.chunks.length_bytes(index)):
            await hash_.update(piece)
        if body.digest is not None and not hash_.matches(body.digest):
            raise wrong_header(f"Chunk {index} does not match its Content-Digest; send it again")
        if hash_.hexdigest() != claimed.done_sha256:
            raise ChunkDiffers(f"Chunk {index} was acknowledged with other bytes; abort the upload to start over")
        return _ack(claimed.upload, index, claimed.done_sha256)


def closed(upload: Upload) -> UploadClosed:
    if upload.status == "receiving":
        return UploadClosed(f"Upload {upload.upload_id!r} does not take chunks")
    return UploadClosed(f"Upload {upload.upload_id!r} is {upload.status}", extra={"status": upload.status})


def check_declared(length_bytes: int, declared_bytes: int | None) -> None:
    """Refuses a chunk of the wrong length before any of it is read."""
    if declared_bytes is not None and declared_bytes != length_bytes:
        raise ChunkInvalid(f"The chunk must have {length_bytes} bytes, not {declared_bytes}")


def _ack(upload: Upload, index: int, sha256: str) -> ChunkAck:
    return ChunkAck(
        upload_id=upload.upload_id,
        index=index,
        size_bytes=upload.chunks.length_bytes(index),
        sha256=sha256,
        received_bytes=upload.received_bytes,
        progress=round(upload.received_bytes / upload.size_bytes, 6),
    )
