"""Media versions in the database: rows in, rows and values out. Functions take a session and never commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND, COPY_KIND, MediaPlan
from streamgate.sdk.db import insert_into
from streamgate.wire import from_plain

from .garbage import throw_away_made
from .protected.secrets import forget as forget_secret
from .tables import ContentRow, MediaRow, RenditionRow, SegmentRow, SessionRow, WorkRow

_LOCKED = (  # made once: each step of a version begins with it
    select(ContentRow)
    .where(ContentRow.content_id == bindparam("content_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def content_for_update(session: Session, content_id: str) -> ContentRow:
    """The content's row, locked and as it is now, whatever of it was read before; a new one where there is none."""
    found = session.execute(_LOCKED, {"content_id": content_id}).scalar_one_or_none()
    if found is not None:
        return found
    values = {
        "content_id": content_id,
        "revision": 0,
        "newest_version": 0,
        "is_deleted": False,
        "owner": "",
        "upload_id": "",
        "upload_revision": 0,
        "failed_upload_id": "",
        "source_key": "",
        "source_size_bytes": 0,
        "protection": "none",
        "protection_revision": 0,
    }
    session.execute(insert_into(session, ContentRow).values(values).on_conflict_do_nothing())
    return session.execute(_LOCKED, {"content_id": content_id}).scalar_one()


def settled_content(session: Session, content_id: str) -> ContentRow | None:
    """The content's row as it is, and stays while this transaction lasts; beside others who look at it alike."""
    asked = select(ContentRow).where(ContentRow.content_id == content_id).with_for_update(read=True)
    return session.execute(asked.execution_options(populate_existing=True)).scalar_one_or_none()


def find_content(session: Session, content_id: str) -> ContentRow | None:
    return session.get(ContentRow, content_id)


def find_media(session: Session, content_id: str, media_version: int) -> MediaRow | None:
    return session.get(MediaRow, (content_id, media_version))


def media_versions(session: Session, content_id: str) -> list[MediaRow]:
    """All versions, newest first."""
    newest_first = select(MediaRow).where(MediaRow.content_id == content_id).order_by(MediaRow.media_version.desc())
    return list(session.scalars(newest_first))


def active_version(session: Session, content_id: str) -> int | None:
    """The newest version that can be played."""
    playable = (MediaRow.content_id == content_id, MediaRow.playable.is_(True))
    return session.execute(select(func.max(MediaRow.media_version)).where(*playable)).scalar_one()


def media_of_root(session: Session, root_id: str) -> MediaRow | None:
    return session.scalars(select(MediaRow).where(MediaRow.root_id == root_id)).one_or_none()


def find_work(session: Session, job_id: str) -> WorkRow | None:
    return session.get(WorkRow, job_id)


def reread_work(session: Session, job_id: str) -> WorkRow | None:
    """As it is now: for whoever had to wait for the content's row since."""
    again = select(WorkRow).where(WorkRow.job_id == job_id).execution_options(populate_existing=True)
    return session.scalars(again).one_or_none()


def has_open_jobs(session: Session, media: MediaRow) -> bool:
    """Whether jobs of its task are at work on it, or will be: also of what is ready, where a part is made again."""
    of_media = (WorkRow.content_id == media.content_id, WorkRow.media_version == media.media_version)
    is_open = exists().where(*of_media, WorkRow.kind.in_((CHUNK_KIND, AUDIO_KIND, COPY_KIND)))
    return bool(session.scalar(select(is_open)))


def renditions_of(session: Session, media: MediaRow) -> dict[str, RenditionRow]:
    of_media = (RenditionRow.content_id == media.content_id, RenditionRow.media_version == media.media_version)
    return {row.rendition_id: row for row in session.scalars(select(RenditionRow).where(*of_media))}


def segments_of(session: Session, rendition: RenditionRow, numbers: Iterable[int]) -> dict[int, SegmentRow]:
    wanted = (
        SegmentRow.content_id == rendition.content_id,
        SegmentRow.media_version == rendition.media_version,
        SegmentRow.rendition_id == rendition.rendition_id,
        SegmentRow.n.in_(list(numbers)),
    )
    return {row.n: row for row in session.scalars(select(SegmentRow).where(*wanted))}


def indexed_keys(session: Session, content_id: str, media_version: int) -> set[str]:
    """Blobs of all segments that are in the index."""
    of_media = (SegmentRow.content_id == content_id, SegmentRow.media_version == media_version)
    return set(session.scalars(select(SegmentRow.key).where(*of_media)))


def count_made(session: Session, rendition: RenditionRow) -> tuple[int, int]:
    """How many segments of a rendition are indexed, and their bytes."""
    count, size_bytes = session.execute(
        select(func.count(), func.coalesce(func.sum(SegmentRow.size_bytes), 0)).where(
            SegmentRow.content_id == rendition.content_id,
            SegmentRow.media_version == rendition.media_version,
            SegmentRow.rendition_id == rendition.rendition_id,
        )
    ).one()
    return count, int(size_bytes)


def plan_of(media: MediaRow) -> MediaPlan | None:
    return None if media.plan is None else from_plain(MediaPlan, media.plan)


# --- what is no longer needed -----------------------------------------------------------------------


def drop_version(session: Session, media: MediaRow, now_ms: int) -> None:
    """Forgets a version. Its open work stays known, so that late results become garbage too."""
    throw_away_made(session, media, now_ms)
    of_media = (RenditionRow.content_id == media.content_id, RenditionRow.media_version == media.media_version)
    session.execute(delete(RenditionRow).where(*of_media))
    forget_secret(session, media.content_id, media.media_version)
    session.delete(media)
    session.flush()


def superseded(session: Session, limit: int) -> list[MediaRow]:
    """Versions that are over, lie below one that is ready, and have no session left."""
    newer = aliased(MediaRow)
    is_below_a_ready_one = exists().where(
        newer.content_id == MediaRow.content_id,
        newer.media_version > MediaRow.media_version,
        newer.state == "ready",
    )
    is_watched = exists().where(
        SessionRow.content_id == MediaRow.content_id,
        SessionRow.media_version == MediaRow.media_version,
        SessionRow.state != "ended",
    )
    over = select(MediaRow).where(MediaRow.state.in_(("ready", "failed")), is_below_a_ready_one, ~is_watched)
    return list(session.scalars(over.limit(limit)))


def rendition_statuses(rows: Mapping[str, RenditionRow]) -> dict[str, str]:
    return {key: row.status for key, row in rows.items()}
