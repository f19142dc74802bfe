"""The service behind `contracts.metadata.METADATA`: one transaction a call, access rules in the queries."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.events import CONTENT_DELETED, ContentDeleted
from streamgate.contracts.metadata import (
    AccessQuery,
    BeginUpload,
    Content,
    ContentDelete,
    ContentNotFound,
    ContentPage,
    ContentQuery,
    ContentSearch,
    ContentUpdate,
    Facts,
    NewContent,
    Publish,
)
from streamgate.errors import FieldError, Forbidden, Invalid, Unauthorized
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, emit
from streamgate.sdk.ids import new_id
from streamgate_metadata import repository
from streamgate_metadata.cursor import read_cursor, write_cursor
from streamgate_metadata.states import Course, upload_begins
from streamgate_metadata.tables import ContentRow
from streamgate_metadata.texts import tidy_texts

LIMIT_MAX = 200
QUERY_MAX_CHARS = 500


class MetadataService:
    """Implements `contracts.metadata.Metadata`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(self, new: NewContent) -> Content:
        _check_signed_in(new.actor)
        texts = tidy_texts(title=new.title, description=new.description, tags=new.tags, category=new.category)
        content_id = new_id("c")

        def run(session: Session) -> Content:
            row = repository.add(
                session,
                content_id=content_id,
                owner=new.actor.user_id,
                texts=texts,
                visibility=new.visibility,
                protection=new.protection,
                course=Course(),
                now_ms=self._clock.now_ms(),
            )
            return repository.to_content(row)

        return await self._db.write(run)

    async def begin_upload(self, wanted: BeginUpload) -> Content:
        content_id = wanted.content_id

        def run(session: Session) -> Content:
            row = repository.find_for_change(session, content_id)
            # Its owner alone: what a moderator may repair or take away is not theirs to replace.
            if row is None or row.state == "deleted" or row.owner != wanted.actor.user_id:
                raise _unknown(content_id)
            course = repository.course_of(row)
            if upload_begins(course) != course:
                repository.set_course(row, upload_begins(course))
                repository.touch(row, self._clock.now_ms())
            return repository.to_content(row)

        return await self._db.write(run)

    async def get(self, query: AccessQuery) -> Content:
        def run(session: Session) -> Content:
            row = repository.find_visible(session, query.content_id, query.actor)
            if row is None:
                raise _unknown(query.content_id)
            if query.want == "change":
                _check_may_change(row, query.actor)
            return repository.to_content(row)

        return await self._db.read(run)

    async def facts(self, query: ContentQuery) -> Facts:
        def run(session: Session) -> Facts:
            row = repository.find(session, query.content_id)
            if row is None or row.state == "deleted":
                raise _unknown(query.content_id)
            return Facts(content_id=row.content_id, owner=row.owner)

        return await self._db.read(run)

    async def update(self, update: ContentUpdate) -> Content:
        texts = tidy_texts(
            title=update.title, description=update.description, tags=update.tags, category=update.category
        )

        def change(session: Session, row: ContentRow) -> None:
            repository.set_texts(session, row, texts)
            if update.visibility is not None:
                row.visibility = update.visibility

        return await self._change(update.content_id, update.actor, change)

    async def delete(self, wanted: ContentDelete) -> None:
        def run(session: Session) -> None:
            row = repository.find_for_change(session, wanted.content_id)
            if row is not None and row.state == "deleted" and _may_change(row, wanted.actor):
                return
            row = _visible_row(row, wanted.content_id, wanted.actor)
            _check_may_change(row, wanted.actor)
            row.state, row.playable = "deleted", False
            repository.touch(row, self._clock.now_ms())
            body = ContentDeleted(subject_id=row.content_id, revision=row.revision, owner=row.owner)
            emit(session, CONTENT_DELETED, body)

        await self._db.write(run)

    async def publish(self, wanted: Publish) -> Content:
        def run(session: Session) -> Content:
            row = repository.find_for_change(session, wanted.content_id)
            if row is None or row.state == "deleted":
                raise _unknown(wanted.content_id)
            repository.set_published(session, row, wanted.revision, wanted.published, self._clock.now_ms())
            return repository.to_content(row)

        return await self._db.write(run)

    async def search(self, query: ContentSearch) -> ContentPage:
        _check_search(query)
        position = read_cursor(query.cursor, query.sort)

        def run(session: Session) -> ContentPage:
            rows, end = repository.search(session, query, position)
            return ContentPage(
                items=tuple(repository.to_content(row) for row in rows),
                next_cursor=None if end is None else write_cursor(end),
            )

        return await self._db.read(run)

    async def _change(self, content_id: str, actor: Actor, change: Callable[[Session, ContentRow], None]) -> Content:
        def run(session: Session) -> Content:
            row = _visible_row(repository.find_for_change(session, content_id), content_id, actor)
            _check_may_change(row, actor)
            change(session, row)
            repository.touch(row, self._clock.now_ms())
            return repository.to_content(row)

        return await self._db.write(run)


def _unknown(content_id: str) -> ContentNotFound:
    return ContentNotFound(f"There is no content {content_id[:40]!r} that you may see")


def _visible_row(row: ContentRow | None, content_id: str, actor: Actor) -> ContentRow:
    """The row, locked for change, under the rule of `repository.visible_to`."""
    if row is None or row.state == "deleted":
        raise _unknown(content_id)
    if row.published_at_ms is None and not _may_change(row, actor):
        raise _unknown(content_id)
    return row


def _may_change(row: ContentRow, actor: Actor) -> bool:
    return actor.is_moderator or (actor.is_signed_in and row.owner == actor.user_id)


def _check_may_change(row: ContentRow, actor: Actor) -> None:
    if not _may_change(row, actor):
        raise Forbidden(f"Content {row.content_id!r} is not yours to change")


def _check_signed_in(actor: Actor) -> None:
    if not actor.user_id:
        raise Unauthorized("Only somebody who is signed in can own a content")


def _check_search(query: ContentSearch) -> None:
    faults = []
    if not 1 <= query.limit <= LIMIT_MAX:
        faults.append(FieldError("limit", f"must be 1 to {LIMIT_MAX}"))
    for name in ("q", "tag", "category", "owner", "state"):
        if len(getattr(query, name)) > QUERY_MAX_CHARS:
            faults.append(FieldError(name, f"must have at most {QUERY_MAX_CHARS} characters"))
    if faults:
        raise Invalid("The search is not valid", errors=tuple(faults))
