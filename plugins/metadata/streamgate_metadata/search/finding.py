"""A search: what the index finds, by rank, until the page is full."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import attrs
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from streamgate_metadata.search.index import Index, Place
from streamgate_metadata.search.query import Term
from streamgate_metadata.search.tiers import FIRST_TYPO_TIER, Scope, Tier, tiers, typo_tiers
from streamgate_metadata.search.typos import nearest, swaps
from streamgate_metadata.search.vocabulary import known_words
from streamgate_metadata.tables import ContentRow, DocumentRow

AT_ONCE_MAX = 1_000
"""Contents read together, of those the index has found."""

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
        """Contents are read as many at a time as the page has; more, where conditions leave out most."""
        at_once = limit + 1
        places = iter(()) if not looked_at else self.index.places(self.session, looked_at, self.scope, after, at_once)
        rows: list[Row] = []
        while len(rows) <= limit and (some := list(islice(places, at_once))):
            rows += self._rows(some)
            at_once = min(2 * at_once, AT_ONCE_MAX)
        end = rows[limit - 1][0] if len(rows) > limit else None
        return Hits(rows=tuple(row for _, row in rows[:limit]), end=end, near=frozenset())

    def _rows(self, places: Sequence[Place]) -> list[Row]:
        """Those that the conditions let pass, in their order."""
        number = DocumentRow.doc_id.expression
        statement = (
            select(number, ContentRow)
            .select_from(DocumentRow)
            .join(ContentRow, ContentRow.content_id == DocumentRow.content_id)
            .where(self.index.among([place.doc_id for place in places]), *self.conditions)
        )
        found = dict(self.session.execute(statement).all())
        return [(place, found[place.doc_id]) for place in places if place.doc_id in found]


def _all(near: dict[Term, tuple[str, ...]]) -> frozenset[str]:
    return frozenset(word for words in near.values() for word in words)
