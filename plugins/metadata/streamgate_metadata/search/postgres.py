"""The index in PostgreSQL: a tsvector beside each content, and trigrams of known words (pg_trgm)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
from sqlalchemy import BigInteger, Boolean, ColumnElement, any_, cast, literal, literal_column, text
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.orm import Session

from streamgate_metadata.search.documents import add_document, remove_document
from streamgate_metadata.search.index import Document, Found, Place
from streamgate_metadata.search.ranking import Ranking
from streamgate_metadata.search.tiers import Match, Scope, Tier
from streamgate_metadata.search.tsvector import tsquery, vector_of
from streamgate_metadata.search.typos import CANDIDATES_MAX, nearest, worth_knowing
from streamgate_metadata.search.vocabulary import add_words
from streamgate_metadata.tables import DocumentRow

PART_MAX = 1_000

SIMILARITIES = {1: ("0.25",), 2: ("0.35", "0.14")}
"""Shares of common trigrams by how many edits a word may be away: the last of each holds for any such word (swaps of
neighbours aside)."""

_VECTOR: ColumnElement[Any] = literal_column("metadata_documents.fts_vector")
_LEAST_SIMILARITY = text("SELECT set_config('pg_trgm.similarity_threshold', :least, true)")
_NEAR = text(
    "SELECT word FROM metadata_words WHERE word % :word AND length(word) BETWEEN :least AND :most "
    "ORDER BY similarity(word, :word) DESC, word LIMIT :limit"
)


@attrs.frozen
class PostgresIndex:
    """See `Index`."""

    ranking: Ranking = attrs.field(factory=Ranking)

    def put(self, session: Session, document: Document) -> None:
        doc_id, _ = add_document(session, document.content_id)
        session.execute(
            text("UPDATE metadata_documents SET fts_vector = CAST(:vector AS tsvector) WHERE doc_id = :id"),
            {"vector": vector_of(document), "id": doc_id},
        )
        add_words(session, worth_knowing(document.vocabulary()))

    def remove(self, session: Session, content_id: str) -> None:
        remove_document(session, content_id)

    def find(self, match: Match, scope: Scope) -> Found:
        query = cast(literal(tsquery(match, scope), TSQUERY), TSQUERY)
        found = _VECTOR.op("@@", return_type=Boolean())(query)
        return Found(source=DocumentRow.__table__, condition=found)

    def places(
        self, session: Session, tiers: Sequence[Tier], scope: Scope, after: Place | None, at_once: int
    ) -> Iterator[Place]:
        while True:
            part = self.ranking.part(session, tiers, scope, after, at_once)
            yield from part
            if len(part) < at_once:
                return
            after, at_once = part[-1], min(2 * at_once, PART_MAX)

    def among(self, numbers: Sequence[int]) -> ColumnElement[bool]:
        return DocumentRow.doc_id == any_(literal(list(numbers), ARRAY(BigInteger)))

    def near(self, session: Session, word: str, typos: int) -> Iterable[str]:
        """Words that share few trigrams are many: they are looked at only where those that share more are not near."""
        bounds = {"least": len(word) - typos, "most": len(word) + typos, "limit": CANDIDATES_MAX}
        candidates: list[str] = []
        for similarity in SIMILARITIES[typos]:
            session.execute(_LEAST_SIMILARITY, {"least": similarity})
            candidates = list(session.scalars(_NEAR, {"word": word, **bounds}))
            if nearest(word, candidates, typos):
                break
        return candidates
