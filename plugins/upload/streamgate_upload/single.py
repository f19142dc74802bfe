"""A whole file in one request: multipart/form-data, streamed into the blob store and hashed on the way.

`content_id` comes before the file, because the content is known before its first byte is taken; `title` and `gate`
may come on either side. A request that is refused changes nothing: both are applied when the whole form has been read
and every byte is stored, and a content that the request made goes with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from loguru import logger
from sqlalchemy.orm import Session
from starlette.requests import Request

from streamgate.context import Actor
from streamgate.contracts.auth import Auth
from streamgate.contracts.gate import Rule
from streamgate.contracts.metadata import ContentDelete, Metadata
from streamgate.contracts.uploads import StorageFull
from streamgate.errors import BadRequest, FieldError, Invalid, StreamgateError, UnsupportedMediaType
from streamgate.sdk import blobs as blob_store
from streamgate.sdk.blobs import BlobInfo, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import ending, repository
from streamgate_upload.details import Details, read_gate
from streamgate_upload.forms import FormEvent, PartBegins, PartData, PartEnds, boundary_of, read_form
from streamgate_upload.live import Live
from streamgate_upload.measures import RECEIVED
from streamgate_upload.names import is_content_type
from streamgate_upload.quota import Quota
from streamgate_upload.receiving import closed
from streamgate_upload.repository import Upload
from streamgate_upload.service import NewUpload, Uploads

FIELD_MAX_BYTES = 64 * 1024
FIELDS = ("title", "content_id", "gate")
FORM_SLACK_BYTES = 1024 * 1024
LEASE_S = 120.0
RENEW_S = 30.0


class SingleReceiver:
    """Takes such requests. There is nothing to resume in one that breaks off: its upload fails, or is forgotten
    with the content it made."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        clock: Clock,
        uploads: Uploads,
        metadata: Metadata,
        auth: Auth,
        *,
        quota: Quota,
        live: Live,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._uploads = uploads
        self._metadata = metadata
        self._auth = auth
        self._quota = quota
        self._live = live

    async def receive(self, actor: Actor, request: Request) -> Upload:
        """The finished upload.

        Raises:
            UnsupportedMediaType, BadRequest, Invalid, UploadTooLarge, QuotaExceeded, TooManyUploads, ContentNotFound,
            GateInvalid, StorageFull.
        """
        boundary = boundary_of(request.headers.get("content-type", ""))
        if boundary is None:
            raise UnsupportedMediaType("Send the file as multipart/form-data, in the part 'file'")
        length = request.headers.get("content-length", "")
        if length.isdecimal():
            self._uploads.check_size(int(length) - FORM_SLACK_BYTES)
            self._quota.check_size(int(length) - FORM_SLACK_BYTES, await self._quota.left_bytes(actor.user_id))
        taking = _Taking(self, actor)
        try:
            async with aclosing(read_form(request.stream(), boundary)) as form:
                async for event in form:
                    match event:
                        case PartBegins(name="file"):
                            await taking.take_file(form, event)
                        case PartBegins(name=name):
                            await taking.take_field(form, name)
            return await taking.end()
        except BaseException as fault:
            await self._take_back(taking, fault)
            raise

    async def open(self, actor: Actor, new: NewUpload) -> Upload:
        return await self._uploads.open_single(actor, new, LEASE_S)

    async def store(self, upload: Upload, form: AsyncIterator[FormEvent]) -> BlobInfo:
        try:
            return await self._blobs.put(upload.source_key, self._watched(upload, form))
        except blob_store.StorageFull as fault:
            raise StorageFull(fault.detail, retry_after_s=fault.retry_after_s) from fault

    async def _watched(self, upload: Upload, form: AsyncIterator[FormEvent]) -> AsyncIterator[bytes]:
        """The bytes of the part that has begun; while they come, the upload does not expire."""
        renew_at_s = self._clock.monotonic_s() + RENEW_S
        size_bytes = 0
        left_bytes = await self._quota.left_bytes(upload.owner)
        async for event in form:
            match event:
                case PartData(data=data):
                    size_bytes += len(data)
                    self._uploads.check_size(size_bytes)
                    self._quota.check_size(size_bytes, left_bytes)
                    RECEIVED.labels("single").inc(len(data))
                    await self._live.progress(upload, size_bytes)
                    if self._clock.monotonic_s() >= renew_at_s:
                        renew_at_s += RENEW_S
                        await self.renew(upload.upload_id, size_bytes)
                    yield data
                case PartEnds():
                    break
        if size_bytes == 0:
            raise Invalid("The file is empty", errors=(FieldError("file", "is empty"),))

    async def renew(self, upload_id: str, received_bytes: int) -> None:
        """Raises BadRequest when it was aborted or given up."""

        def run(session: Session) -> None:
            row = repository.lock(session, upload_id)
            if row is None or row.status != "receiving":
                raise BadRequest("The upload was aborted meanwhile")
            row.received_bytes = row.counted_bytes = received_bytes
            row.updated_at_ms = self._clock.now_ms()
            row.expires_at_ms = row.updated_at_ms + round(LEASE_S * 1000)

        await self._db.write(run)

    async def read_gate(self, text: str) -> Rule:
        return await read_gate(self._auth, text)

    def details_of(self, upload: Upload, actor: Actor) -> Details:
        return Details(self._metadata, self._auth, actor, upload.content_id)

    async def announce(self, upload: Upload, actor: Actor) -> None:
        await self._uploads.announce(actor, upload)

    async def finish(self, upload: Upload, stored: BlobInfo) -> Upload:
        def run(session: Session) -> Upload:
            row = repository.lock(session, upload.upload_id)
            if row is None or row.status != "receiving":
                raise closed(upload if row is None else repository.to_upload(row))
            row.size_bytes, row.sha256 = stored.size_bytes, stored.sha256
            ending.finish(session, row, "complete", self._clock.now_ms())
            self._quota.check_stored(session, row.owner)
            return repository.to_upload(row)

        finished = await self._db.write(run)
        await self._live.changed(finished)
        logger.bind(upload_id=upload.upload_id, content_id=upload.content_id, size_bytes=stored.size_bytes).info(
            "upload finished"
        )
        return finished

    async def _take_back(self, taking: _Taking, fault: BaseException) -> None:
        """As far as it goes: a row that stays expires, a content that stays has failed. Only what was finished stays
        as it is, where just the answer was lost."""
        upload = taking.upload
        if upload is None:
            return
        log = logger.bind(upload_id=upload.upload_id, content_id=upload.content_id)
        try:
            is_finished, is_alone = await self._fail(upload, fault)
        except Exception as second:
            is_finished = is_alone = False
            log.bind(error=repr(second)).warning("upload left to expire")
        if is_finished:
            return
        try:
            await self._tell_end(upload.upload_id)
            if not taking.made_content:
                await taking.undo()
            elif is_alone:
                await self._metadata.delete(ContentDelete(content_id=upload.content_id, actor=taking.actor))
                await self._blobs.delete(upload.source_key)
                await self._db.write(lambda session: repository.forget(session, upload.upload_id))
        except Exception as second:
            log.bind(error=repr(second)).warning("a refused upload's traces stay")

    async def _tell_end(self, upload_id: str) -> None:
        failed = await self._db.read(lambda session: repository.find(session, upload_id))
        if failed is not None:
            await self._live.changed(failed)

    async def _fail(self, upload: Upload, fault: BaseException) -> tuple[bool, bool]:
        """Whether it had been finished after all, and whether it is its content's only upload."""
        code, detail = ending.INTERRUPTED, "The request broke off"
        if isinstance(fault, StreamgateError):
            code, detail = fault.code, fault.detail

        def run(session: Session) -> tuple[bool, bool]:
            rows = {row.upload_id: row for row in repository.of_content(session, upload.content_id)}
            row = rows.get(upload.upload_id)
            if row is None:
                return False, False
            if row.status == "complete":
                return True, False
            row.to_sweep = True
            if row.status == "receiving":
                ending.give_up(session, row, "failed", self._clock.now_ms(), code=code, detail=detail)
            return False, len(rows) == 1

        return await self._db.write(run)


class _Taking:
    """One request on its way. `made_content`: the content is there by this request."""

    def __init__(self, receiver: SingleReceiver, actor: Actor) -> None:
        self._receiver = receiver
        self._fields: dict[str, str] = {}
        self._title: str | None = None
        self._gate: Rule | None = None
        self._stored: BlobInfo | None = None
        self._details: Details | None = None
        self.actor = actor
        self.upload: Upload | None = None
        self.made_content = False

    async def take_field(self, form: AsyncIterator[FormEvent], name: str) -> None:
        """Checks what can be checked of it."""
        if name not in FIELDS:
            raise _wrong(name, "is not a known field")
        if name in self._fields:
            raise _wrong(name, "is given more than once")
        if name == "content_id" and self.upload is not None:
            raise _wrong(name, "must come before the file")
        value = await _read_field(form, name)
        self._fields[name] = value
        if name == "title":
            self._title = value
        elif name == "gate":
            self._gate = await self._receiver.read_gate(value)

    async def take_file(self, form: AsyncIterator[FormEvent], part: PartBegins) -> None:
        """A new content begins with its title; one that is there keeps its own until the end."""
        if self.upload is not None:
            raise _wrong("file", "is given more than once")
        content_id = self._fields.get("content_id") or None
        content_type = part.headers.get("content-type", "")
        new = NewUpload(
            filename=part.filename or "",
            size_bytes=0,
            content_type=content_type if is_content_type(content_type) else "",
            content_id=content_id,
            title=self._title,
        )
        self.upload = await self._receiver.open(self.actor, new)
        if content_id is None:
            self.made_content, self._title = True, None
        self._stored = await self._receiver.store(self.upload, form)

    async def end(self) -> Upload:
        """An upload that was aborted meanwhile does not come to change its content."""
        if self.upload is None or self._stored is None:
            raise _wrong("file", "is required")
        if self._title is not None or self._gate is not None:
            await self._receiver.renew(self.upload.upload_id, self._stored.size_bytes)
            self._details = self._receiver.details_of(self.upload, self.actor)
            await self._details.apply(self._title, self._gate)
        if not self.made_content:
            await self._receiver.announce(self.upload, self.actor)
        return await self._receiver.finish(self.upload, self._stored)

    async def undo(self) -> None:
        if self._details is not None:
            await self._details.undo()


async def _read_field(form: AsyncIterator[FormEvent], name: str) -> str:
    value = b""
    async for event in form:
        match event:
            case PartData(data=data):
                value += data
                if len(value) > FIELD_MAX_BYTES:
                    raise _wrong(name, f"must have at most {FIELD_MAX_BYTES} bytes")
            case PartEnds():
                break
    if b"\0" in value:  # PostgreSQL cannot store it
        raise _wrong(name, "must not contain U+0000")
    try:
        return value.decode()
    except UnicodeDecodeError as fault:
        raise _wrong(name, "is not UTF-8") from fault


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"The form is not valid: {field} {message}", errors=(FieldError(field, message),))
