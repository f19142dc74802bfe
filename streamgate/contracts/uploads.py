"""Upload's words for others: the error codes a client meets. What it tells the other services is an event."""

from __future__ import annotations

from typing import Literal

from streamgate.errors import Conflict, Invalid, NotFound, TooLarge, TooMany, Unavailable

UploadStatus = Literal["receiving", "verifying", "complete", "failed", "aborted", "expired"]


class UploadNotFound(NotFound):
    """Unknown, or somebody else's: the same answer."""

    code, title = "upload.not_found", "No such upload"


class ChunksMissing(Conflict):
    """`extra["missing_chunks"]` names them."""

    code, title = "upload.chunks_missing", "Chunks are missing"


class UploadClosed(Conflict):
    code, title = "upload.closed", "The upload takes no more bytes"


class ChunkBusy(Conflict):
    """Another request is sending this chunk and has not ended."""

    code, title, retryable = "upload.chunk_busy", "The chunk is being sent already", True


class ChunkDiffers(Conflict):
    """The chunk was acknowledged with other bytes; those stay."""

    code, title = "upload.chunk_differs", "The chunk was sent before with other bytes"


class ChunkInvalid(Invalid):
    code, title = "upload.chunk_invalid", "The chunk does not fit the upload"


class DigestMismatch(Invalid):
    code, title = "upload.digest_mismatch", "The bytes do not match their digest"


class UploadTooLarge(TooLarge):
    code, title = "upload.too_large", "The file is larger than allowed"


class TooManyUploads(TooMany):
    code, title = "upload.too_many", "Too many open uploads"


class StorageFull(Unavailable):
    code, title, status = "upload.storage_full", "The server's disk is full", 507
