"""A chunk as it comes over HTTP: the raw body, or the part `chunk` of a form. Nothing is kept in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request

from streamgate.contracts.uploads import ChunkInvalid
from streamgate.errors import BadRequest, UnsupportedMediaType
from streamgate_upload.digests import HashPool, parse_content_digest, wrong_header
from streamgate_upload.forms import PartBegins, PartData, PartEnds, boundary_of, read_form

PART_NAME = "chunk"


class ChunkBody:
    """The bytes of one chunk, to be read once.

    `digest` is the SHA-256 that the sender says these very bytes have; it is known when they have been read.
    `declared_bytes` is their length where the request tells it beforehand.
    """

    def __init__(self, request: Request, hashing: HashPool) -> None:
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            raise UnsupportedMediaType(f"Chunks are taken as they are, not as {encoding}")
        self._request = request
        self._hashing = hashing
        self._boundary = boundary_of(request.headers.get("content-type", ""))
        sent = request.headers.get("content-digest")
        declared = None if sent is None else parse_content_digest(sent)
        self._whole_digest = None if self._boundary is None else declared  # of the form, as RFC 9530 has it
        self.digest = declared if self._boundary is None else None
        length = request.headers.get("content-length", "")
        self.declared_bytes = int(length) if self._boundary is None and length.isdecimal() else None

    def pieces(self) -> AsyncIterator[bytes]:
        if self._boundary is None:
            return self._request.stream()
        return self._pieces_of_form(self._boundary)

    async def _pieces_of_form(self, boundary: bytes) -> AsyncIterator[bytes]:
        has_chunk = False
        async for event in read_form(self._checked_form(), boundary):
            match event:
                case PartBegins(name=name, headers=headers):
                    if name != PART_NAME or has_chunk:
                        raise BadRequest(f"The form has one part, {PART_NAME!r}; the rest is in the query")
                    has_chunk = True
                    if "content-digest" in headers:
                        self.digest = parse_content_digest(headers["content-digest"])
                case PartData(data=data):
                    yield data
                case PartEnds():
                    pass
        if not has_chunk:
            raise ChunkInvalid(f"The form has no part {PART_NAME!r}")

    async def _checked_form(self) -> AsyncIterator[bytes]:
        if self._whole_digest is None:
            async for piece in self._request.stream():
                yield piece
            return
        hash_ = self._hashing.new()
        async for piece in self._request.stream():
            await hash_.update(piece)
            yield piece
        if not hash_.matches(self._whole_digest):
            raise wrong_header("The form does not match its Content-Digest")


async def of_length(pieces: AsyncIterator[bytes], length_bytes: int) -> AsyncIterator[bytes]:
    """The pieces, which must have this many bytes in all.

    Raises:
        ChunkInvalid: more (at once) or fewer (at the end).
    """
    seen_bytes = 0
    async for piece in pieces:
        seen_bytes += len(piece)
        if seen_bytes > length_bytes:
            raise ChunkInvalid(f"The chunk must have {length_bytes} bytes; more came")
        yield piece
    if seen_bytes < length_bytes:
        raise ChunkInvalid(f"The chunk must have {length_bytes} bytes; {seen_bytes} came")
