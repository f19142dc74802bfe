"""A whole file in one request: multipart/form-data, streamed into the blob store and hashed on the way.

`content_id` comes before the file, because the content is known before its first byte is taken; `title` and `gate`
may come on either side.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import orjson
from loguru import logger
from sqlalchemy.orm import Session
from starlette.requests import Request

from streamgate.context import Actor
from streamgate.contracts.auth import Auth, SetGate
from streamgate.contracts.metadata import ContentUpdate, Metadata
from streamgate.contracts.uploads import StorageFull
from streamgate.errors import BadRequest, FieldError, Invalid, StreamgateError, UnsupportedMediaType
from streamgate.sdk import blobs as blob_store
from streamgate.sdk.blobs import BlobInfo, BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_upload import ending, repository
from streamgate_upload.forms import FormEvent, PartBegins, PartData, PartEnds, boundary_of, read_form
from streamgate_upload.names import is_content_type
from streamgate_upload.receiving import closed
from streamgate_upload.repository import Upload
from streamgate_upload.service import NewUpload, Uploads

FIELD_MAX_BYTES = 64 * 1024
FIELDS = ("title", "content_id", "gate")
FORM_SLACK_BYTES = 1024 * 1024
LEASE_S = 120.0
RENEW_S = 30.0


class SingleReceiver:
    """Takes such requests. One that breaks off fails its upload; there is nothing to resume."""

    def __init__(
        self, db: Database, blobs: BlobStore, clock: Clock, uploads: Uploads, metadata: Metadata, auth: Auth
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._uploads = uploads
        self._metadata = metadata
        self._auth = auth

    async def receive(self, actor: Actor, request: Request) -> Upload:
        """The finished upload.

        Raises:
            UnsupportedMediaType, BadRequest, Invalid, UploadTooLarge, TooManyUploads, ContentNotFound, GateInvalid,
            StorageFull.
        """
        boundary = boundary_of(request.headers.get("content-type", ""))
        if boundary is None:
            raise UnsupportedMediaType("Send the file as multipart/form-data, in the part 'file'")
        length = request.headers.get("content-length", "")
        if length.isdecimal():
            self._uploads.check_size(int(length) - FORM_SLACK_BYTES)
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
            if taking.upload is not None:
                await self._fail(taking.upload, fault)
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
        async for event in form:
            match event:
                case PartData(data=data):
                    size_bytes += len(data)
                    self._uploads.check_size(size_bytes)
                    if self._clock.monotonic_s() >= renew_at_s:
                        renew_at_s += RENEW_S
                        await self._renew(upload.upload_id, size_bytes)
                    yield data
                case PartEnds():
                    break
        if size_bytes == 0:
            raise Invalid("The file is empty", errors=(FieldError("file", "is empty"),))

    async def _renew(self, upload_id: str, received_bytes: int) -> None:
        def run(session: Session) -> None:
            row = repository.lock(session, upload_id)
            if row is None or row.status != "receiving":
                raise BadRequest("The upload was aborted meanwhile")
            row.received_bytes, row.updated_at_ms = received_bytes, self._clock.now_ms()
            row.expires_at_ms = row.updated_at_ms + round(LEASE_S * 1000)

        await self._db.write(run)

    async def set_title(self, actor: Actor, content_id: str, title: str) -> None:
        await self._metadata.update(ContentUpdate(content_id=content_id, actor=actor, title=title))

    async def set_gate(self, actor: Actor, content_id: str, gate: str) -> None:
        try:
            rule = orjson.loads(gate)
        except orjson.JSONDecodeError:
            rule = None
        if not isinstance(rule, dict):
            raise Invalid("The gate is not a JSON object", errors=(FieldError("gate", "is not a JSON object"),))
        await self._auth.set_gate(SetGate(content_id=content_id, actor=actor, gate=rule))

    async def finish(self, upload: Upload, stored: BlobInfo) -> Upload:
        def run(session: Session) -> Upload:
            row = repository.lock(session, upload.upload_id)
            if row is None or row.status != "receiving":
                raise closed(upload if row is None else repository.to_upload(row))
            row.size_bytes, row.sha256 = stored.size_bytes, stored.sha256
            ending.finish(session, row, "complete", self._clock.now_ms())
            return repository.to_upload(row)

        finished = await self._db.write(run)
        logger.bind(upload_id=upload.upload_id, content_id=upload.content_id, size_bytes=stored.size_bytes).info(
            "upload finished"
        )
        return finished

    async def _fail(self, upload: Upload, fault: BaseException) -> None:
        code, detail = ending.INTERRUPTED, "The request broke off"
        if isinstance(fault, StreamgateError):
            code, detail = fault.code, fault.detail

        def run(session: Session) -> None:
            row = repository.lock(session, upload.upload_id)
            if row is None:
                return
            row.to_sweep = True
            if row.status == "receiving":
                ending.give_up(session, row, "failed", self._clock.now_ms(), code=code, detail=detail)

        try:
            await self._db.write(run)
        except Exception as second:
            logger.bind(upload_id=upload.upload_id, error=repr(second)).warning("upload left to expire")


class _Taking:
    """One request on its way."""

    def __init__(self, receiver: SingleReceiver, actor: Actor) -> None:
        self._receiver = receiver
        self._actor = actor
        self._fields: dict[str, str] = {}
        self._stored: BlobInfo | None = None
        self.upload: Upload | None = None

    async def take_field(self, form: AsyncIterator[FormEvent], name: str) -> None:
        if name not in FIELDS:
            raise _wrong(name, "is not a known field")
        if name in self._fields:
            raise _wrong(name, "is given more than once")
        if name == "content_id" and self.upload is not None:
            raise _wrong(name, "must come before the file")
        value = await _read_field(form, name)
        self._fields[name] = value
        if self.upload is not None and name == "title":
            await self._receiver.set_title(self._actor, self.upload.content_id, value)
        if self.upload is not None and name == "gate":
            await self._receiver.set_gate(self._actor, self.upload.content_id, value)

    async def take_file(self, form: AsyncIterator[FormEvent], part: PartBegins) -> None:
        if self.upload is not None:
            raise _wrong("file", "is given more than once")
        content_id, title = self._fields.get("content_id") or None, self._fields.get("title")
        content_type = part.headers.get("content-type", "")
        new = NewUpload(
            filename=part.filename or "",
            size_bytes=0,
            content_type=content_type if is_content_type(content_type) else "",
            content_id=content_id,
            title=title,
        )
        self.upload = await self._receiver.open(self._actor, new)
        if content_id is not None and title is not None:
            await self._receiver.set_title(self._actor, content_id, title)
        if "gate" in self._fields:
            await self._receiver.set_gate(self._actor, self.upload.content_id, self._fields["gate"])
        self._stored = await self._receiver.store(self.upload, form)

    async def end(self) -> Upload:
        if self.upload is None or self._stored is None:
            raise _wrong("file", "is required")
        return await self._receiver.finish(self.upload, self._stored)


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
