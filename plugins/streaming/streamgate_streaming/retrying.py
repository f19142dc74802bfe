"""One rendition that failed is made again: what of it is missing, and nothing of the others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import JobNotFound
from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND, COPY_KIND, MediaPlan, PlannedRendition
from streamgate.contracts.streaming import RenditionNotFailed, RenditionUnknown, RetryRendition, VersionFailed
from streamgate.sdk.audit import audit
from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.db import Database

from . import media_repository as repository
from .asking import keep_plan
from .later_orders import Again, order_again
from .making import note_whole, tell_again, without_its
from .orders import COPY_SEGMENTS
from .tables import MediaRow, RenditionRow, WorkRow
from .verify import planned


class Retrying:
    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs

    async def retry(self, wanted: RetryRendition) -> None:
        """Raises JobNotFound, RenditionUnknown, RenditionNotFailed, VersionFailed."""
        plan = await self._db.read(partial(_plan_of, task_id=wanted.task_id))
        if plan is not None:
            await keep_plan(self._blobs, plan)
        await self._db.write(partial(_retry, wanted=wanted))


def _plan_of(session: Session, task_id: str) -> MediaPlan | None:
    media = repository.media_of_root(session, task_id)
    return None if media is None else repository.plan_of(media)


def _retry(session: Session, wanted: RetryRendition) -> None:
    known = repository.media_of_root(session, wanted.task_id)
    if known is None:
        raise JobNotFound(f"no task {wanted.task_id}")
    content = repository.content_for_update(session, known.content_id)
    session.refresh(known)  # as it is, now that nobody else changes it
    media, plan = known, repository.plan_of(known)
    rendition = None if plan is None else planned(plan, wanted.rendition_id)
    if plan is None or rendition is None:
        raise RenditionUnknown(f"the task has no rendition {wanted.rendition_id[:40]!r}")
    if content.is_deleted or media.state == "failed":
        raise VersionFailed("everything of it was taken back; submit a transcode to make all of it anew")
    row = repository.renditions_of(session, media)[rendition.id]
    if row.status != "failed":
        raise RenditionNotFailed(f"{rendition.name} is {row.status}: only what has failed is made again")
    row.status, warnings = "running" if row.segments_made else "planned", media.warnings
    missing = set(range(row.segments_planned)) - set(_made(session, row))
    note_whole(session, content, media, row)
    if rendition.policy == "lazy":  # made when somebody asks; so it is listed again
        media.warnings = without_its(media, row)
    elif missing:
        order_again(session, content, media, plan, _jobs(session, media, plan, rendition, missing))
    if media.state == "ready" and media.warnings != warnings:
        tell_again(session, content, media)
    on = f"content:{media.content_id}"
    audit(session, "transcode.retried", on=on, actor=wanted.actor, detail={"rendition": rendition.id})


def _made(session: Session, row: RenditionRow) -> Iterable[int]:
    return repository.segments_of(session, row, range(row.segments_planned))


def _jobs(
    session: Session, media: MediaRow, plan: MediaPlan, rendition: PlannedRendition, missing: set[int]
) -> Iterable[Again]:
    """What makes the missing segments, without what is under way."""
    of_media = (WorkRow.content_id == media.content_id, WorkRow.media_version == media.media_version)
    works = list(session.scalars(select(WorkRow).where(*of_media)))
    under_way = {(work.kind, work.chunk_n) for work in works if work.rendition_id in ("", rendition.id)}
    wanted: list[tuple[str, int | None]]
    if rendition.mode == "copy":
        wanted = [(COPY_KIND, number) for number in sorted({n // COPY_SEGMENTS for n in missing})]
    elif rendition.kind == "audio":
        wanted = [(AUDIO_KIND, None)] if missing else []
    else:
        chunks = (chunk for chunk in plan.chunks if missing & set(range(chunk.seg_from, chunk.seg_to)))
        wanted = [(CHUNK_KIND, chunk.n) for chunk in chunks]
    return [Again(kind, chunk_n, rendition.id) for kind, chunk_n in wanted if (kind, chunk_n) not in under_way]
