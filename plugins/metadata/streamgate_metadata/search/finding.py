"""A search: tier after tier until the page is full."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import ColumnElement, FromClause, and_, select
from sqlalchemy.orm import Session

from streamgate_metadata.search.index import Index
from streamgate_metadata.search.query import Term
from streamgate_metadata.search.tiers import FIRST_TYPO_TIER, Scope, Tier, tiers, typo_tiers
from streamgate_metadata.search.typos import nearest
from streamgate_metadata.tables import ContentRow, DocumentRow

AT_ONCE = 100
"""Contents looked at together, of those the index has found."""


@attrs.frozen
class Place:
    """Where a page ended: the last content's tier and number."""

    tier: int
    doc_id: int


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
        return {
            term: nearest(term.words[0], self.index.near(self.session, term.words[0], term.typos), term.typos)
            for term in self.terms
            if term.typos
        }

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
        rows: list[tuple[int, int, ContentRow]] = []
        for tier in looked_at:
            if after is not None and tier.number < after.tier:
                continue
            before = after.doc_id if after is not None and tier.number == after.tier else None
            rows += self._in_tier(tier, limit + 1 - len(rows), before)
            if len(rows) > limit:
                break
        end = Place(*rows[limit - 1][:2]) if len(rows) > limit else None
        return Hits(rows=tuple(row for _, _, row in rows[:limit]), end=end, near=frozenset())

    def _in_tier(self, tier: Tier, limit: int, before: int | None) -> list[tuple[int, int, ContentRow]]:
        found = self.index.find(tier.match, self.scope, without=tier.better)
        numbers = self.index.few(self.session, found, before)
        if numbers is None:
            condition = found.condition if before is None else and_(found.condition, found.doc_id < before)
            return self._rows(tier, found.source, found.doc_id, condition, limit)
        rows: list[tuple[int, int, ContentRow]] = []
        for n in range(0, len(numbers), AT_ONCE):
            is_one = DocumentRow.doc_id.in_(numbers[n : n + AT_ONCE])
            rows += self._rows(tier, DocumentRow.__table__, DocumentRow.doc_id.expression, is_one, limit - len(rows))
            if len(rows) == limit:
                break
        return rows

    def _rows(
        self, tier: Tier, source: FromClause, doc_id: ColumnElement[int], condition: ColumnElement[bool], limit: int
    ) -> list[tuple[int, int, ContentRow]]:
        statement = (
            select(doc_id.label("number"), ContentRow)
            .select_from(source)
            .join(ContentRow, ContentRow.content_id == DocumentRow.content_id)
            .where(condition, *self.conditions)
            .order_by(doc_id.desc())
            .limit(limit)
        )
        return [(tier.number, number, row) for number, row in self.session.execute(statement)]


def _all(near: dict[Term, tuple[str, ...]]) -> frozenset[str]:
    return frozenset(word for words in near.values() for word in words)
