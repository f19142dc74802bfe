"""One upload out of partial ones (tus): made in the request that asks for it, by the blob store.

The partial ones stay as they are until the final one is whole; then, in one transaction, it is told to the others and
they are used up. So whatever breaks before leaves them to be asked for again, and who asks again for what was made
gets that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.uploads import PartialsUnfinished, StorageFull, UploadGone, UploadNotFound
from streamgate.errors import BadRequest
from streamgate.sdk import blobs as blob_store
from streamgate.sdk.blobs import BlobIncomplete, BlobMissing, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import ending, repository
from streamgate_upload.finishing import Verifier
from streamgate_upload.holding import check_there
from streamgate_upload.live import Live
from streamgate_upload.receiving import closed
from streamgate_upload.repository import Upload
from streamgate_upload.service import NewUpload, Uploads

LOCKS = 64


class Concatenator:
    def __init__(
        self, db: Database, blobs: BlobStore, clock: Clock, uploads: Uploads, verifier: Verifier, live: Live
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._uploads = uploads
        self._verifier = verifier
        self._live = live
        self._locks = tuple(asyncio.Lock() for _ in range(LOCKS))

    async def concatenate(self, actor: Actor, new: NewUpload, partial_ids: Sequence[str]) -> Upload:
        """The final upload of the actor's own partial ones, in this order.

        Args:
            new: its size is theirs, whatever it says.

        Raises:
            UploadNotFound, UploadGone, BadRequest: one of them is not there (any more), or is no partial one.
            PartialsUnfinished, UploadTooLarge, ContentNotFound, StorageFull.
            UploadClosed: it was aborted while it was made.
        """
        async with self._locks[hash(tuple(partial_ids)) % LOCKS]:
            partials = await self._db.read(lambda session: _find(session, actor, partial_ids))
            made = await self._db.read(lambda session: _find_made(session, new, partials))
            if made is not None:
                return made
            self._check(partials)
            return await self._make(actor, new, partials)

    def _check(self, partials: Sequence[Upload]) -> None:
        now_ms = self._clock.now_ms()
        for partial in partials:
            if partial.form != "partial":
                raise BadRequest(f"Upload {partial.upload_id!r} is no partial one")
            check_there(partial, now_ms)
            if partial.final_id:
                raise UploadGone(f"Upload {partial.upload_id!r} is a part of another one already")
        unfinished = [partial.upload_id for partial in partials if not partial.is_whole]
        if unfinished:
            detail = f"{len(unfinished)} of {len(partials)} partial uploads are not whole"
            raise PartialsUnfinished(detail, extra={"unfinished": unfinished})

    async def _make(self, actor: Actor, new: NewUpload, partials: Sequence[Upload]) -> Upload:
        sized = attrs.evolve(new, size_bytes=sum(partial.size_bytes for partial in partials))
        final = await self._uploads.open_final(actor, sized)
        try:
            await self._join(final, partials)
            made = await self._db.write(lambda session: self._settle(session, final.upload_id, partials))
        except BaseException:
            await self._uploads.take_back(actor, final, with_content=new.content_id is None)
            raise
        if made.status not in ("verifying", "complete"):
            await self._blobs.delete(final.source_key)  # aborted or expired meanwhile
            raise closed(made)
        self._verifier.add(made.upload_id)
        self._uploads.wake_sweeper()
        await self._live.changed(made)
        log = logger.bind(upload_id=made.upload_id, content_id=made.content_id, size_bytes=made.size_bytes)
        log.bind(partials=len(partials)).info("upload finished")
        return made

    async def _join(self, final: Upload, partials: Sequence[Upload]) -> None:
        try:
            for partial in partials:
                await self._finish(partial)
            await self._blobs.concatenate(final.source_key, [partial.source_key for partial in partials])
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault
        except BlobMissing as fault:
            now = await self._db.read(lambda session: repository.find(session, final.upload_id))
            if now is not None and now.status != "receiving":  # aborted or expired meanwhile, and swept
                raise closed(now) from fault
            raise UploadGone("The bytes of a partial upload are not there any more") from fault

    async def _finish(self, partial: Upload) -> None:
        """Its parts become an object; where they have before, nothing happens."""
        upload_id = partial.upload_id
        tags = await self._db.read(lambda session: repository.done_tags(session, upload_id))
        try:
            await self._blobs.finish_multipart(
                partial.source_key, partial.multipart_token, partial.size_bytes, tags=tags, is_cut=True
            )
        except BlobIncomplete as fault:
            await self._db.write(lambda session: self._lose(session, upload_id))
            raise UploadGone(f"The bytes of upload {upload_id!r} are not in the store any more") from fault

    def _lose(self, session: Session, upload_id: str) -> None:
        row = repository.lock(session, upload_id)
        if row is not None and row.status == "receiving":
            detail = "Acknowledged chunks are not in the store any more"
            ending.give_up(session, row, "failed", self._clock.now_ms(), code=ending.SOURCE_LOST, detail=detail)

    def _settle(self, session: Session, final_id: str, partials: Sequence[Upload]) -> Upload:
        """Raises UploadGone: one of them was ended, or went into another final one."""
        row = repository.get_locked(session, final_id)
        if row.status != "receiving":
            return repository.to_upload(row)
        now_ms = self._clock.now_ms()
        for upload_id in sorted(partial.upload_id for partial in partials):  # one order for all: no deadlock
            part = repository.lock(session, upload_id)
            if part is None or part.status != "receiving":
                raise UploadGone(f"Upload {upload_id!r} was ended meanwhile")
            part.status, part.final_id, part.updated_at_ms = "complete", final_id, now_ms
            part.to_sweep, part.counted_bytes, part.tail, part.holder = True, 0, "", ""
            repository.forget_chunks(session, upload_id)
        ending.finish(session, row, "verifying", now_ms)
        return repository.to_upload(row)


def _find(session: Session, actor: Actor, partial_ids: Sequence[str]) -> list[Upload]:
    """Raises UploadNotFound: somebody else's too, even for moderators, as the final one will be the actor's."""
    found = [repository.to_upload(repository.get_owned(session, upload_id, actor)) for upload_id in partial_ids]
    for each in found:
        if each.owner != actor.user_id:
            raise UploadNotFound(f"You have no upload {each.upload_id!r}")
    return found


def _find_made(session: Session, new: NewUpload, partials: Sequence[Upload]) -> Upload | None:
    """What was made of them by the same words before."""
    [final_id, *others] = {partial.final_id for partial in partials}
    made = None if others or not final_id else repository.find(session, final_id)
    is_same = made is not None and made.told_concat == new.told_concat and made.status in ("verifying", "complete")
    return made if is_same else None
