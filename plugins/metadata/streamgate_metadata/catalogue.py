"""Lists and searches: what is found, in what order, page by page, of what the caller may see."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import attrs
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamgate.context import Actor
from streamgate.contracts.metadata import ContentSearch, Facet
from streamgate_metadata.cursor import Position
from streamgate_metadata.repository import listed_for
from streamgate_metadata.search.finding import Finder
from streamgate_metadata.search.highlights import Marker
from streamgate_metadata.search.index import PUBLIC, Index, Place, in_category, in_state, owned, tagged
from streamgate_metadata.search.query import Term, parse
from streamgate_metadata.search.tiers import Scope
from streamgate_metadata.tables import ContentRow, TagRow
from streamgate_metadata.texts import search_words

FACETS_MAX = 200

_KEYS: dict[str, InstrumentedAttribute[int] | InstrumentedAttribute[str] | InstrumentedAttribute[float]] = {
    "newest": ContentRow.created_at_ms,
    "oldest": ContentRow.created_at_ms,
    "title": ContentRow.title_key,
    "duration": ContentRow.duration_s,
}


@attrs.frozen
class Page:
    """`marker` shows what was found, where words were sought."""

    rows: Sequence[ContentRow]
    end: Position | None
    marker: Marker | None = None


def search(session: Session, index: Index, query: ContentSearch, position: Position | None) -> Page:
    """A page in the wanted order, and where the next one begins."""
    terms = parse(query.q)
    if not terms:
        return _list(session, query, position, _filters(query))
    conditions = [listed_for(query.actor)]
    if query.state:
        conditions.append(ContentRow.state == query.state)
    finder = Finder(session, index, terms, _scope(query), conditions)
    if query.sort == "relevance":
        return _by_rank(finder, query, position, terms)
    return _sorted(finder, query, position, terms)


def order_of(query: ContentSearch) -> str:
    """The order of the list, for its cursors: without words there is no rank."""
    return "newest" if query.sort == "relevance" and not parse(query.q) else query.sort


def _by_rank(finder: Finder, query: ContentSearch, position: Position | None, terms: Sequence[Term]) -> Page:
    after = None if position is None else Place(position.tier, int(position.key))
    hits = finder.page(query.limit, after)
    end = None if hits.end is None else Position("relevance", hits.end.doc_id, "", hits.end.tier)
    return Page(hits.rows, end, Marker(terms, hits.near))


def _sorted(finder: Finder, query: ContentSearch, position: Position | None, terms: Sequence[Term]) -> Page:
    """By another order than rank: everything that is found anywhere. Words near those typed, only without these."""
    tier = finder.any_tier()
    if tier is not None and (position is None or not position.tier):
        page = _list(finder.session, query, position, [*finder.conditions, finder.ids(tier)])
        if page.rows or position is not None:
            return attrs.evolve(page, marker=Marker(terms))
    near = finder.near()
    tier = finder.any_tier(near)
    if tier is None:
        return Page((), None)
    page = _list(finder.session, query, position, [*finder.conditions, finder.ids(tier)])
    end = None if page.end is None else attrs.evolve(page.end, tier=1)
    return Page(page.rows, end, Marker(terms, [word for words in near.values() for word in words]))


def _list(
    session: Session, query: ContentSearch, position: Position | None, conditions: Sequence[ColumnElement[bool]]
) -> Page:
    order = "newest" if query.sort == "relevance" else query.sort
    key, row_id = _KEYS[order], ContentRow.content_id
    statement = select(ContentRow).where(*conditions)
    statement = statement.order_by(*((key.desc(), row_id.desc()) if order == "newest" else (key, row_id)))
    if position is not None:
        at, last_id = position.key, position.content_id
        is_after = (
            or_(key < at, and_(key == at, row_id < last_id))
            if order == "newest"
            else or_(key > at, and_(key == at, row_id > last_id))
        )
        statement = statement.where(is_after)
    rows = list(session.scalars(statement.limit(query.limit + 1)))
    if len(rows) <= query.limit:
        return Page(rows, None)
    last = rows[query.limit - 1]
    return Page(rows[: query.limit], Position(order, getattr(last, key.key), last.content_id))


def _filters(query: ContentSearch) -> list[ColumnElement[bool]]:
    """Of a list without words. Signs that make none (`%`, `…`) are looked for as they are."""
    filters = [listed_for(query.actor)]
    filters += [ContentRow.search_text.contains(piece, autoescape=True) for piece in search_words(query.q)]
    if query.tag:
        filters.append(
            ContentRow.content_id.in_(select(TagRow.content_id).where(TagRow.tag_key == _tag_key(query.tag)))
        )
    if query.category:
        filters.append(ContentRow.category == query.category)
    if query.owner:
        filters.append(ContentRow.owner == query.owner)
    if query.state:
        filters.append(ContentRow.state == query.state)
    return filters


def _scope(query: ContentSearch) -> Scope:
    """The same rules and filters, as words of the index."""
    groups: list[tuple[str, ...]] = []
    if not query.actor.is_moderator:
        groups.append((PUBLIC, owned(query.actor.user_id)) if query.actor.user_id else (PUBLIC,))
    if query.owner:
        groups.append((owned(query.owner),))
    if query.tag:
        groups.append((tagged(_tag_key(query.tag)),))
    if query.category:
        groups.append((in_category(query.category),))
    if query.state:
        groups.append((in_state(query.state),))
    return Scope(tuple(groups))


def _tag_key(tag: str) -> str:
    return unicodedata.normalize("NFC", tag).strip().casefold()


# --- what there is --------------------------------------------------------------------------------


def categories(session: Session, actor: Actor) -> list[Facet]:
    """Categories of what belongs on the actor's lists, the fullest first."""
    count = func.count().label("count")
    statement = (
        select(ContentRow.category, count)
        .where(listed_for(actor), ContentRow.category != "")
        .group_by(ContentRow.category)
        .order_by(count.desc(), ContentRow.category)
        .limit(FACETS_MAX)
    )
    return [Facet(name=name, count=number) for name, number in session.execute(statement)]


def tags(session: Session, actor: Actor, prefix: str, limit: int) -> list[Facet]:
    """Tags of what belongs on the actor's lists that begin so, the fullest first."""
    count = func.count().label("count")
    statement = (
        select(TagRow.tag_key, count)
        .join(ContentRow, ContentRow.content_id == TagRow.content_id)
        .where(listed_for(actor))
        .group_by(TagRow.tag_key)
        .order_by(count.desc(), TagRow.tag_key)
        .limit(limit)
    )
    if prefix:
        statement = statement.where(TagRow.tag_key.startswith(_tag_key(prefix), autoescape=True))
    return [Facet(name=name, count=number) for name, number in session.execute(statement)]
