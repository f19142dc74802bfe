"""The next contents by rank, in PostgreSQL.

GIN gives all contents that have a word or none, in no order: right for a rare word, and slow for a common one, which
walking from the newest content on finds at once (half a microsecond a content). PostgreSQL's guesses which is which are
bad (for beginnings of words most), so some contents are walked first, and what is among them says how to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, FromClause, Subquery, and_, case, func, literal, literal_column, or_, select, text
from sqlalchemy.orm import Session

from streamgate_metadata.search.index import Place
from streamgate_metadata.search.tiers import Scope, Tier
from streamgate_metadata.search.tsvector import sought
from streamgate_metadata.tables import DocumentRow

NUMBER = DocumentRow.doc_id.expression
VECTOR: ColumnElement[Any] = literal_column("metadata_documents.fts_vector")
BEYOND = 2**63 - 1
"""No content has so high a number."""

_IS_BY_WORDS = text("(SELECT set_config('enable_seqscan', 'off', true) || set_config('jit', 'off', true)) IS NOT NULL")
"""Always so: how the transaction's next questions are planned. Asked with the first, it costs no journey of its own."""

_FENCE: ColumnElement[int] = literal_column("0")
"""An OFFSET that changes nothing: what is inside is planned apart, without the order and limit outside."""


@attrs.frozen(kw_only=True)
class Ranking:
    """
    Args:
        walked: contents looked at first.
        few: when fewer of these are found, all that is sought is ranked in one question. Not so phrases: contents that
            have their words are read to see whether these follow each other, and the better tiers have fewer of them.
        far: contents that are walked to fill a page, where it should be full by then.
    """

    walked: int = 1_000
    few: int = 5
    far: int = 10_000

    def part(
        self, session: Session, tiers: Sequence[Tier], scope: Scope, after: Place | None, wanted: int
    ) -> list[Place]:
        """Those after `after`. Fewer than `wanted`: there are no more."""
        after = after or Place(tiers[0].number, BEYOND)
        seen, count = _ranked_near(session, _placed(_walk(self.walked, after.doc_id), tiers, scope), after, wanted)
        if len(seen) == wanted and seen[-1].tier == after.tier:
            return seen
        if count < self.few and not _has_phrases(tiers[-1]):
            return _ranked(session, _placed(_everything(), tiers, scope), after, wanted)
        part: list[Place] = []
        for tier in tiers:
            if tier.number >= after.tier and len(part) < wanted:
                before = after.doc_id if tier.number == after.tier else BEYOND
                share = sum(place.tier == tier.number for place in seen) / self.walked
                part += self._in_tier(session, tier, scope, before, wanted - len(part), share)
        return part

    def _in_tier(
        self, session: Session, tier: Tier, scope: Scope, before: int, wanted: int, share: float
    ) -> list[Place]:
        """
        Args:
            share: of contents, as far as is known, that are in the tier.
        """
        numbers: list[int] = []
        if share * self.far >= wanted:
            numbers = _newest(session, _matching(_walk(self.far, before), tier, scope), before, wanted)
        if len(numbers) < wanted:
            numbers = _newest(session, _matching(_everything(), tier, scope), before, wanted)
        return [Place(tier.number, number) for number in numbers]


def _has_phrases(tier: Tier) -> bool:
    return any(len(term.words) > 1 for choice in tier.match for term in choice.terms)


# --- where is looked ------------------------------------------------------------------------------------


@attrs.frozen
class _Source:
    rows: FromClause
    number: ColumnElement[int]
    vector: ColumnElement[Any]


def _walk(count: int, before: int) -> _Source:
    """So many contents, from the newest before this one on."""
    vector = VECTOR.label("fts_vector")
    rows = select(NUMBER, vector).where(before > NUMBER).order_by(NUMBER.desc()).limit(count).subquery("walked")
    return _Source(rows, rows.c.doc_id, rows.c.fts_vector)


def _everything() -> _Source:
    """All contents, by their words."""
    return _Source(DocumentRow.__table__, NUMBER, VECTOR)


# --- what is asked --------------------------------------------------------------------------------------


def _placed(source: _Source, tiers: Sequence[Tier], scope: Scope) -> Subquery:
    """All that is found, with its tier. The last tier holds all others."""
    last = literal(tiers[-1].number)
    better = [(sought(source.vector, tier.match, Scope(())), tier.number) for tier in tiers[:-1]]
    tier: ColumnElement[int] = case(*better, else_=last) if better else last
    found = sought(source.vector, tiers[-1].match, scope)
    statement = select(tier.label("tier"), source.number.label("doc_id")).select_from(source.rows).where(found)
    return statement.offset(_FENCE).subquery("placed")


def _matching(source: _Source, tier: Tier, scope: Scope) -> Subquery:
    found = sought(source.vector, tier.match, scope, tier.better)
    statement = select(source.number.label("doc_id")).select_from(source.rows).where(found)
    return statement.offset(_FENCE).subquery("matching")


def _ranked_near(session: Session, placed: Subquery, after: Place, wanted: int) -> tuple[list[Place], int]:
    """Those of its tier and the tiers beyond, and how many there are of any tier."""
    tier, number = placed.c.tier, placed.c.doc_id
    order = (tier < after.tier, tier, number.desc())
    statement = select(tier, number, func.count().over()).where(_IS_BY_WORDS).order_by(*order).limit(wanted)
    rows = session.execute(statement).all()
    return [Place(at, doc_id) for at, doc_id, _ in rows if at >= after.tier], rows[0][2] if rows else 0


def _ranked(session: Session, placed: Subquery, after: Place, wanted: int) -> list[Place]:
    tier, number = placed.c.tier, placed.c.doc_id
    beyond = or_(tier > after.tier, and_(tier == after.tier, number < after.doc_id))
    statement = select(tier, number).where(beyond).order_by(tier, number.desc()).limit(wanted)
    return [Place(at, doc_id) for at, doc_id in session.execute(statement)]


def _newest(session: Session, matching: Subquery, before: int, wanted: int) -> list[int]:
    number = matching.c.doc_id
    return list(session.scalars(select(number).where(number < before).order_by(number.desc()).limit(wanted)))
