"""Bytes on a client stream as the body of an upload request: handed on as they come, held nowhere."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
from google.protobuf.message import Message

from streamgate.errors import FieldError, Invalid, StreamgateError
from streamgate_api.inside import Ask
from streamgate_api.proto import upload_pb2
from streamgate_api.rpc.calls import Caller, Calls, Context, Refused, caller_of, parse, told
from streamgate_api.rpc.messages import to_message

R = TypeVar("R", upload_pb2.UploadRequest, upload_pb2.ChunkRequest)

_REFUSED_FIRST = (401, 403)
_ESCAPED = {'"': "%22", "\r": "%0D", "\n": "%0A"}  # as browsers write names into forms


class Uploading:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def upload(self, stream: AsyncIterator[bytes], context: Context) -> Message:
        caller = caller_of(context)

        async def work() -> Message:
            header, fault = await _header(upload_pb2.UploadRequest, stream)
            boundary = secrets.token_hex(16)
            form = f"multipart/form-data; boundary={boundary}"
            data = _data(upload_pb2.UploadRequest, stream)
            wanted = Ask(
                method="POST",
                path="/api/v1/upload",
                headers=[(b"content-type", form.encode())],
                parts=None if fault else _form(boundary, header, data),
            )
            return await self._send(caller, wanted, fault, upload_pb2.UploadAnswer)

        return await told(context, caller, "upload", work)

    async def chunk(self, stream: AsyncIterator[bytes], context: Context) -> Message:
        caller = caller_of(context)

        async def work() -> Message:
            header, fault = await _header(upload_pb2.ChunkRequest, stream)
            headers = [(b"content-type", b"application/octet-stream")]
            if header.HasField("sha256"):
                headers.append((b"content-digest", b"sha-256=:%s:" % base64.b64encode(header.sha256)))
            wanted = Ask(
                method="POST",
                path="/api/v1/upload/chunk",
                query=urlencode({"upload_id": header.upload_id, "index": header.index}).encode(),
                headers=headers,
                parts=None if fault else _data(upload_pb2.ChunkRequest, stream),
            )
            return await self._send(caller, wanted, fault, upload_pb2.ChunkAck)

        return await told(context, caller, "upload.chunk", work)

    async def _send(self, caller: Caller, wanted: Ask, fault: StreamgateError | None, answer: type[Message]) -> Message:
        """With a fault only whether the caller may upload at all is asked: that is told first."""
        try:
            answered = await self._calls.ask(caller, wanted)
        except Refused as refusal:
            if fault is not None and refusal.told.status not in _REFUSED_FIRST:
                raise fault from refusal
            raise
        if fault is not None:
            raise fault
        return to_message(answer, orjson.loads(answered.body))


async def _header(kind: type[R], stream: AsyncIterator[bytes]) -> tuple[Any, StreamgateError | None]:
    """The header a stream begins with, or an empty one and what is wrong."""
    try:
        async for payload in stream:
            request = parse(kind, payload)
            if request.WhichOneof("part") == "header":
                return request.header, None
            break
    except StreamgateError as fault:
        return kind().header, fault
    return kind().header, Invalid(
        "the first message of the stream is its header",
        errors=(FieldError("header", "is missing in the first message"),),
    )


async def _data(kind: type[R], stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Raises what refuses the upload: a message that holds no data."""
    async for payload in stream:
        request = parse(kind, payload)
        if request.WhichOneof("part") != "data":
            raise Invalid("after the header every message holds data", errors=(FieldError("data", "is missing"),))
        yield request.data


async def _form(boundary: str, header: upload_pb2.UploadHeader, data: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The form that the HTTP twin takes."""
    for name in ("content_id", "title"):
        if header.HasField(name):
            yield _part(boundary, f'name="{name}"') + getattr(header, name).encode() + b"\r\n"
    filename = "".join(_ESCAPED.get(sign, sign) for sign in header.filename)
    kind = header.content_type if header.content_type.isprintable() else ""
    yield _part(boundary, f'name="file"; filename="{filename}"', kind or "application/octet-stream")
    async for piece in data:
        yield piece
    yield f"\r\n--{boundary}--\r\n".encode()


def _part(boundary: str, disposition: str, kind: str = "") -> bytes:
    line = f"Content-Type: {kind}\r\n" if kind else ""
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{line}\r\n".encode()
