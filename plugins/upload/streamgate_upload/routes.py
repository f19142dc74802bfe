"""Uploads over HTTP, by the mission's paths."""

from __future__ import annotations

from collections.abc import Mapping

from streamgate.context import Actor
from streamgate.contracts.gate import GateInvalid
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.uploads import (
    ChunkBusy,
    ChunkDiffers,
    ChunkInvalid,
    ChunksMissing,
    DigestMismatch,
    QuotaExceeded,
    StorageFull,
    TooManyUploads,
    UploadClosed,
    UploadNotFound,
    UploadTooLarge,
)
from streamgate.errors import BadRequest, Invalid, UnsupportedMediaType
from streamgate.sdk.outgoing import AddressRefused, UrlRefused
from streamgate.web.routes import CREATOR, SIGNED_IN, Call, Route, owner
from streamgate_upload.bodies import ChunkBody
from streamgate_upload.digests import HashPool, parse_sha256
from streamgate_upload.finishing import Finisher
from streamgate_upload.importing import Importer, Wanted
from streamgate_upload.quota import Quota
from streamgate_upload.receiving import ChunkAck, ChunkReceiver
from streamgate_upload.service import NewUpload, Uploads
from streamgate_upload.shapes import (
    ChunkQuery,
    CompleteBody,
    ImportBody,
    InitAnswer,
    InitBody,
    ListAnswer,
    ListQuery,
    QuotaAnswer,
    StatusAnswer,
    UploadAnswer,
    UploadId,
    init_answer,
    list_item,
    quota_answer,
    status_answer,
    upload_answer,
)
from streamgate_upload.single import SingleReceiver

PREFIX = "/api/v1/upload"


class UploadRoutes:
    """The handlers."""

    def __init__(
        self,
        uploads: Uploads,
        receiver: ChunkReceiver,
        finisher: Finisher,
        single: SingleReceiver,
        importer: Importer,
        quota: Quota,
        hashing: HashPool,
    ) -> None:
        self._uploads = uploads
        self._receiver = receiver
        self._finisher = finisher
        self._single = single
        self._importer = importer
        self._quota = quota
        self._hashing = hashing

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                PREFIX,
                self._whole,
                policy=CREATOR,
                raw_body=True,
                accepts=("multipart/form-data",),
                answer=UploadAnswer,
                status=201,
                timeout_s=None,
                summary="Upload a file in one request",
                description=(
                    "A form with the part `file`, and `content_id` (before it), `title`, `gate` (JSON) as wanted. "
                    "The transcode starts by itself. A request that is refused changes neither title nor gate."
                ),
                errors=(
                    UploadTooLarge,
                    QuotaExceeded,
                    TooManyUploads,
                    ContentNotFound,
                    GateInvalid,
                    StorageFull,
                    UnsupportedMediaType,
                    BadRequest,
                    Invalid,
                ),
            ),
            Route(
                "POST",
                f"{PREFIX}/init",
                self._init,
                policy=CREATOR,
                body=InitBody,
                answer=InitAnswer,
                status=201,
                summary="Begin an upload in chunks",
                errors=(UploadTooLarge, QuotaExceeded, TooManyUploads, ContentNotFound, StorageFull),
            ),
            Route(
                "POST",
                f"{PREFIX}/chunk",
                self._chunk,
                policy=owner("upload_id"),
                guard=self._guard,
                query=ChunkQuery,
                raw_body=True,
                accepts=("application/octet-stream", "multipart/form-data"),
                answer=ChunkAck,
                timeout_s=None,
                headers_doc={"Content-Digest": "`sha-256=:…:` (RFC 9530): the bytes are checked against it."},
                summary="Send a chunk",
                audited="none",
                description=(
                    "The raw bytes, or a form with the one part `chunk`. In any order, several at once; sending one "
                    "again is harmless. What is acknowledged survives a crash of the server."
                ),
                errors=(
                    UploadNotFound,
                    UploadClosed,
                    ChunkBusy,
                    ChunkDiffers,
                    ChunkInvalid,
                    DigestMismatch,
                    StorageFull,
                    UnsupportedMediaType,
                    BadRequest,
                ),
            ),
            Route(
                "POST",
                f"{PREFIX}/complete",
                self._complete,
                policy=owner("upload_id"),
                body=CompleteBody,
                answer=UploadAnswer,
                timeout_s=120.0,
                summary="Finish an upload",
                description=(
                    "The media work starts at once; `sha256` is null until it is computed (status `verifying`). A file "
                    "that does not match the declared SHA-256 fails afterwards and takes the content back."
                ),
                errors=(UploadNotFound, ChunksMissing, UploadClosed, DigestMismatch),
            ),
            Route(
                "GET",
                f"{PREFIX}/status",
                self._status,
                policy=owner("upload_id"),
                guard=self._guard,
                query=UploadId,
                answer=StatusAnswer,
                summary="How far an upload is",
                errors=(UploadNotFound,),
            ),
            Route(
                "DELETE",
                PREFIX,
                self._abort,
                policy=owner("upload_id"),
                guard=self._guard,
                query=UploadId,
                status=204,
                summary="Abort an upload",
                errors=(UploadNotFound, UploadClosed),
            ),
            Route(
                "GET",
                f"{PREFIX}/list",
                self._list,
                policy=SIGNED_IN,
                query=ListQuery,
                answer=ListAnswer,
                summary="Own uploads, newest first",
            ),
            Route(
                "POST",
                f"{PREFIX}/import",
                self._import,
                policy=CREATOR,
                body=ImportBody,
                answer=UploadAnswer,
                status=202,
                summary="Have a file fetched from a URL",
                description=(
                    "It is fetched in the background: `status` tells how far, a DELETE ends it. Only public addresses "
                    "are asked. A host that does not answer is tried again, from the beginning, a few times."
                ),
                errors=(UrlRefused, AddressRefused, GateInvalid, QuotaExceeded, TooManyUploads, ContentNotFound),
            ),
            Route(
                "GET",
                f"{PREFIX}/quota",
                self._usage,
                policy=SIGNED_IN,
                answer=QuotaAnswer,
                summary="What one's uploads take, and how much they may",
            ),
        ]

    async def _guard(self, actor: Actor, texts: Mapping[str, str]) -> None:
        if "upload_id" in texts:
            await self._uploads.check_owned(actor, texts["upload_id"])

    async def _whole(self, call: Call[None, None]) -> UploadAnswer:
        return upload_answer(await self._single.receive(call.actor, call.request))

    async def _init(self, call: Call[InitBody, None]) -> InitAnswer:
        body = call.body
        upload = await self._uploads.open_chunked(
            call.actor,
            NewUpload(
                filename=body.filename,
                size_bytes=body.size_bytes,
                content_type=body.content_type,
                sha256=body.sha256,
                content_id=body.content_id,
                title=body.title,
            ),
        )
        return init_answer(upload)

    async def _chunk(self, call: Call[None, ChunkQuery]) -> ChunkAck:
        body = ChunkBody(call.request, self._hashing)
        return await self._receiver.receive(call.actor, call.query.upload_id, call.query.index, body)

    async def _import(self, call: Call[ImportBody, None]) -> UploadAnswer:
        body = call.body
        wanted = Wanted(url=body.url, title=body.title, content_id=body.content_id, gate=body.gate)
        return upload_answer(await self._importer.submit(call.actor, wanted))

    async def _usage(self, call: Call[None, None]) -> QuotaAnswer:
        return quota_answer(await self._quota.usage(call.actor.user_id))

    async def _complete(self, call: Call[CompleteBody, None]) -> UploadAnswer:
        sha256 = parse_sha256(call.body.sha256) if call.body.sha256 else ""
        return upload_answer(await self._finisher.complete(call.actor, call.body.upload_id, sha256))

    async def _status(self, call: Call[None, UploadId]) -> StatusAnswer:
        return status_answer(await self._uploads.find(call.actor, call.query.upload_id))

    async def _abort(self, call: Call[None, UploadId]) -> None:
        await self._uploads.abort(call.actor, call.query.upload_id)

    async def _list(self, call: Call[None, ListQuery]) -> ListAnswer:
        uploads, next_cursor = await self._uploads.list_own(call.actor, call.query.limit, call.query.cursor)
        return ListAnswer(items=tuple(list_item(upload) for upload in uploads), next_cursor=next_cursor)
