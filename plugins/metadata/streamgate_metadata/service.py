"""The service behind `contracts.metadata.METADATA`: one transaction a change, access rules in the queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prometheus_client import Histogram
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.events import CONTENT_DELETED, PROTECTION_CHANGED, ContentDeleted, ProtectionChanged
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
    FacetQuery,
    Facets,
    Facts,
    NewContent,
    Publish,
)
from streamgate.errors import FieldError, Forbidden, Invalid, Unauthorized
from streamgate.sdk.audit import audit
from streamgate.sdk.cache import Cached
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, emit
from streamgate.sdk.ids import new_id
from streamgate_metadata import catalogue, repository
from streamgate_metadata.changes import Changed, Changes
from streamgate_metadata.cursor import read_cursor, write_cursor
from streamgate_metadata.owners import Owners
from streamgate_metadata.search.contents import index_for, put
from streamgate_metadata.states import Course, upload_begins
from streamgate_metadata.tables import ContentRow
from streamgate_metadata.texts import tidy_texts

T = TypeVar("T")

LIMIT_MAX = 200
QUERY_MAX_CHARS = 500

SEARCH_DURATION = Histogram(
    "streamgate_metadata_search_duration_seconds",
    "A page of a list or search, from question to answer.",
    ["kind"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)


class MetadataService:
    """Implements `contracts.metadata.Metadata`."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        changes: Changes,
        owners: Owners,
        contents: Cached[Content],
        facets: Cached[Facets],
    ) -> None:
        self._db = db
        self._clock = clock
        self._changes = changes
        self._owners = owners
        self._contents = contents
        self._facets = facets

    # --- changes ------------------------------------------------------------------------------------

    async def create(self, new: NewContent) -> Content:
        _check_signed_in(new.actor)
        texts = tidy_texts(title=new.title, description=new.description, tags=new.tags, category=new.category)
        content_id = new_id("c")

        def run(session: Session) -> Changed:
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
            audit(session, "content.created", on=f"content:{content_id}", actor=new.actor)
            return Changed(repository.to_content(row))

        return await self._written(content_id, new.actor, run)

    async def begin_upload(self, wanted: BeginUpload) -> Content:
        content_id = wanted.content_id

        def run(session: Session) -> Changed:
            row = repository.find_for_change(session, content_id)
            # Its owner alone: what a moderator may repair or take away is not theirs to replace.
            if row is None or row.state == "deleted" or row.owner != wanted.actor.user_id:
                raise _unknown(content_id)
            course = repository.course_of(row)
            begun = upload_begins(course)
            if begun != course:
                repository.move(session, row, begun, self._clock.now_ms())
            return Changed(repository.to_content(row), begun != course)

        return await self._written(content_id, wanted.actor, run)

    async def update(self, update: ContentUpdate) -> Content:
        texts = tidy_texts(
            title=update.title, description=update.description, tags=update.tags, category=update.category
        )

        def run(session: Session) -> Changed:
            row = repository.find_for_change(session, update.content_id)
            row = _visible_row(row, update.content_id, update.actor)
            _check_may_change(row.owner, row.content_id, update.actor)
            repository.set_texts(session, row, texts)
            if update.visibility is not None:
                row.visibility = update.visibility
            is_protected_anew = update.protection not in (None, row.protection)
            if update.protection is not None:
                row.protection = update.protection
            repository.touch(row, self._clock.now_ms())
            put(session, row)
            if is_protected_anew:
                _tell_protection(session, repository.to_content(row), update.actor)
            audit(session, "content.updated", on=f"content:{row.content_id}", actor=update.actor)
            return Changed(repository.to_content(row))

        return await self._written(update.content_id, update.actor, run)

    async def delete(self, wanted: ContentDelete) -> None:
        def run(session: Session) -> Changed | None:
            row = repository.find_for_change(session, wanted.content_id)
            if row is not None and row.state == "deleted" and _may_change(row.owner, wanted.actor):
                return None
            row = _visible_row(row, wanted.content_id, wanted.actor)
            _check_may_change(row.owner, row.content_id, wanted.actor)
            row.state, row.playable = "deleted", False
            repository.touch(row, self._clock.now_ms())
            put(session, row)
            body = ContentDeleted(subject_id=row.content_id, revision=row.revision, owner=row.owner)
            emit(session, CONTENT_DELETED, body)
            audit(session, "content.deleted", on=f"content:{row.content_id}", actor=wanted.actor)
            return Changed(repository.to_content(row))

        await self._changes.write(wanted.content_id, run)

    async def publish(self, wanted: Publish) -> Content:
        def run(session: Session) -> Changed:
            row = repository.find_for_change(session, wanted.content_id)
            if row is None or row.state == "deleted":
                raise _unknown(wanted.content_id)
            is_new = repository.set_published(session, row, wanted.revision, wanted.published, self._clock.now_ms())
            return Changed(repository.to_content(row), is_new)

        changed = await self._changes.write(wanted.content_id, run)
        assert changed is not None
        return changed.content

    async def _written(self, content_id: str, actor: Actor, run: Callable[[Session], Changed]) -> Content:
        changed = await self._changes.write(content_id, run)
        assert changed is not None
        [content] = await self._owners.shown_to(actor, [changed.content])
        return content

    # --- one content --------------------------------------------------------------------------------

    async def get(self, query: AccessQuery) -> Content:
        content = await self._content(query.content_id)
        if content is None or not _may_see(content, query.actor):
            raise _unknown(query.content_id)
        if query.want == "change":
            _check_may_change(content.owner, content.content_id, query.actor)
        [shown] = await self._owners.shown_to(query.actor, [content])
        return shown

    async def facts(self, query: ContentQuery) -> Facts:
        content = await self._content(query.content_id)
        if content is None:
            raise _unknown(query.content_id)
        return Facts(content_id=content.content_id, owner=content.owner)

    async def _content(self, content_id: str) -> Content | None:
        """As it is for everybody; None where there is none, or no more. Access is the caller's to check."""

        def run(session: Session) -> Content | None:
            row = repository.find(session, content_id)
            return None if row is None or row.state == "deleted" else repository.to_content(row)

        return await self._contents.get_or_load(content_id, lambda: self._db.read(run))

    # --- lists --------------------------------------------------------------------------------------

    async def search(self, query: ContentSearch) -> ContentPage:
        _check_search(query)
        position = read_cursor(query.cursor, catalogue.order_of(query))

        def run(session: Session) -> tuple[catalogue.Page, tuple[Content, ...]]:
            page = catalogue.search(session, index_for(session.get_bind().dialect.name), query, position)
            return page, tuple(repository.to_content(row) for row in page.rows)

        with SEARCH_DURATION.labels("words" if query.q else "list").time():
            page, found = await self._db.read(run)
        marked = {}
        if page.marker is not None:
            marked = {each.content_id: page.marker.mark(each.title, each.description, each.tags) for each in found}
        items = await self._owners.shown_to(query.actor, found)
        end = None if page.end is None else write_cursor(page.end)
        return ContentPage(items=items, next_cursor=end, highlights=marked)

    async def categories(self, query: FacetQuery) -> Facets:
        def run(session: Session) -> Facets:
            return Facets(items=tuple(catalogue.categories(session, query.actor)[: query.limit]))

        return await self._facet("categories", query, run)

    async def tags(self, query: FacetQuery) -> Facets:
        def run(session: Session) -> Facets:
            return Facets(items=tuple(catalogue.tags(session, query.actor, query.prefix, query.limit)))

        return await self._facet("tags", query, run)

    async def _facet(self, what: str, query: FacetQuery, run: Callable[[Session], Facets]) -> Facets:
        """Counting reads everything the caller may see, so it is kept a moment, for callers of one view."""
        _check_limits(query.limit, {"prefix": query.prefix})
        view = "moderator" if query.actor.is_moderator else f"user {query.actor.user_id}"
        found = await self._facets.get_or_load(
            f"{what}\n{view}\n{query.limit}\n{query.prefix}", lambda: self._db.read(run)
        )
        return found or Facets(items=())


def _tell_protection(session: Session, content: Content, actor: Actor) -> None:
    body = ProtectionChanged(subject_id=content.content_id, revision=content.revision, protection=content.protection)
    emit(session, PROTECTION_CHANGED, body)
    audit(session, "content.protection_changed", on=f"content:{content.content_id}", actor=actor)


def _unknown(content_id: str) -> ContentNotFound:
    return ContentNotFound(f"There is no content {content_id[:40]!r} that you may see")


def _visible_row(row: ContentRow | None, content_id: str, actor: Actor) -> ContentRow:
    """The row, locked for change, under the rule of `_may_see`."""
    if row is None or row.state == "deleted":
        raise _unknown(content_id)
    if row.published_at_ms is None and not _may_change(row.owner, actor):
        raise _unknown(content_id)
    return row


def _may_see(content: Content, actor: Actor) -> bool:
    """Published (so gated or public), or the actor's own; moderators see all."""
    return content.published_at is not None or _may_change(content.owner, actor)


def _may_change(owner: str, actor: Actor) -> bool:
    return actor.is_moderator or (actor.is_signed_in and owner == actor.user_id)


def _check_may_change(owner: str, content_id: str, actor: Actor) -> None:
    if not _may_change(owner, actor):
        raise Forbidden(f"Content {content_id!r} is not yours to change")


def _check_signed_in(actor: Actor) -> None:
    if not actor.user_id:
        raise Unauthorized("Only somebody who is signed in can own a content")


def _check_search(query: ContentSearch) -> None:
    _check_limits(query.limit, {name: getattr(query, name) for name in ("q", "tag", "category", "owner")})


def _check_limits(limit: int, texts: dict[str, str]) -> None:
    faults = []
    if not 1 <= limit <= LIMIT_MAX:
        faults.append(FieldError("limit", f"must be 1 to {LIMIT_MAX}"))
    for name, text in texts.items():
        if len(text) > QUERY_MAX_CHARS:
            faults.append(FieldError(name, f"must have at most {QUERY_MAX_CHARS} characters"))
        if "\0" in text:
            faults.append(FieldError(name, "must not contain the control character U+0000"))
    if faults:
        raise Invalid("The search is not valid", errors=tuple(faults))
