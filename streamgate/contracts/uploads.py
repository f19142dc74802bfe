"""Upload's words for others: the error codes a client meets. What it tells the other services is an event."""

from __future__ import annotations

from typing import Literal

from streamgate.errors import BadRequest, Conflict, Forbidden, Gone, Invalid, NotFound, TooLarge, TooMany, Unavailable

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
    code, title, field = "upload.chunk_invalid", "The chunk does not fit the upload", "chunk"


class DigestMismatch(Invalid):
    code, title, field = "upload.digest_mismatch", "The bytes do not match their digest", "sha256"


class UploadTooLarge(TooLarge):
    code, title = "upload.too_large", "The file is larger than allowed"


class TooManyUploads(TooMany):
    code, title = "upload.too_many", "Too many open uploads"


class UploadGone(Gone):
    """It was aborted, expired or failed: its bytes are not kept."""

    code, title = "upload.gone", "The upload is over"


class OffsetMismatch(Conflict):
    """`extra["offset"]` is where it goes on."""

    code, title = "upload.offset_mismatch", "The bytes do not continue the upload"


class UploadBusy(Conflict):
    """Another request is sending to it and has not ended."""

    code, title, status, retryable = "upload.busy", "The upload is being sent to already", 423, True


class TusVersionUnknown(BadRequest):
    code, title, status = "upload.tus_version", "That version of tus is not spoken here", 412


class ChecksumMismatch(BadRequest):
    """The bytes of a tus request do not match its Upload-Checksum; none of them are kept."""

    code, title, status = "upload.checksum_mismatch", "The bytes do not match their checksum", 460


class FinalTakesNone(Forbidden):
    """An upload that is made of partial ones."""

    code, title = "upload.final", "A final upload takes no bytes"


class PartialsUnfinished(Conflict):
    """`extra["unfinished"]` names those that a final upload cannot be made of yet."""

    code, title = "upload.partials_unfinished", "Partial uploads are not whole"


class QuotaExceeded(TooLarge):
    """`extra` has `used_bytes` and `limit_bytes`."""

    code, title = "upload.quota_exceeded", "No room is left for this person's uploads"


class ImportRefused(Invalid):
    """The URL's host answered, but not with a file."""

    code, title = "upload.import_refused", "The URL gives no file"


class StorageFull(Unavailable):
    code, title, status = "upload.storage_full", "The server's disk is full", 507
