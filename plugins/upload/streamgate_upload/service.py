"""Uploads from their first call to their last: opened, looked at, listed, aborted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Literal

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.events import ContentDeleted
from streamgate.contracts.metadata import (
    BeginUpload,
    ContentDelete,
    ContentNotFound,
    ContentQuery,
    Metadata,
    NewContent,
)
from streamgate.contracts.uploads import StorageFull, UploadClosed, UploadTooLarge
from streamgate.errors import FieldError, Invalid, StreamgateError, Unauthorized
from streamgate.events import Received
from streamgate.sdk import blobs as blob_store
from streamgate.sdk.audit import audit
from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, first_time
from streamgate.sdk.ids import new_id
from streamgate_upload import ending, repository
from streamgate_upload.chunks import cut
from streamgate_upload.config import UploadConfig
from streamgate_upload.digests import parse_sha256
from streamgate_upload.live import Live
from streamgate_upload.names import is_content_type, tidy_filename, title_of
from streamgate_upload.quota import Quota
from streamgate_upload.repository import Form, Upload
from streamgate_upload.sends import Sends

GROUP = "upload"
LIMIT_MAX = 200
FINAL_LEASE_S = 3600.0
"""What making one upload of partial ones may take; a process that dies there leaves it open for so long."""


@attrs.frozen(kw_only=True)
class NewUpload:
    """`content_id` None makes a content, with `title` or the file's name. `size_bytes` 0: told later (tus).
    `source_url` is an import's, `told_metadata` and `told_concat` are tus headers."""

    filename: str
    size_bytes: int
    content_type: str = ""
    sha256: str = ""
    content_id: str | None = None
    title: str | None = None
    source_url: str = ""
    told_metadata: str = ""
    told_concat: str = ""


@attrs.frozen
class Found:
    """An upload and its chunks that have not been acknowledged."""

    upload: Upload
    missing_chunks: tuple[int, ...]


class Uploads:
    """Args:
    wake_sweeper: called when something is to be removed from the blob store.
    """

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        clock: Clock,
        metadata: Metadata,
        sends: Sends,
        config: UploadConfig,
        *,
        quota: Quota,
        live: Live,
        wake_sweeper: Callable[[], None],
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._metadata = metadata
        self._sends = sends
        self._config = config
        self._quota = quota
        self._live = live
        self.wake_sweeper = wake_sweeper

    # --- opening ----------------------------------------------------------------------------------

    async def open_chunked(
        self, actor: Actor, new: NewUpload, form: Literal["chunks", "tus", "partial"] = "chunks"
    ) -> Upload:
        """An upload that takes its bytes in parts. Its content exists when this returns; a partial one has none.

        Raises:
            Invalid, UploadTooLarge, QuotaExceeded, TooManyUploads, ContentNotFound, StorageFull.
        """
        declared = _checked(new, least_bytes=1 if form == "chunks" else 0)
        self.check_size(new.size_bytes)
        most_bytes = new.size_bytes or self._config.max_size_bytes
        chunks = cut(most_bytes, max(self._config.chunk_size_bytes, self._blobs.min_part_bytes))
        await self._check_actor(actor, new.size_bytes)
        upload = attrs.evolve(
            self._draft(actor, new, form, self._config.expire_after_s),
            chunk_size_bytes=chunks.chunk_size_bytes,
            declared_sha256=declared,
            counted_bytes=new.size_bytes,
        )
        try:
            token = await self._blobs.begin_multipart(upload.source_key)
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault
        try:
            return await self._open(actor, new, attrs.evolve(upload, multipart_token=token))
        except BaseException:
            await self._blobs.abort_multipart(upload.source_key, token)
            raise

    async def open_single(self, actor: Actor, new: NewUpload, lease_s: float) -> Upload:
        """An upload whose bytes come in the request that opens it; its size is not known yet. A content that was
        there before does not hear of it until `announce`."""
        await self._check_actor(actor)
        upload = self._draft(actor, new, "single", lease_s)
        return await self._open(actor, new, upload, is_announced=new.content_id is None)

    async def open_import(self, actor: Actor, new: NewUpload) -> Upload:
        """An upload that is fetched from `source_url`, whose size is not known yet."""
        await self._check_actor(actor)
        return await self._open(actor, new, self._draft(actor, new, "import", self._config.expire_after_s))

    async def open_final(self, actor: Actor, new: NewUpload) -> Upload:
        """An upload that is made of partial ones in the request that opens it. It takes nothing that they did not
        take, so there is room for it.

        Raises:
            UploadTooLarge, ContentNotFound.
        """
        self.check_size(new.size_bytes)
        return await self._open(actor, new, self._draft(actor, new, "final", FINAL_LEASE_S), takes_room=False)

    async def announce(self, actor: Actor, upload: Upload) -> None:
        """The bytes for a content that was there before have all come. Raises ContentNotFound."""
        await self._metadata.begin_upload(BeginUpload(actor=actor, content_id=upload.content_id))

    def check_size(self, size_bytes: int) -> None:
        if size_bytes > self._config.max_size_bytes:
            raise UploadTooLarge(f"At most {self._config.max_size_bytes} bytes are taken")

    async def _check_actor(self, actor: Actor, size_bytes: int = 0) -> None:
        if not actor.user_id:
            raise Unauthorized("Only somebody who is signed in can upload")
        await self._db.read(lambda session: self._quota.check_new(session, actor.user_id, size_bytes))

    def _draft(self, actor: Actor, new: NewUpload, form: Form, expires_in_s: float) -> Upload:
        now_ms = self._clock.now_ms()
        upload_id = new_id("u")
        return Upload(
            upload_id=upload_id,
            content_id="",
            owner=actor.user_id,
            form=form,
            status="receiving",
            filename=tidy_filename(new.filename),
            content_type=new.content_type.lower(),
            size_bytes=new.size_bytes,
            chunk_size_bytes=0,
            received_bytes=0,
            declared_sha256="",
            sha256="",
            source_key=f"{'partials' if form == 'partial' else 'sources'}/{upload_id}",
            multipart_token="",
            failure="",
            failure_detail="",
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            expires_at_ms=now_ms + round(expires_in_s * 1000),
            to_sweep=False,
            source_url=new.source_url,
            told_metadata=new.told_metadata,
            told_concat=new.told_concat,
        )

    async def _open(
        self, actor: Actor, new: NewUpload, upload: Upload, *, is_announced: bool = True, takes_room: bool = True
    ) -> Upload:
        """Its content, then its row, then the content's state: a crash between leaves a content as it was, or a row
        that expires; and a deletion meets the row, or the upload meets the deletion."""
        has_content = upload.form != "partial"
        if has_content:
            upload = attrs.evolve(upload, content_id=await self._content_for(actor, new, upload.filename))

        def run(session: Session) -> None:
            repository.take_turn(session, upload.owner)
            if takes_room:
                self._quota.check_new(session, upload.owner, upload.size_bytes)
            repository.add(session, upload)
            detail = {"content_id": upload.content_id, "form": upload.form}
            audit(session, "upload.created", on=f"upload:{upload.upload_id}", actor=actor, detail=detail)

        try:
            await self._db.write(run)
            if is_announced and has_content:
                await self.announce(actor, upload)
        except BaseException:
            await self.take_back(actor, upload, with_content=has_content and new.content_id is None)
            raise
        logger.bind(upload_id=upload.upload_id, content_id=upload.content_id, form=upload.form).info("upload begins")
        await self._live.changed(upload)
        return upload

    async def _content_for(self, actor: Actor, new: NewUpload, filename: str) -> str:
        """A new one, or the given one where it is the actor's own. Raises ContentNotFound."""
        if new.content_id is None:
            title = title_of(filename) if new.title is None else new.title
            return (await self._metadata.create(NewContent(actor=actor, title=title))).content_id
        facts = await self._metadata.facts(ContentQuery(content_id=new.content_id))
        if facts.owner != actor.user_id:
            raise ContentNotFound(f"You have no content {new.content_id[:40]!r}")
        return facts.content_id

    async def take_back(self, actor: Actor, upload: Upload, *, with_content: bool) -> None:
        """As far as it goes: a row that stays expires, a content that stays is a draft. What is whole stays."""

        def run(session: Session) -> bool:
            row = repository.lock(session, upload.upload_id)
            if row is None or row.status != "receiving":
                return row is None
            detail = "The upload could not begin"
            ending.give_up(session, row, "failed", self._clock.now_ms(), code=ending.INTERRUPTED, detail=detail)
            return True

        try:
            is_over = await self._db.write(run)
            if with_content and is_over:
                await self._metadata.delete(ContentDelete(content_id=upload.content_id, actor=actor))
        except StreamgateError as second:
            logger.bind(upload_id=upload.upload_id, error=second.code).warning("upload left to expire")
        self.wake_sweeper()

    # --- looking ----------------------------------------------------------------------------------

    async def find(self, actor: Actor, upload_id: str) -> Found:
        """Raises UploadNotFound."""

        def run(session: Session) -> Found:
            upload = repository.to_upload(repository.get_owned(session, upload_id, actor))
            if upload.status != "receiving" or not upload.chunk_size_bytes:
                return Found(upload, ())
            return Found(upload, upload.chunks.missing(repository.done_numbers(session, upload_id)))

        return await self._db.read(run)

    async def check_owned(self, actor: Actor, upload_id: str) -> None:
        """Raises UploadNotFound."""
        await self._db.read(lambda session: repository.get_owned(session, upload_id, actor).upload_id)

    async def list_own(self, actor: Actor, limit: int, cursor: str) -> tuple[list[Upload], str | None]:
        """Newest first, and where the next page begins."""
        if not 1 <= limit <= LIMIT_MAX:
            raise Invalid("The list is not valid", errors=(FieldError("limit", f"must be 1 to {LIMIT_MAX}"),))
        after = _read_cursor(cursor)

        def run(session: Session) -> list[Upload]:
            return [repository.to_upload(r) for r in repository.list_of(session, actor.user_id, limit + 1, after)]

        found = await self._db.read(run)
        return found[:limit], _write_cursor(found[limit - 1]) if len(found) > limit else None

    # --- ending -----------------------------------------------------------------------------------

    async def abort(self, actor: Actor, upload_id: str) -> None:
        """Aborting what has come to nothing is harmless.

        Raises:
            UploadNotFound, UploadClosed (it is whole: delete the content instead).
        """

        def run(session: Session) -> Upload:
            row = repository.get_owned(session, upload_id, actor, lock=True)
            if row.final_id:
                raise UploadClosed(f"Upload {upload_id!r} is a part of {row.final_id!r} by now")
            if row.status in ("verifying", "complete"):
                raise UploadClosed(f"Upload {upload_id!r} is whole; delete its content instead")
            if row.status == "receiving":
                detail = "The upload was aborted"
                ending.give_up(session, row, "aborted", self._clock.now_ms(), code=ending.ABORTED, detail=detail)
            return repository.to_upload(row)

        aborted = await self._db.write(run)
        self._sends.interrupt_upload(upload_id)
        self.wake_sweeper()
        await self._live.changed(aborted)

    async def on_content_deleted(self, event: Received[ContentDeleted]) -> None:
        """Its uploads end, and its sources go."""

        def run(session: Session) -> list[str]:
            if not first_time(session, event.event_id, group=GROUP):
                return []
            rows = repository.of_content(session, event.body.subject_id)
            for row in rows:
                if row.status in ("receiving", "verifying"):
                    ending.give_up(
                        session,
                        row,
                        "aborted",
                        self._clock.now_ms(),
                        code=ending.ABORTED,
                        detail="The content was deleted",
                        is_told=False,
                    )
                row.to_sweep, row.counted_bytes = True, 0
            return [row.upload_id for row in rows]

        for upload_id in await self._db.write(run):
            self._sends.interrupt_upload(upload_id)
        self.wake_sweeper()


def _checked(new: NewUpload, least_bytes: int) -> str:
    """The declared SHA-256, "" for none. Raises Invalid with all faults."""
    faults: list[FieldError] = []
    declared = ""
    if new.size_bytes < least_bytes:
        faults.append(FieldError("size_bytes", f"must be at least {least_bytes}"))
    if new.content_type and not is_content_type(new.content_type):
        faults.append(FieldError("content_type", "is not a media type"))
    try:
        declared = parse_sha256(new.sha256) if new.sha256 else ""
    except Invalid as fault:
        faults.extend(fault.errors)
    if faults:
        raise Invalid("The upload cannot be opened", errors=tuple(faults))
    return declared


def _write_cursor(last: Upload) -> str:
    return base64.urlsafe_b64encode(f"{last.created_at_ms}:{last.upload_id}".encode()).rstrip(b"=").decode()


def _read_cursor(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    try:
        at_ms, _, upload_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(":")
        return int(at_ms[:16]), upload_id[:40]
    except (binascii.Error, ValueError) as fault:
        error = FieldError("cursor", "is not one of this list")
        raise Invalid("The cursor is not one of this list", errors=(error,)) from fault
