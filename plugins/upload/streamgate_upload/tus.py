"""tus 1.0.0 over HTTP (https://tus.io/protocols/resumable-upload): core, creation, creation-with-upload, termination,
expiration."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import Response

from streamgate.context import Actor
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.uploads import (
    OffsetMismatch,
    QuotaExceeded,
    StorageFull,
    TooManyUploads,
    TusVersionUnknown,
    UploadBusy,
    UploadClosed,
    UploadGone,
    UploadNotFound,
    UploadTooLarge,
)
from streamgate.errors import BadRequest, FieldError, Invalid, StreamgateError, UnsupportedMediaType
from streamgate.web.problems import problem_document, problem_headers
from streamgate.web.request_id import request_id_of
from streamgate.web.routes import CREATOR, PUBLIC, Call, Route, owner
from streamgate_upload.appending import Appender, check_open
from streamgate_upload.names import is_content_type
from streamgate_upload.repository import Upload
from streamgate_upload.service import NewUpload, Uploads
from streamgate_upload.shapes import StatusAnswer, UploadId, status_answer

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
BYTES_TYPE = "application/offset+octet-stream"
METADATA_MAX_CHARS = 8192

_NUMBER = re.compile(r"[0-9]{1,18}")


class TusRoutes:
    """The handlers. Every answer, errors included, says which tus is spoken."""

    def __init__(self, uploads: Uploads, appender: Appender, prefix: str, *, max_size_bytes: int) -> None:
        self._uploads = uploads
        self._appender = appender
        self._prefix = prefix
        self._max_size_bytes = max_size_bytes

    def routes(self) -> list[Route]:
        one = f"{self._prefix}/{{upload_id}}"
        headers = {"Tus-Resumable": "`1.0.0`."}
        return [
            Route(
                "OPTIONS",
                self._prefix,
                self._answered(self._options, checks_version=False),
                policy=PUBLIC,
                reads_bearer=False,
                status=204,
                summary="What of tus is spoken here",
            ),
            Route(
                "POST",
                self._prefix,
                self._answered(self._create),
                policy=CREATOR,
                raw_body=True,
                accepts=(BYTES_TYPE,),
                status=201,
                timeout_s=None,
                summary="Begin a tus upload",
                headers_doc={
                    **headers,
                    "Upload-Length": "Size of the file in bytes.",
                    "Upload-Metadata": "`filename`, `filetype`, `title`, `content_id`, each with its value in base64.",
                },
                description="With bytes in the body (creation-with-upload) the upload begins at once.",
                errors=(
                    UploadTooLarge,
                    QuotaExceeded,
                    TooManyUploads,
                    ContentNotFound,
                    StorageFull,
                    TusVersionUnknown,
                    UnsupportedMediaType,
                    BadRequest,
                    Invalid,
                ),
            ),
            Route(
                "GET",
                one,
                self._answered(self._look, checks_version=False),
                policy=owner("upload_id"),
                guard=self._guard,
                query=UploadId,
                answer=StatusAnswer,
                summary="How far a tus upload is",
                description="HEAD answers with `Upload-Offset`, as tus has it; GET as `/api/v1/upload/status`.",
                errors=(UploadNotFound, UploadClosed, UploadGone, TusVersionUnknown),
            ),
            Route(
                "PATCH",
                one,
                self._answered(self._append),
                policy=owner("upload_id"),
                guard=self._guard,
                query=UploadId,
                raw_body=True,
                accepts=(BYTES_TYPE,),
                status=204,
                timeout_s=None,
                summary="Continue a tus upload",
                audited=False,
                headers_doc={**headers, "Upload-Offset": "Where the bytes of the body begin in the file."},
                description=(
                    "What comes of a request that breaks off is kept. With the last byte the media work starts."
                ),
                errors=(
                    UploadNotFound,
                    UploadClosed,
                    UploadGone,
                    UploadBusy,
                    OffsetMismatch,
                    UploadTooLarge,
                    StorageFull,
                    UnsupportedMediaType,
                    BadRequest,
                    TusVersionUnknown,
                ),
            ),
            Route(
                "DELETE",
                one,
                self._answered(self._end),
                policy=owner("upload_id"),
                guard=self._guard,
                query=UploadId,
                status=204,
                summary="Abort a tus upload",
                errors=(UploadNotFound, UploadClosed, TusVersionUnknown),
            ),
        ]

    def _answered(
        self, handler: Callable[[Call[Any, Any]], Awaitable[Response | StatusAnswer]], *, checks_version: bool = True
    ) -> Callable[[Call[Any, Any]], Awaitable[Response | StatusAnswer]]:
        async def answer(call: Call[Any, Any]) -> Response | StatusAnswer:
            try:
                if checks_version or call.request.method == "HEAD":
                    _check_version(call.request)
                answered = await handler(call)
            except StreamgateError as error:
                if error.status >= 500:  # the edge logs and renders those
                    raise
                answered = _problem(call.request, error)
            if isinstance(answered, Response):
                answered.headers["Tus-Resumable"] = VERSION
            return answered

        return answer

    async def _guard(self, actor: Actor, texts: Mapping[str, str]) -> None:
        await self._uploads.check_owned(actor, texts["upload_id"])

    async def _options(self, call: Call[None, None]) -> Response:
        said = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(self._max_size_bytes)}
        return Response(status_code=204, headers=said)

    async def _create(self, call: Call[None, None]) -> Response:
        request = call.request
        length = request.headers.get("upload-length", "")
        if not _NUMBER.fullmatch(length):
            raise BadRequest("Upload-Length must be the size of the file in bytes; it cannot be told later")
        is_with_bytes = request.headers.get("content-type", "") == BYTES_TYPE
        sent = request.headers.get("content-length", "0")
        if not is_with_bytes and sent != "0":
            raise UnsupportedMediaType(f"Bytes are sent as {BYTES_TYPE}")
        upload = await self._uploads.open_chunked(call.actor, _new(int(length), request), "tus")
        if is_with_bytes:
            upload = await self._appender.append(call.actor, upload.upload_id, 0, request.stream())
        return Response(status_code=201, headers={"Location": f"{self._prefix}/{upload.upload_id}", **_where(upload)})

    async def _look(self, call: Call[None, UploadId]) -> Response | StatusAnswer:
        found = await self._uploads.find(call.actor, call.query.upload_id)
        if call.request.method != "HEAD":
            return status_answer(found)
        check_open(found.upload)
        length = {"Upload-Length": str(found.upload.size_bytes)}
        return Response(status_code=200, headers={**_where(found.upload), **length, "Cache-Control": "no-store"})

    async def _append(self, call: Call[None, UploadId]) -> Response:
        request = call.request
        if request.headers.get("content-type", "") != BYTES_TYPE:
            raise UnsupportedMediaType(f"Bytes are sent as {BYTES_TYPE}")
        offset = request.headers.get("upload-offset", "")
        if not _NUMBER.fullmatch(offset):
            raise BadRequest("Upload-Offset must say where the bytes begin")
        upload = await self._appender.append(call.actor, call.query.upload_id, int(offset), request.stream())
        return Response(status_code=204, headers=_where(upload))

    async def _end(self, call: Call[None, UploadId]) -> Response:
        await self._uploads.abort(call.actor, call.query.upload_id)
        return Response(status_code=204)


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise TusVersionUnknown(f"Send `Tus-Resumable: {VERSION}`")


def _problem(request: Request, error: StreamgateError) -> Response:
    import orjson

    request_id = request_id_of(request.scope)
    headers = {name.decode(): value.decode() for name, value in problem_headers(error)}
    if isinstance(error, TusVersionUnknown):
        headers["Tus-Version"] = VERSION
    return Response(orjson.dumps(problem_document(error, request_id)), status_code=error.status, headers=headers)


def _where(upload: Upload) -> dict[str, str]:
    said = {"Upload-Offset": str(upload.received_bytes)}
    if upload.status == "receiving":
        said["Upload-Expires"] = formatdate(upload.expires_at_ms / 1000, usegmt=True)
    return said


def _new(size_bytes: int, request: Request) -> NewUpload:
    told = parse_metadata(request.headers.get("upload-metadata", ""))
    filetype = told.get("filetype", "")
    new = NewUpload(
        filename=told.get("filename", told.get("name", "")),
        size_bytes=size_bytes,
        content_type=filetype if is_content_type(filetype) else "",
        content_id=told.get("content_id") or None,
    )
    return new if "title" not in told else attrs.evolve(new, title=told["title"])


def parse_metadata(header: str) -> dict[str, str]:
    """`filename Y2xpcC5tcDQ=,is_draft` as texts by key; a key alone has the empty text.

    Raises:
        Invalid: something of it cannot be read.
    """
    told: dict[str, str] = {}
    if len(header) > METADATA_MAX_CHARS:
        raise _unreadable(f"has more than {METADATA_MAX_CHARS} characters")
    for pair in header.split(",") if header.strip() else ():
        key, _, value = pair.strip().partition(" ")
        if not key or key in told:
            raise _unreadable("has a key twice, or none")
        try:
            told[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as fault:
            raise _unreadable(f"has a value for {key[:40]!r} that is not base64 of UTF-8") from fault
        if "\0" in told[key]:
            raise _unreadable("must not contain U+0000")
    return told


def _unreadable(message: str) -> Invalid:
    return Invalid("Upload-Metadata cannot be read", errors=(FieldError("Upload-Metadata", message),))
