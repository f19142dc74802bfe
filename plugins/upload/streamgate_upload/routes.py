"""Uploads over HTTP, by the mission's paths."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from streamgate.context import Actor
from streamgate.contracts.gate import GateInvalid
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.uploads import (
    ChunkBusy,
    ChunkDiffers,
    ChunkInvalid,
    ChunksMissing,
    DigestMismatch,
    StorageFull,
    TooManyUploads,
    UploadClosed,
    UploadNotFound,
    UploadStatus,
    UploadTooLarge,
)
from streamgate.errors import UnsupportedMediaType
from streamgate.sdk.clock import rfc3339
from streamgate.web.routes import CREATOR, SIGNED_IN, Call, Route, owner
from streamgate_upload.bodies import ChunkBody
from streamgate_upload.digests import HashPool, parse_sha256
from streamgate_upload.finishing import Finisher
from streamgate_upload.receiving import ChunkAck, ChunkReceiver
from streamgate_upload.repository import Upload
from streamgate_upload.service import NewUpload, Uploads
from streamgate_upload.single import SingleReceiver

PREFIX = "/api/v1/upload"


@attrs.frozen(kw_only=True)
class InitBody:
    """`content_id` left out makes a new content, with `title` or the file's name."""

    filename: str
    size_bytes: int
    content_type: str = ""
    sha256: str = ""
    content_id: str | None = None
    title: str | None = None


@attrs.frozen(kw_only=True)
class InitAnswer:
    """Chunk `index` (0 to `chunks` - 1) is the file's bytes from `index` × `chunk_size_bytes` on."""

    upload_id: str
    content_id: str
    filename: str
    size_bytes: int
    chunk_size_bytes: int
    chunks: int
    expires_at: str


@attrs.frozen(kw_only=True)
class ChunkQuery:
    upload_id: str
    index: int


@attrs.frozen(kw_only=True)
class UploadId:
    upload_id: str


@attrs.frozen(kw_only=True)
class CompleteBody:
    upload_id: str
    sha256: str = ""


@attrs.frozen(kw_only=True)
class UploadAnswer:
    """`sha256` is null until it is computed."""

    upload_id: str
    content_id: str
    filename: str
    size_bytes: int
    sha256: str | None
    status: UploadStatus


@attrs.frozen(kw_only=True)
class StatusAnswer:
    """What a sender needs to go on: `missing_chunks` are those not acknowledged, `progress` 0 to 1."""

    upload_id: str
    content_id: str
    filename: str
    status: UploadStatus
    size_bytes: int
    chunk_size_bytes: int
    chunks: int
    received_bytes: int
    progress: float
    missing_chunks: tuple[int, ...]
    sha256: str | None
    failure: str
    failure_detail: str
    created_at: str
    expires_at: str | None


@attrs.frozen(kw_only=True)
class ListQuery:
    limit: int = 50
    cursor: str = ""


@attrs.frozen(kw_only=True)
class ListItem:
    upload_id: str
    content_id: str
    filename: str
    status: UploadStatus
    size_bytes: int
    received_bytes: int
    progress: float
    created_at: str


@attrs.frozen(kw_only=True)
class ListAnswer:
    items: tuple[ListItem, ...]
    next_cursor: str | None = None


class UploadRoutes:
    """The handlers."""

    def __init__(
        self, uploads: Uploads, receiver: ChunkReceiver, finisher: Finisher, single: SingleReceiver, hashing: HashPool
    ) -> None:
        self._uploads = uploads
        self._receiver = receiver
        self._finisher = finisher
        self._single = single
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
                    "The transcode starts by itself."
                ),
                errors=(
                    UploadTooLarge,
                    TooManyUploads,
                    ContentNotFound,
                    GateInvalid,
                    StorageFull,
                    UnsupportedMediaType,
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
                errors=(UploadTooLarge, TooManyUploads, ContentNotFound, StorageFull),
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
        ]

    async def _guard(self, actor: Actor, texts: Mapping[str, str]) -> None:
        if "upload_id" in texts:
            await self._uploads.check_owned(actor, texts["upload_id"])

    async def _whole(self, call: Call[None, None]) -> UploadAnswer:
        return _answer(await self._single.receive(call.actor, call.request))

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
        return InitAnswer(
            upload_id=upload.upload_id,
            content_id=upload.content_id,
            filename=upload.filename,
            size_bytes=upload.size_bytes,
            chunk_size_bytes=upload.chunk_size_bytes,
            chunks=upload.chunks.count,
            expires_at=rfc3339(upload.expires_at_ms),
        )

    async def _chunk(self, call: Call[None, ChunkQuery]) -> ChunkAck:
        body = ChunkBody(call.request, self._hashing)
        return await self._receiver.receive(call.actor, call.query.upload_id, call.query.index, body)

    async def _complete(self, call: Call[CompleteBody, None]) -> UploadAnswer:
        sha256 = parse_sha256(call.body.sha256) if call.body.sha256 else ""
        return _answer(await self._finisher.complete(call.actor, call.body.upload_id, sha256))

    async def _status(self, call: Call[None, UploadId]) -> StatusAnswer:
        found = await self._uploads.find(call.actor, call.query.upload_id)
        upload = found.upload
        return StatusAnswer(
            upload_id=upload.upload_id,
            content_id=upload.content_id,
            filename=upload.filename,
            status=upload.status,
            size_bytes=upload.size_bytes,
            chunk_size_bytes=upload.chunk_size_bytes,
            chunks=upload.chunks.count if upload.chunk_size_bytes else 0,
            received_bytes=upload.received_bytes,
            progress=_progress(upload),
            missing_chunks=found.missing_chunks,
            sha256=upload.sha256 or None,
            failure=upload.failure,
            failure_detail=upload.failure_detail,
            created_at=rfc3339(upload.created_at_ms),
            expires_at=rfc3339(upload.expires_at_ms) if upload.status == "receiving" else None,
        )

    async def _abort(self, call: Call[None, UploadId]) -> None:
        await self._uploads.abort(call.actor, call.query.upload_id)

    async def _list(self, call: Call[None, ListQuery]) -> ListAnswer:
        uploads, next_cursor = await self._uploads.list_own(call.actor, call.query.limit, call.query.cursor)
        return ListAnswer(items=tuple(_item(upload) for upload in uploads), next_cursor=next_cursor)


def _answer(upload: Upload) -> UploadAnswer:
    return UploadAnswer(
        upload_id=upload.upload_id,
        content_id=upload.content_id,
        filename=upload.filename,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256 or None,
        status=upload.status,
    )


def _item(upload: Upload) -> ListItem:
    return ListItem(
        upload_id=upload.upload_id,
        content_id=upload.content_id,
        filename=upload.filename,
        status=upload.status,
        size_bytes=upload.size_bytes,
        received_bytes=upload.received_bytes,
        progress=_progress(upload),
        created_at=rfc3339(upload.created_at_ms),
    )


def _progress(upload: Upload) -> float:
    """0 while the size is not known (one request that has not ended)."""
    return round(upload.received_bytes / upload.size_bytes, 6) if upload.size_bytes else 0.0
