"""A search: tier after tier until the page is full."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import attrs
from sqlalchemy import ColumnElement, FromClause, and_, select
from sqlalchemy.orm import Session

from streamgate_metadata.search.index import Index, Place
from streamgate_metadata.search.query import Term
from streamgate_metadata.search.tiers import FIRST_TYPO_TIER, Scope, Tier, tiers, typo_tiers
from streamgate_metadata.search.typos import nearest, swaps
from streamgate_metadata.search.vocabulary import known_words
from streamgate_metadata.tables import ContentRow, DocumentRow

AT_ONCE = 100
"""Contents looked at together, of those the index has found."""

NUMBER = DocumentRow.doc_id.expression

Row = tuple[Place, ContentRow]


@attrs.frozen(kw_only=True)
class Hits:
    """`near`: the words that were sought beside those typed. `end` None: there are no more."""

    rows: tuple[ContentRow, ...]
    end: Place | None
    near: frozenset[str]


@attrs.frozen
class Finder:
    """One query on one snapshot.

    Args:
        conditions: on the content's row, beyond what `scope` says in the index: who may see it, once more.
    """

    session: Session
    index: Index
    terms: Sequence[Term]
    scope: Scope
    conditions: Sequence[ColumnElement[bool]]

    def page(self, limit: int, after: Place | None) -> Hits:
        """By rank. What was found with other words than those typed is shown only where these find nothing."""
        first_tier = after.tier if after is not None else 1
        if first_tier < FIRST_TYPO_TIER:
            hits = self._page(tiers(self.terms), limit, after)
            if hits.rows or after is not None:
                return hits
        near = self.near()
        return attrs.evolve(self._page(typo_tiers(self.terms, near), limit, after), near=_all(near))

    def near(self) -> dict[Term, tuple[str, ...]]:
        return {term: self._near(term.words[0], term.typos) for term in self.terms if term.typos}

    def _near(self, word: str, typos: int) -> tuple[str, ...]:
        similar = self.index.near(self.session, word, typos)
        return nearest(word, {*similar, *known_words(self.session, swaps(word))}, typos)

    def any_tier(self, near: dict[Term, tuple[str, ...]] | None = None) -> Tier | None:
        """The widest tier of all: for other orders than by rank. With `near` that of misspelt words."""
        found = tiers(self.terms) if near is None else typo_tiers(self.terms, near)
        return found[-1] if found else None

    def ids(self, tier: Tier) -> ColumnElement[bool]:
        """Condition: the content is found in this tier."""
        found = self.index.find(tier.match, self.scope)
        return ContentRow.content_id.in_(
            select(DocumentRow.content_id).select_from(found.source).where(found.condition)
        )

    def _page(self, looked_at: Sequence[Tier], limit: int, after: Place | None) -> Hits:
        ranked = self.index.ranked(self.session, looked_at, self.scope) if looked_at else []
        if ranked is None:
            rows = self._tier_by_tier(looked_at, limit + 1, after)
        else:
            rows = self._placed(ranked, limit + 1, after)
        end = rows[limit - 1][0] if len(rows) > limit else None
        return Hits(rows=tuple(row for _, row in rows[:limit]), end=end, near=frozenset())

    def _placed(self, ranked: Sequence[Place], limit: int, after: Place | None) -> list[Row]:
        """The first of them that the conditions let pass, in their order."""
        order = sorted(ranked, key=_rank)
        if after is not None:
            order = order[bisect_right(order, _rank(after), key=_rank) :]
        rows: list[Row] = []
        for n in range(0, len(order), AT_ONCE):
            tier_of = {place.doc_id: place.tier for place in order[n : n + AT_ONCE]}
            found = self._rows(DocumentRow.__table__, NUMBER, NUMBER.in_(tier_of), AT_ONCE)
            rows += sorted(
                ((Place(tier_of[number], number), row) for number, row in found), key=lambda row: _rank(row[0])
            )
            if len(rows) >= limit:
                break
        return rows[:limit]

    def _tier_by_tier(self, looked_at: Sequence[Tier], limit: int, after: Place | None) -> list[Row]:
        rows: list[Row] = []
        for tier in looked_at:
            if after is not None and tier.number < after.tier:
                continue
            before = after.doc_id if after is not None and tier.number == after.tier else None
            found = self._in_tier(tier, limit - len(rows), before)
            rows += [(Place(tier.number, number), row) for number, row in found]
            if len(rows) == limit:
                break
        return rows

    def _in_tier(self, tier: Tier, limit: int, before: int | None) -> list[tuple[int, ContentRow]]:
        found = self.index.find(tier.match, self.scope, without=tier.better)
        numbers = self.index.few(self.session, found, before)
        if numbers is None:
            condition = found.condition if before is None else and_(found.condition, found.doc_id < before)
            return self._rows(found.source, found.doc_id, condition, limit)
        rows: list[tuple[int, ContentRow]] = []
        for n in range(0, len(numbers), AT_ONCE):
            is_one = NUMBER.in_(numbers[n : n + AT_ONCE])
            rows += self._rows(DocumentRow.__table__, NUMBER, is_one, limit - len(rows))
            if len(rows) == limit:
                break
        return rows

    def _rows(
        self, source: FromClause, doc_id: ColumnElement[int], condition: ColumnElement[bool], limit: int
    ) -> list[tuple[int, ContentRow]]:
        statement = (
            select(doc_id.label("number"), ContentRow)
            .select_from(source)
            .join(ContentRow, ContentRow.content_id == DocumentRow.content_id)
            .where(condition, *self.conditions)
            .order_by(doc_id.desc())
            .limit(limit)
        )
        return [(number, row) for number, row in self.session.execute(statement)]


def _rank(place: Place) -> tuple[int, int]:
    return place.tier, -place.doc_id


def _all(near: dict[Term, tuple[str, ...]]) -> frozenset[str]:
    return frozenset(word for words in near.values() for word in words)
