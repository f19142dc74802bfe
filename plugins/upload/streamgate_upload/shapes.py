"""What uploads look like over HTTP: bodies, queries, answers."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.contracts.uploads import UploadStatus
from streamgate.sdk.clock import rfc3339
from streamgate_upload.quota import Usage
from streamgate_upload.repository import Upload
from streamgate_upload.service import Found


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
class ImportBody:
    """`title` and `gate` are for a new content, which is made where no `content_id` is given."""

    url: str
    title: str | None = None
    content_id: str | None = None
    gate: dict[str, Any] | None = None


@attrs.frozen(kw_only=True)
class QuotaAnswer:
    """`limit_bytes` is null where there is no limit."""

    used_bytes: int
    limit_bytes: int | None
    open_uploads: int
    open_limit: int


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


def init_answer(upload: Upload) -> InitAnswer:
    return InitAnswer(
        upload_id=upload.upload_id,
        content_id=upload.content_id,
        filename=upload.filename,
        size_bytes=upload.size_bytes,
        chunk_size_bytes=upload.chunk_size_bytes,
        chunks=upload.chunks.count,
        expires_at=rfc3339(upload.expires_at_ms),
    )


def status_answer(found: Found) -> StatusAnswer:
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


def upload_answer(upload: Upload) -> UploadAnswer:
    return UploadAnswer(
        upload_id=upload.upload_id,
        content_id=upload.content_id,
        filename=upload.filename,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256 or None,
        status=upload.status,
    )


def quota_answer(usage: Usage) -> QuotaAnswer:
    return QuotaAnswer(
        used_bytes=usage.used_bytes,
        limit_bytes=usage.limit_bytes or None,
        open_uploads=usage.open_uploads,
        open_limit=usage.open_limit,
    )


def list_item(upload: Upload) -> ListItem:
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
