"""`complete`: the bytes become a source at once; their SHA-256 is computed afterwards, off the critical path.

receiving ──complete──▶ verifying ──hash fits, or none was declared──▶ complete
                                  └─hash differs, or the bytes are gone──▶ failed, and told: taken back
"""

from __future__ import annotations

import asyncio
import hmac

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.uploads import ChunksMissing, DigestMismatch, UploadClosed
from streamgate.sdk.blobs import BlobIncomplete, BlobMissing, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import ending, repository
from streamgate_upload.digests import HashPool
from streamgate_upload.live import Live
from streamgate_upload.receiving import closed
from streamgate_upload.repository import Upload

RETRY_S = 5.0
STALE_S = 600.0
LOCKS = 64


class Verifier:
    """A unit: hashes finished uploads, one after another. What was not verified when the process ended is found
    again at the start; doing it twice is harmless."""

    def __init__(
        self, db: Database, blobs: BlobStore, clock: Clock, hashing: HashPool, live: Live, *, needs: tuple[str, ...]
    ) -> None:
        self.name = "upload.verifier"
        self.needs = needs
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._hashing = hashing
        self._live = live
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.find_stale(0.0)
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def add(self, upload_id: str) -> None:
        self._waiting[upload_id] = None
        self._wake.set()

    async def find_stale(self, older_than_s: float = STALE_S) -> None:
        """Takes up what another process left behind."""
        before_ms = self._clock.now_ms() - round(older_than_s * 1000)
        for upload_id in await self._db.read(lambda session: repository.verifying(session, before_ms)):
            self.add(upload_id)

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            upload_id = next(iter(self._waiting))
            try:
                await self._verify(upload_id)
            except Exception as fault:
                logger.bind(upload_id=upload_id, error=repr(fault), again_in_s=RETRY_S).warning("verification waits")
                await self._clock.sleep(RETRY_S)
                self._waiting[upload_id] = self._waiting.pop(upload_id)  # behind the others
            else:
                del self._waiting[upload_id]

    async def _verify(self, upload_id: str) -> None:
        upload = await self._db.read(lambda session: repository.find(session, upload_id))
        if upload is None or upload.status != "verifying":
            return
        try:
            sha256 = await self._hash_of(upload)
        except BlobMissing:
            sha256 = ""
        settled = await self._db.write(lambda session: self._settle(session, upload_id, sha256))
        if settled is not None:
            logger.bind(upload_id=upload_id, content_id=upload.content_id, status=settled.status).info(
                "upload verified"
            )
            await self._live.changed(settled)

    async def _hash_of(self, upload: Upload) -> str:
        hash_ = self._hashing.new()
        async for piece in self._blobs.stream(upload.source_key):
            await hash_.update(piece)
        return hash_.hexdigest()

    def _settle(self, session: Session, upload_id: str, sha256: str) -> Upload | None:
        row = repository.lock(session, upload_id)
        if row is None or row.status != "verifying":
            return None
        now_ms = self._clock.now_ms()
        if not sha256:
            ending.give_up(
                session,
                row,
                "failed",
                now_ms,
                code=ending.SOURCE_LOST,
                detail="The bytes are not in the store any more",
            )
        elif row.declared_sha256 and not hmac.compare_digest(row.declared_sha256, sha256):
            ending.give_up(
                session,
                row,
                "failed",
                now_ms,
                code=DigestMismatch.code,
                detail=f"The file has the SHA-256 {sha256}, not the declared {row.declared_sha256}",
            )
        else:
            row.status, row.sha256, row.updated_at_ms = "complete", sha256, now_ms
        return repository.to_upload(row)


class Finisher:
    """Makes a source of an upload's chunks."""

    def __init__(self, db: Database, blobs: BlobStore, clock: Clock, verifier: Verifier, live: Live) -> None:
        self._live = live
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._verifier = verifier
        self._locks = tuple(asyncio.Lock() for _ in range(LOCKS))

    async def complete(self, actor: Actor, upload_id: str, sha256: str) -> Upload:
        """Completing again answers as the first time.

        Args:
            sha256: lower-case hex, or "" when the sender does not know it.

        Raises:
            UploadNotFound, ChunksMissing, UploadClosed, DigestMismatch (another one was declared at init).
        """
        async with self._locks[hash(upload_id) % LOCKS]:
            return await self._complete(actor, upload_id, sha256)

    async def _complete(self, actor: Actor, upload_id: str, sha256: str) -> Upload:
        upload = await self._db.read(lambda session: self._check(session, actor, upload_id, sha256))
        if upload.status != "receiving":
            return upload
        # From here on every chunk is acknowledged, so nobody writes any more (`receiving.py`).
        try:
            tags = await self._db.read(lambda session: repository.done_tags(session, upload_id))
            token, size_bytes = upload.multipart_token, upload.size_bytes
            await self._blobs.finish_multipart(upload.source_key, token, size_bytes, tags=tags, is_cut=True)
        except BlobIncomplete as fault:
            raise closed(await self._db.write(lambda session: self._lose(session, upload_id))) from fault
        finished = await self._db.write(lambda session: self._finish(session, upload_id, sha256))
        if finished.status not in ("verifying", "complete"):
            await self._blobs.delete(upload.source_key)  # aborted or expired while the object took its name
            raise closed(finished)
        self._verifier.add(upload_id)
        await self._live.changed(finished)
        logger.bind(upload_id=upload_id, content_id=upload.content_id, size_bytes=upload.size_bytes).info(
            "upload finished"
        )
        return finished

    def _check(self, session: Session, actor: Actor, upload_id: str, sha256: str) -> Upload:
        upload = repository.to_upload(repository.get_owned(session, upload_id, actor))
        ends_by_itself = not upload.chunk_size_bytes or not upload.size_bytes or upload.form == "partial"
        if ends_by_itself and upload.status == "receiving":
            raise UploadClosed(f"Upload {upload_id!r} ends by itself, when all its bytes have come")
        if upload.status not in ("receiving", "verifying", "complete"):
            raise closed(upload)
        known = upload.sha256 or upload.declared_sha256
        if sha256 and known and sha256 != known:
            raise DigestMismatch(f"Upload {upload_id!r} was declared with another SHA-256")
        if upload.status == "receiving":
            missing = upload.chunks.missing(repository.done_numbers(session, upload_id))
            if missing:
                raise ChunksMissing(
                    f"Upload {upload_id!r} lacks {len(missing)} of {upload.chunks.count} chunks",
                    extra={"missing_chunks": list(missing)},
                )
        return upload

    def _finish(self, session: Session, upload_id: str, sha256: str) -> Upload:
        row = repository.get_locked(session, upload_id)
        if row.status == "receiving":
            row.declared_sha256 = row.declared_sha256 or sha256
            ending.finish(session, row, "verifying", self._clock.now_ms())
        return repository.to_upload(row)

    def _lose(self, session: Session, upload_id: str) -> Upload:
        row = repository.get_locked(session, upload_id)
        if row.status == "receiving":
            detail = "Acknowledged chunks are not in the store any more"
            ending.give_up(session, row, "failed", self._clock.now_ms(), code=ending.SOURCE_LOST, detail=detail)
        return repository.to_upload(row)
