"""tus 1.0.0 over HTTP (https://tus.io/protocols/resumable-upload): the core and all extensions but checksum-trailer,
which no ASGI server gives us, and concatenation-unfinished."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from streamgate.context import Actor
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.uploads import (
    ChecksumMismatch,
    FinalTakesNone,
    OffsetMismatch,
    PartialsUnfinished,
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
from streamgate.errors import BadRequest, Invalid, StreamgateError, UnsupportedMediaType
from streamgate.sdk.clock import Clock
from streamgate.web.problems import MethodNotAllowed, problem_document, problem_headers
from streamgate.web.request_id import request_id_of
from streamgate.web.routes import CREATOR, PUBLIC, Call, Route, owner
from streamgate_upload import tus_words as words
from streamgate_upload.appending import Appender
from streamgate_upload.checksums import parse_checksum
from streamgate_upload.concatenating import Concatenator
from streamgate_upload.holding import check_open, check_there
from streamgate_upload.repository import Upload
from streamgate_upload.service import Uploads
from streamgate_upload.shapes import StatusAnswer, UploadId, status_answer

_BYTES_SAID = {
    "Tus-Resumable": "`1.0.0`.",
    "Upload-Offset": "Where the bytes of the body begin in the file.",
    "Upload-Length": "Size of the file in bytes, where it was deferred and is known now.",
    "Upload-Checksum": "`sha1`, `sha256` or `sha512` of the body, and after a blank its value in base64.",
}
_BYTES_ERRORS = (
    UploadNotFound,
    UploadClosed,
    UploadGone,
    UploadBusy,
    OffsetMismatch,
    UploadTooLarge,
    QuotaExceeded,
    StorageFull,
    ChecksumMismatch,
    FinalTakesNone,
    UnsupportedMediaType,
    BadRequest,
    TusVersionUnknown,
)


class TusRoutes:
    """The handlers. Every answer, errors included, says which tus is spoken."""

    def __init__(
        self,
        uploads: Uploads,
        appender: Appender,
        concatenator: Concatenator,
        clock: Clock,
        prefix: str,
        *,
        public_url: str,
        max_size_bytes: int,
    ) -> None:
        self._uploads = uploads
        self._appender = appender
        self._concatenator = concatenator
        self._clock = clock
        self._prefix = prefix
        public = urlsplit(public_url)
        self._public_host, self._public_origin = public.netloc, f"{public.scheme}://{public.netloc}"
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
                accepts=(words.BYTES_TYPE,),
                status=201,
                timeout_s=None,
                summary="Begin a tus upload",
                headers_doc={
                    **headers,
                    "Upload-Length": "Size of the file in bytes.",
                    "Upload-Defer-Length": "`1` instead, where the size will be told by a later request.",
                    "Upload-Metadata": "`filename`, `filetype`, `title`, `content_id`, each with its value in base64.",
                    "Upload-Checksum": _BYTES_SAID["Upload-Checksum"],
                    "Upload-Concat": "`partial`, or `final;` and the addresses of partial uploads, in order.",
                },
                description=(
                    "With bytes in the body (creation-with-upload) the upload begins at once. A partial upload has no "
                    "content; a final one is answered when it is made of them, and then they are used up."
                ),
                errors=(
                    UploadTooLarge,
                    QuotaExceeded,
                    TooManyUploads,
                    ContentNotFound,
                    StorageFull,
                    ChecksumMismatch,
                    UploadNotFound,
                    UploadGone,
                    UploadClosed,
                    PartialsUnfinished,
                    FinalTakesNone,
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
                errors=(UploadNotFound, UploadClosed, UploadGone, UploadBusy, TusVersionUnknown),
            ),
            Route(
                "PATCH",
                one,
                self._answered(self._append),
                policy=owner("upload_id"),
                guard=self._guard,
                query=UploadId,
                raw_body=True,
                accepts=(words.BYTES_TYPE,),
                status=204,
                timeout_s=None,
                summary="Continue a tus upload",
                audited="none",
                headers_doc=_BYTES_SAID,
                description=(
                    "What comes of a request that breaks off is kept, but for one with a checksum. With the last byte "
                    "the media work starts."
                ),
                errors=_BYTES_ERRORS,
            ),
            Route(
                "POST",
                one,
                self._answered(self._overridden),
                policy=owner("upload_id"),
                guard=self._guard,
                query=UploadId,
                raw_body=True,
                accepts=(words.BYTES_TYPE,),
                status=204,
                timeout_s=None,
                summary="Continue or abort a tus upload, where PATCH or DELETE cannot be sent",
                audited="none",
                headers_doc={"X-HTTP-Method-Override": "`PATCH` or `DELETE`.", **_BYTES_SAID},
                errors=_BYTES_ERRORS,
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
                errors=(UploadNotFound, UploadClosed, UploadGone, TusVersionUnknown),
            ),
        ]

    def _answered(
        self, handler: Callable[[Call[Any, Any]], Awaitable[Response | StatusAnswer]], *, checks_version: bool = True
    ) -> Callable[[Call[Any, Any]], Awaitable[Response | StatusAnswer]]:
        async def answer(call: Call[Any, Any]) -> Response | StatusAnswer:
            try:
                if checks_version or call.request.method == "HEAD":
                    words.check_version(call.request)
                answered = await handler(call)
            except StreamgateError as error:
                if error.status >= 500:  # the edge logs and renders those
                    raise
                answered = _problem(call.request, error)
            if isinstance(answered, Response):
                answered.headers["Tus-Resumable"] = words.VERSION
            return answered

        return answer

    async def _guard(self, actor: Actor, texts: Mapping[str, str]) -> None:
        await self._uploads.check_owned(actor, texts["upload_id"])

    async def _options(self, call: Call[None, None]) -> Response:
        return Response(status_code=204, headers=words.spoken(self._max_size_bytes))

    async def _create(self, call: Call[None, None]) -> Response:
        request = call.request
        concat = words.read_concat(request, self._prefix)
        is_with_bytes = request.headers.get("content-type", "") == words.BYTES_TYPE
        if not is_with_bytes and request.headers.get("content-length", "0") != "0":
            words.check_is_bytes(request)
        if concat is not None and concat.partial_ids:
            final = await self._concatenate(call, concat, is_with_bytes=is_with_bytes)
            return self._created(request, final)
        new = words.read_new(request, words.read_new_length(request))
        checksum = parse_checksum(request.headers.get("upload-checksum"))
        if concat is None:
            upload = await self._uploads.open_chunked(call.actor, new, "tus")
        else:
            partial = attrs.evolve(new, told_concat=concat.text)
            upload = await self._uploads.open_chunked(call.actor, partial, "partial")
        if is_with_bytes:
            pieces = request.stream()
            try:
                upload = await self._appender.append(call.actor, upload.upload_id, 0, pieces, checksum=checksum)
            except (StreamgateError, ClientDisconnect):  # its address is told to nobody
                has_new = concat is None and new.content_id is None
                await self._uploads.take_back(call.actor, upload, with_content=has_new)
                raise
        return self._created(request, upload)

    async def _concatenate(self, call: Call[None, None], concat: words.Concat, *, is_with_bytes: bool) -> Upload:
        headers = call.request.headers
        if is_with_bytes:
            raise FinalTakesNone("A final upload is made of partial ones; bytes cannot be sent with it")
        if "upload-length" in headers or "upload-defer-length" in headers:
            raise BadRequest("The length of a final upload is that of its partial ones, and is not sent")
        new = attrs.evolve(words.read_new(call.request, 0), told_concat=concat.text)
        return await self._concatenator.concatenate(call.actor, new, concat.partial_ids)

    def _created(self, request: Request, upload: Upload) -> Response:
        """With a whole address where that is sure to be the caller's own: some clients take no other. Whoever forges a
        host gets our own public address, or none."""
        where = f"{self._prefix}/{upload.upload_id}"
        asked = (request.headers.get("host"), request.headers.get("x-forwarded-host"))
        if self._public_host and self._public_host in asked:
            where = self._public_origin + where
        return Response(status_code=201, headers={"Location": where, **words.state_of(upload)})

    async def _look(self, call: Call[None, UploadId]) -> Response | StatusAnswer:
        found = await self._uploads.find(call.actor, call.query.upload_id)
        if call.request.method != "HEAD":
            return status_answer(found)
        return Response(status_code=200, headers=words.all_of(await self._settled(call.actor, found.upload)))

    async def _settled(self, actor: Actor, upload: Upload) -> Upload:
        """Who hears that all is there sends nothing more: what was left to do when a server died is done now."""
        check_there(upload, self._clock.now_ms())
        if upload.form != "final":
            check_open(upload, self._clock.now_ms())
        if upload.form != "tus" or upload.status != "receiving" or not upload.is_whole:
            return upload
        return await self._appender.append(actor, upload.upload_id, upload.received_bytes, _nothing())

    async def _append(self, call: Call[None, UploadId]) -> Response:
        request = call.request
        words.check_is_bytes(request)
        upload = await self._appender.append(
            call.actor,
            call.query.upload_id,
            words.read_offset(request),
            request.stream(),
            size_bytes=words.read_length(request),
            checksum=parse_checksum(request.headers.get("upload-checksum")),
        )
        return Response(status_code=204, headers=words.state_of(upload))

    async def _end(self, call: Call[None, UploadId]) -> Response:
        found = await self._uploads.find(call.actor, call.query.upload_id)
        check_there(found.upload, self._clock.now_ms())
        await self._uploads.abort(call.actor, call.query.upload_id)
        return Response(status_code=204)

    async def _overridden(self, call: Call[None, UploadId]) -> Response:
        """For clients that cannot send PATCH or DELETE. Only of POST: what reads is not made to change anything."""
        match call.request.headers.get("x-http-method-override", "").upper():
            case "PATCH":
                return await self._append(call)
            case "DELETE":
                return await self._end(call)
        raise MethodNotAllowed(
            "POST is taken here with X-HTTP-Method-Override: PATCH or DELETE",
            allowed=("DELETE", "GET", "HEAD", "PATCH"),
        )


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


def _problem(request: Request, error: StreamgateError) -> Response:
    import orjson

    request_id = request_id_of(request.scope)
    headers = {name.decode(): value.decode() for name, value in problem_headers(error)}
    if isinstance(error, TusVersionUnknown):
        headers["Tus-Version"] = words.VERSION
    return Response(orjson.dumps(problem_document(error, request_id)), status_code=error.status, headers=headers)
