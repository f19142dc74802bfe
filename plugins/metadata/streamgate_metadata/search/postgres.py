"""The index in PostgreSQL: a tsvector beside each content, and trigrams of known words (pg_trgm).

The tsvector is written by us, not by a parser of PostgreSQL: a word of the title is `1word`, of a tag `2word`, of the
description `3word`. A field is part of the word, and not a weight, because GIN knows no weights: it would have to read
every row that has the word. Words are `[0-9a-z_]`, so that nothing needs quoting beyond the quotes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Boolean, ColumnElement, bindparam, case, cast, literal, literal_column, select, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from streamgate_metadata.search.documents import add_document, remove_document
from streamgate_metadata.search.index import Document, Found, Place
from streamgate_metadata.search.query import Term
from streamgate_metadata.search.tiers import FIELDS, Choice, Field, Match, Scope, Tier
from streamgate_metadata.search.typos import CANDIDATES_MAX, nearest, worth_knowing
from streamgate_metadata.search.vocabulary import add_words
from streamgate_metadata.search.words import encoded
from streamgate_metadata.tables import DocumentRow

MAX_POSITION = 16_383
"""What a tsvector counts to; phrases are not found beyond."""

MAX_WORD_POSITIONS = 255
MANY = 2_000
"""Contents from which on walking is quicker than fetching all and sorting."""

SIMILARITIES = {1: ("0.25",), 2: ("0.35", "0.14")}
"""Shares of common trigrams by how many edits a word may be away: the last of each holds for any such word (swaps of
neighbours aside)."""

_MARKS: dict[Field, str] = {field: str(n) for n, field in enumerate(FIELDS, 1)}
_VECTOR: ColumnElement[str] = literal_column("metadata_documents.fts_vector")
_PLAN = text(
    "SELECT set_config('enable_seqscan', :seq, true), set_config('enable_indexscan', :index, true), "
    "set_config('enable_bitmapscan', :bitmap, true), set_config('jit', 'off', true)"
)
PLANNED = "streamgate_metadata.plan"
BY_WORDS = {"seq": "off", "index": "off", "bitmap": "on"}
BY_NUMBER = {"seq": "off", "index": "on", "bitmap": "off"}
_LEAST_SIMILARITY = text("SELECT set_config('pg_trgm.similarity_threshold', :least, true)")
_NEAR = text(
    "SELECT word FROM metadata_words WHERE word % :word AND length(word) BETWEEN :least AND :most "
    "ORDER BY similarity(word, :word) DESC, word LIMIT :limit"
)


class PostgresIndex:
    """See `Index`."""

    def put(self, session: Session, document: Document) -> None:
        doc_id, _ = add_document(session, document.content_id)
        session.execute(
            text("UPDATE metadata_documents SET fts_vector = CAST(:vector AS tsvector) WHERE doc_id = :id"),
            {"vector": vector_of(document), "id": doc_id},
        )
        add_words(session, worth_knowing(document.vocabulary()))

    def remove(self, session: Session, content_id: str) -> None:
        remove_document(session, content_id)

    def find(self, match: Match, scope: Scope, *, without: Match | None = None) -> Found:
        sought = " & ".join([*(_any(group) for group in scope.groups), *map(_choice, match)])
        if without is not None:
            sought = f"{sought} & !({' & '.join(map(_choice, without))})"
        return Found(
            source=DocumentRow.__table__,
            doc_id=DocumentRow.doc_id.expression,
            condition=_VECTOR.op("@@", return_type=Boolean())(cast(bindparam(None, sought), TSQUERY)),
        )

    def ranked(self, session: Session, tiers: Sequence[Tier], scope: Scope) -> list[Place] | None:
        """The last tier holds all others: one question finds everything, and says of each where it belongs."""
        widest = self.find(tiers[-1].match, scope)
        last = literal(tiers[-1].number)
        better = [(self.find(tier.match, Scope(())).condition, tier.number) for tier in tiers[:-1]]
        belongs: ColumnElement[int] = case(*better, else_=last) if better else last
        _plan(session, BY_WORDS)
        found = session.execute(select(belongs, widest.doc_id).where(widest.condition).limit(MANY)).all()
        return None if len(found) == MANY else [Place(tier, doc_id) for tier, doc_id in found]

    def few(self, session: Session, found: Found, before: int | None) -> list[int] | None:
        """GIN gives all or nothing, in no order. For a rare word that is right, for a common one walking from the
        newest content on; PostgreSQL guesses which (badly, for beginnings of words), so it is counted and told."""
        statement = select(found.doc_id).where(found.condition).limit(MANY)
        if before is not None:
            statement = statement.where(found.doc_id < before)
        _plan(session, BY_WORDS)
        numbers = list(session.scalars(statement))
        if len(numbers) < MANY:
            return sorted(numbers, reverse=True)
        _plan(session, BY_NUMBER)
        return None

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


def _plan(session: Session, plan: dict[str, str]) -> None:
    """Says how the transaction's next questions are answered, if it was not said."""
    if session.info.get(PLANNED) != plan:
        session.execute(_PLAN, plan)
        session.info[PLANNED] = plan


def vector_of(document: Document) -> str:
    """The tsvector as text. Between tags a position is left out, so that no phrase goes from one into the next."""
    positions: dict[str, list[int]] = defaultdict(list)
    fields: dict[Field, Sequence[Sequence[str]]] = {
        "title": [document.title],
        "tags": document.tags,
        "body": [document.body],
    }
    for field, texts in fields.items():
        at = 0
        for words in texts:
            at += 1
            for word in words:
                at += 1
                positions[_MARKS[field] + encoded(word)].append(min(at, MAX_POSITION))
    lexemes = [
        f"'{lexeme}':{','.join(map(str, dict.fromkeys(at[:MAX_WORD_POSITIONS])))}" for lexeme, at in positions.items()
    ]
    return " ".join([*lexemes, *map(_quoted, sorted(document.scopes))])


def _any(scopes: Iterable[str]) -> str:
    return f"({' | '.join(map(_quoted, scopes))})"


def _quoted(lexeme: str) -> str:
    return f"'{lexeme}'"


def _choice(choice: Choice) -> str:
    return f"({' | '.join(_term(term, field) for term in choice.terms for field in choice.fields)})"


def _term(term: Term, field: Field) -> str:
    lexemes = [_quoted(_MARKS[field] + encoded(word)) for word in term.words]
    if term.is_prefix:
        lexemes[-1] += ":*"
    return lexemes[0] if len(lexemes) == 1 else f"({' <-> '.join(lexemes)})"
