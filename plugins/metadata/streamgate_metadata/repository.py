"""Contents in the database. Functions take a session, give domain values, never commit.

Who may see what is part of the query (`visible_to`), not of what is done with its answer.
"""

from __future__ import annotations

from typing import Literal, cast

import attrs
from sqlalchemy import ColumnElement, and_, delete, false, or_, select
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.metadata import Content, ContentSearch, ContentState, Protection, Visibility
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.db import insert_into
from streamgate_metadata.cursor import Position
from streamgate_metadata.states import Course
from streamgate_metadata.tables import ContentRow, HeardRow, TagRow
from streamgate_metadata.texts import Texts, search_text, search_words

# --- who may ----------------------------------------------------------------------------------------


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """Published (so gated or public), or the actor's own; moderators see all. Deleted ones nobody."""
    exists = ContentRow.state != "deleted"
    if actor.is_moderator:
        return exists
    return and_(exists, or_(ContentRow.published_at_ms.is_not(None), _owned_by(actor)))


def listed_for(actor: Actor) -> ColumnElement[bool]:
    """What belongs on a list that the actor asks for: listed and published, and their own."""
    shown = and_(ContentRow.visibility == "listed", ContentRow.published_at_ms.is_not(None))
    return and_(ContentRow.state != "deleted", or_(shown, _owned_by(actor)))


def _owned_by(actor: Actor) -> ColumnElement[bool]:
    return ContentRow.owner == actor.user_id if actor.user_id else false()


# --- one content ------------------------------------------------------------------------------------


def find(session: Session, content_id: str) -> ContentRow | None:
    """Any row, deleted ones too."""
    return session.get(ContentRow, content_id)


def find_visible(session: Session, content_id: str, actor: Actor) -> ContentRow | None:
    return session.scalar(select(ContentRow).where(ContentRow.content_id == content_id, visible_to(actor)))


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
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        revision=1,
    )
    set_course(row, course)
    session.add(row)
    set_texts(session, row, texts)
    session.flush()
    return row


def set_texts(session: Session, row: ContentRow, texts: Texts) -> None:
    """Those that are given; the search follows."""
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


def set_published(session: Session, row: ContentRow, revision: int, published: bool, now_ms: int) -> None:
    """What the gate of this revision says, unless a later one was heard of."""
    if heard(session, row.content_id, "auth", revision) and published != (row.published_at_ms is not None):
        row.published_at_ms = now_ms if published else None
        touch(row, now_ms)


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


# --- lists ------------------------------------------------------------------------------------------


def search(
    session: Session, query: ContentSearch, position: Position | None
) -> tuple[list[ContentRow], Position | None]:
    """A page in the wanted order, and where the next one begins."""
    key = ContentRow.title_key if query.sort == "title" else ContentRow.created_at_ms
    statement = select(ContentRow).where(listed_for(query.actor), *_filters(query))
    if query.sort == "newest":
        statement = statement.order_by(key.desc(), ContentRow.content_id.desc())
    else:
        statement = statement.order_by(key, ContentRow.content_id)
    if position is not None:
        is_after = (
            or_(key < position.key, and_(key == position.key, ContentRow.content_id < position.content_id))
            if query.sort == "newest"
            else or_(key > position.key, and_(key == position.key, ContentRow.content_id > position.content_id))
        )
        statement = statement.where(is_after)
    rows = list(session.scalars(statement.limit(query.limit + 1)))
    if len(rows) <= query.limit:
        return rows, None
    last = rows[query.limit - 1]
    end = Position(query.sort, last.title_key if query.sort == "title" else last.created_at_ms, last.content_id)
    return rows[: query.limit], end


def _filters(query: ContentSearch) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = [
        ContentRow.search_text.contains(word, autoescape=True) for word in search_words(query.q)
    ]
    if query.tag:
        tagged = select(TagRow.content_id).where(TagRow.tag_key == query.tag.strip().casefold())
        filters.append(ContentRow.content_id.in_(tagged))
    if query.category:
        filters.append(ContentRow.category == query.category)
    if query.owner:
        filters.append(ContentRow.owner == query.owner)
    if query.state:
        filters.append(ContentRow.state == query.state)
    return filters


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
        warnings=tuple(row.warnings),
        failure=row.failure,
        failure_detail=row.failure_detail,
        created_at=rfc3339(row.created_at_ms),
        updated_at=rfc3339(row.updated_at_ms),
        published_at=None if row.published_at_ms is None else rfc3339(row.published_at_ms),
        revision=row.revision,
    )
