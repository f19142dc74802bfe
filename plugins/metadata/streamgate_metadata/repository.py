"""Contents in the database. Functions take a session, give domain values, never commit.

Who may see what on a list is part of the query (`listed_for`), not of what is done with its answer.
"""

from __future__ import annotations

from typing import Literal, cast

import attrs
from sqlalchemy import ColumnElement, and_, delete, false, or_, select
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.events import PicturesChanged
from streamgate.contracts.metadata import Content, ContentState, Protection, Visibility
from streamgate.contracts.pictures import moving_poster_path, poster_path
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.db import insert_into
from streamgate_metadata.search.contents import put
from streamgate_metadata.states import Course
from streamgate_metadata.tables import ContentRow, HeardRow, TagRow
from streamgate_metadata.texts import Texts, search_text

# --- who may ----------------------------------------------------------------------------------------


def listed_for(actor: Actor) -> ColumnElement[bool]:
    """What belongs on a list that the actor asks for: listed and published, and their own; moderators see all."""
    exists = ContentRow.state != "deleted"
    if actor.is_moderator:
        return exists
    shown = and_(ContentRow.visibility == "listed", ContentRow.published_at_ms.is_not(None))
    return and_(exists, or_(shown, _owned_by(actor)))


def _owned_by(actor: Actor) -> ColumnElement[bool]:
    return ContentRow.owner == actor.user_id if actor.user_id else false()


# --- one content ------------------------------------------------------------------------------------


def find(session: Session, content_id: str) -> ContentRow | None:
    """Any row, deleted ones too."""
    return session.get(ContentRow, content_id)


def find_for_change(session: Session, content_id: str) -> ContentRow | None:
    """Any row, deleted ones too, locked until the transaction ends where the database has such locks."""
    return session.scalar(select(ContentRow).where(ContentRow.content_id == content_id).with_for_update())


def add(
    session: Session,
    *,
    content_id: str,
    owner: str,
    texts: Texts,
    visibility: Visibility,
    protection: Protection,
    course: Course,
    now_ms: int,
) -> ContentRow:
    row = ContentRow(
        content_id=content_id,
        owner=owner,
        title="",
        title_key="",
        description="",
        category="",
        tags=[],
        search_text="",
        visibility=visibility,
        protection=protection,
        published_at_ms=None,
        has_poster=False,
        has_moving_poster=False,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        revision=1,
    )
    set_course(row, course)
    session.add(row)
    set_texts(session, row, texts)
    session.flush()
    put(session, row)
    return row


def set_texts(session: Session, row: ContentRow, texts: Texts) -> None:
    """Those that are given."""
    if texts.title is not None:
        row.title, row.title_key = texts.title, texts.title.casefold()
    if texts.description is not None:
        row.description = texts.description
    if texts.category is not None:
        row.category = texts.category
    if texts.tags is not None:
        row.tags = list(texts.tags)
        session.execute(delete(TagRow).where(TagRow.content_id == row.content_id))
        keys = {tag.casefold() for tag in texts.tags}
        session.add_all(TagRow(tag_key=key, content_id=row.content_id) for key in sorted(keys))
    row.search_text = search_text(row.title, row.description, row.tags)


def set_published(session: Session, row: ContentRow, revision: int, published: bool, now_ms: int) -> bool:
    """What the gate of this revision says, unless a later one was heard of. Whether that changed something."""
    if not heard(session, row.content_id, "auth", revision) or published == (row.published_at_ms is not None):
        return False
    row.published_at_ms = now_ms if published else None
    touch(row, now_ms)
    put(session, row)
    audit(session, "content.published" if published else "content.unpublished", on=f"content:{row.content_id}")
    return True


def set_posters(session: Session, row: ContentRow, told: PicturesChanged, now_ms: int) -> bool:
    """Whether that changed something; not what an older event says."""
    posters = (told.has_poster, told.has_moving_poster)
    if not heard(session, row.content_id, "pictures", told.revision):
        return False
    if posters == (row.has_poster, row.has_moving_poster):
        return False
    row.has_poster, row.has_moving_poster = posters
    touch(row, now_ms)
    return True


def touch(row: ContentRow, now_ms: int) -> None:
    row.updated_at_ms = max(now_ms, row.updated_at_ms)
    row.revision += 1


# --- its course -------------------------------------------------------------------------------------


def course_of(row: ContentRow) -> Course:
    return Course(
        state=cast(ContentState, row.state),
        playable=row.playable,
        kind=cast(Literal["video", "audio"], row.kind),
        duration_s=row.duration_s,
        media_version=row.media_version,
        warnings=tuple(row.warnings),
        failure=row.failure,
        failure_detail=row.failure_detail,
        source_upload_id=row.source_upload_id,
        was_playable=row.was_playable,
    )


def set_course(row: ContentRow, course: Course) -> None:
    for field in attrs.fields(Course):
        value = getattr(course, field.name)
        setattr(row, field.name, list(value) if field.name == "warnings" else value)


def move(session: Session, row: ContentRow, course: Course, now_ms: int) -> None:
    """A content goes on: its state is a word of the index."""
    is_elsewhere = course.state != row.state
    set_course(row, course)
    touch(row, now_ms)
    if is_elsewhere:
        put(session, row)


def heard(session: Session, content_id: str, producer: str, revision: int) -> bool:
    """Notes a producer's revision of a content; False when a higher one was heard before."""
    statement = insert_into(session, HeardRow).values(content_id=content_id, producer=producer, revision=revision)
    noted = session.execute(
        statement.on_conflict_do_update(
            index_elements=["content_id", "producer"],
            set_={"revision": statement.excluded.revision},
            where=HeardRow.revision <= statement.excluded.revision,
        ).returning(HeardRow.revision)
    )
    return noted.first() is not None


# --- to the domain ----------------------------------------------------------------------------------


def to_content(row: ContentRow) -> Content:
    return Content(
        content_id=row.content_id,
        owner=row.owner,
        title=row.title,
        description=row.description,
        tags=tuple(row.tags),
        category=row.category,
        kind=cast(Literal["video", "audio"], row.kind),
        state=cast(ContentState, row.state),
        playable=row.playable,
        visibility=cast(Visibility, row.visibility),
        protection=cast(Protection, row.protection),
        duration_s=row.duration_s,
        media_version=row.media_version,
        poster_url=poster_path(row.content_id) if row.has_poster else None,
        moving_poster_url=moving_poster_path(row.content_id) if row.has_moving_poster else None,
        warnings=tuple(row.warnings),
        failure=row.failure,
        failure_detail=row.failure_detail,
        created_at=rfc3339(row.created_at_ms),
        updated_at=rfc3339(row.updated_at_ms),
        published_at=None if row.published_at_ms is None else rfc3339(row.published_at_ms),
        revision=row.revision,
    )
