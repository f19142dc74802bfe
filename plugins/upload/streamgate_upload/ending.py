"""How an upload ends: its row and what the others are told, in one transaction."""

from __future__ import annotations

from typing import Literal

from sqlalchemy.orm import Session

from streamgate.contracts.events import UPLOAD_FAILED, UPLOAD_FINISHED, UploadFailed, UploadFinished
from streamgate.sdk.audit import audit
from streamgate.sdk.db import emit
from streamgate_upload import measures, repository
from streamgate_upload.tables import UploadRow

ABORTED = "upload.aborted"
EXPIRED = "upload.expired"
INTERRUPTED = "upload.interrupted"
SOURCE_LOST = "upload.source_lost"


def finish(session: Session, row: UploadRow, status: Literal["verifying", "complete"], now_ms: int) -> None:
    """The bytes are whole and under `source_key`: told to the others."""
    row.status, row.updated_at_ms = status, now_ms
    row.received_bytes = row.counted_bytes = row.size_bytes
    row.holder, row.tail = "", ""
    measures.ENDED.labels("complete").inc()
    audit(session, "upload.completed", on=f"upload:{row.upload_id}", detail={"content_id": row.content_id})
    repository.forget_chunks(session, row.upload_id)
    emit(
        session,
        UPLOAD_FINISHED,
        UploadFinished(
            subject_id=row.content_id,
            revision=repository.next_revision(session, row.content_id),
            upload_id=row.upload_id,
            content_id=row.content_id,
            owner=row.owner,
            filename=row.filename,
            source_key=row.source_key,
            size_bytes=row.size_bytes,
        ),
    )


def give_up(
    session: Session,
    row: UploadRow,
    status: Literal["failed", "aborted", "expired"],
    now_ms: int,
    *,
    code: str,
    detail: str,
    is_told: bool = True,
) -> None:
    """The source will not come, or is taken back; what is in the blob store is left to the sweeper.

    The others hear of it, unless another upload into the same content goes on and this one was never finished, or it
    is a partial one, which no content waits for.
    """
    was_finished = row.status == "verifying"
    row.status, row.updated_at_ms, row.to_sweep = status, now_ms, True
    row.failure, row.failure_detail = code, detail
    row.holder, row.tail, row.counted_bytes = "", "", 0
    audit(
        session,
        f"upload.{status}",
        on=f"upload:{row.upload_id}",
        outcome="done" if status == "aborted" else "failed",
        code=code,
        detail={"content_id": row.content_id},
    )
    measures.ENDED.labels(status).inc()
    repository.forget_chunks(session, row.upload_id)
    if not is_told or row.form == "partial" or (not was_finished and repository.has_other_open(session, row)):
        return
    emit(
        session,
        UPLOAD_FAILED,
        UploadFailed(
            subject_id=row.content_id,
            revision=repository.next_revision(session, row.content_id),
            upload_id=row.upload_id,
            content_id=row.content_id,
            code=code,
            detail=detail,
        ),
    )
