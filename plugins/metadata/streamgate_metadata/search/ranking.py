"""The next contents by rank, in PostgreSQL.

GIN gives all contents that have a word or none, in no order: right for a rare word, and slow for a common one, which
walking from the newest content on finds at once (half a microsecond a content). PostgreSQL's guesses which is which are
bad (for beginnings of words most), so some contents are walked first, and what is among them says how to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import attrs
from sqlalchemy import BigInteger, Integer, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from streamgate_metadata.search.index import Place
from streamgate_metadata.search.tiers import Scope, Tier
from streamgate_metadata.search.tsvector import tsquery

BEYOND = 2**63 - 1
"""No content has so high a number."""

# OFFSET 0 is a fence: what is inside is planned apart, without the order and limit outside. How the transaction's next
# questions are planned is said in the first (the condition always holds), so that it costs no journey of its own.
_RANKED_NEAR = """
    SELECT tier, doc_id, count(*) OVER () FROM (
        SELECT {tier} AS tier, doc_id FROM {walk} WHERE fts_vector @@ :found OFFSET 0) placed
    WHERE (SELECT set_config('enable_seqscan', 'off', true) || set_config('jit', 'off', true)) IS NOT NULL
    ORDER BY tier < :first, tier, doc_id DESC LIMIT :wanted"""
_RANKED = """
    SELECT tier, doc_id FROM (
        SELECT {tier} AS tier, doc_id FROM metadata_documents WHERE fts_vector @@ :found OFFSET 0) placed
    WHERE tier > :first OR (tier = :first AND doc_id < :before)
    ORDER BY tier, doc_id DESC LIMIT :wanted"""
_NEWEST = """
    SELECT doc_id FROM (SELECT doc_id FROM {source} WHERE fts_vector @@ :found OFFSET 0) matching
    WHERE doc_id < :before ORDER BY doc_id DESC LIMIT :wanted"""
_WALK = """(
    SELECT doc_id, fts_vector FROM metadata_documents
    WHERE doc_id < :before ORDER BY doc_id DESC LIMIT {count}) walked"""


@attrs.frozen(kw_only=True)
class Ranking:
    """
    Args:
        walked: contents looked at first.
        few: when fewer of these are found, all that is sought is ranked in one question. Not so phrases: contents that
            have their words are read to see whether these follow each other, and the better tiers have fewer of them.
        far: contents that are walked to fill a page, where it should be full by then.
    """

    walked: int = 400
    few: int = 2
    far: int = 10_000

    def part(
        self, session: Session, tiers: Sequence[Tier], scope: Scope, after: Place | None, wanted: int
    ) -> list[Place]:
        """Those after `after`. Fewer than `wanted`: there are no more."""
        after = after or Place(tiers[0].number, BEYOND)
        numbers = tuple(tier.number for tier in tiers)
        sought = {f"match{tier.number}": tsquery(tier.match) for tier in tiers[:-1]}
        sought |= {"found": tsquery(tiers[-1].match, scope)}
        place = {"first": after.tier, "before": after.doc_id, "wanted": wanted}
        rows = session.execute(_ranked_near(numbers, self.walked), sought | place).all()
        seen = [Place(tier, doc_id) for tier, doc_id, _ in rows if tier >= after.tier]
        if len(seen) == wanted and seen[-1].tier == after.tier:
            return seen
        if (not rows or rows[0][2] < self.few) and not _has_phrases(tiers[-1]):
            return [Place(tier, doc_id) for tier, doc_id in session.execute(_ranked(numbers), sought | place)]
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
        sought = {"found": tsquery(tier.match, scope, tier.better), "before": before, "wanted": wanted}
        numbers: list[int] = []
        if share * self.far >= wanted:
            numbers = list(session.scalars(_newest(self.far), sought))
        if len(numbers) < wanted:
            numbers = list(session.scalars(_newest(), sought))
        return [Place(tier.number, number) for number in numbers]


def _has_phrases(tier: Tier) -> bool:
    return any(len(term.words) > 1 for choice in tier.match for term in choice.terms)


# --- the questions, by how many tiers and how far ---------------------------------------------------


@lru_cache
def _ranked_near(tiers: tuple[int, ...], walked: int) -> TextClause:
    return _typed(_RANKED_NEAR.format(tier=_tier(tiers), walk=_WALK.format(count=walked)), tiers)


@lru_cache
def _ranked(tiers: tuple[int, ...]) -> TextClause:
    return _typed(_RANKED.format(tier=_tier(tiers)), tiers)


@lru_cache
def _newest(walked: int = 0) -> TextClause:
    """Of so many contents, or of all."""
    return _typed(_NEWEST.format(source=_WALK.format(count=walked) if walked else "metadata_documents"))


def _tier(tiers: tuple[int, ...]) -> str:
    """The first that matches. The last one holds all others."""
    better = " ".join(f"WHEN fts_vector @@ :match{number} THEN {number}" for number in tiers[:-1])
    return f"CASE {better} ELSE {tiers[-1]} END" if better else str(tiers[-1])


def _typed(sql: str, tiers: tuple[int, ...] = ()) -> TextClause:
    """A tsquery is bound as one: a text would be read again for each row."""
    numbers = {"before": BigInteger, "wanted": BigInteger, "first": Integer}
    queries = ["found", *(f"match{number}" for number in tiers[:-1])]
    return text(sql).bindparams(
        *(bindparam(name, type_=kind()) for name, kind in numbers.items() if f":{name}" in sql),
        *(bindparam(name, type_=TSQUERY()) for name in queries),
    )
