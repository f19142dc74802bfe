"""The index in SQLite: an FTS5 table of contents, and one of the trigrams of known words.

Everything a query names is quoted and made of `[0-9a-z_]`, so nothing in it can be taken for FTS5's own language.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, column, delete, insert, literal_column, table, text
from sqlalchemy.orm import Session

from streamgate_metadata.search.documents import add_document, number_of
from streamgate_metadata.search.index import Document, Found, Place
from streamgate_metadata.search.query import Term
from streamgate_metadata.search.tiers import Choice, Match, Scope, Tier
from streamgate_metadata.search.typos import CANDIDATES_MAX, worth_knowing
from streamgate_metadata.search.vocabulary import add_words
from streamgate_metadata.search.words import encoded
from streamgate_metadata.tables import DocumentRow

TAG_ENDS = "_"
"""A word no text has, so that no phrase goes from one tag into the next."""

FTS = table("metadata_fts", column("rowid"), column("title"), column("tags"), column("body"), column("scope"))
_NEAR = text(
    "SELECT w.word FROM metadata_near n JOIN metadata_words w ON w.word_id = n.rowid "
    "WHERE n.metadata_near MATCH :grams AND length(w.word) BETWEEN :least AND :most ORDER BY n.rank LIMIT :limit"
)


class SqliteIndex:
    """See `Index`."""

    def put(self, session: Session, document: Document) -> None:
        doc_id, is_new = add_document(session, document.content_id)
        if not is_new:
            session.execute(delete(FTS).where(FTS.c.rowid == doc_id))
        session.execute(insert(FTS), {"rowid": doc_id, **columns_of(document)})
        new = add_words(session, worth_knowing(document.vocabulary()))
        if new:
            session.execute(
                text("INSERT INTO metadata_near (rowid, word) VALUES (:id, :word)"),
                [{"id": word_id, "word": f"^{word}$"} for word_id, word in new],
            )

    def remove(self, session: Session, content_id: str) -> None:
        doc_id = number_of(session, content_id)
        if doc_id is not None:
            session.execute(delete(FTS).where(FTS.c.rowid == doc_id))
            session.execute(delete(DocumentRow).where(DocumentRow.doc_id == doc_id))

    def find(self, match: Match, scope: Scope, *, without: Match | None = None) -> Found:
        sought = " AND ".join([*(f"(scope : ({_any(group)}))" for group in scope.groups), *map(_choice, match)])
        if without is not None:
            sought = f"({sought}) NOT ({' AND '.join(map(_choice, without))})"
        rowid = literal_column("metadata_fts.rowid", DocumentRow.doc_id.type)
        return Found(
            source=FTS.join(DocumentRow.__table__, DocumentRow.doc_id == rowid),
            doc_id=rowid,
            condition=text("metadata_fts MATCH :sought").bindparams(bindparam("sought", sought, unique=True)),  # type: ignore[arg-type]
        )

    def ranked(self, session: Session, tiers: Sequence[Tier], scope: Scope) -> list[Place] | None:
        return None

    def few(self, session: Session, found: Found, before: int | None) -> list[int] | None:
        """FTS5 gives its rows from the newest on as they are asked for."""
        return None

    def near(self, session: Session, word: str, typos: int) -> Iterable[str]:
        padded = f"^{word}$"
        grams = " OR ".join(f'"{padded[n : n + 3]}"' for n in range(len(padded) - 2))
        bounds = {"least": len(word) - typos, "most": len(word) + typos, "limit": CANDIDATES_MAX}
        return session.scalars(_NEAR, {"grams": grams, **bounds})


def columns_of(document: Document) -> dict[str, str]:
    """What each column of the table holds of a content."""
    return {
        "title": _joined(document.title),
        "tags": f" {TAG_ENDS} ".join(_joined(tag) for tag in document.tags),
        "body": _joined(document.body),
        "scope": " ".join(sorted(document.scopes)),
    }


def _joined(words: Iterable[str]) -> str:
    return " ".join(map(encoded, words))


def _any(scopes: Iterable[str]) -> str:
    return " OR ".join(f'"{scope}"' for scope in scopes)


def _choice(choice: Choice) -> str:
    terms = " OR ".join(map(_term, choice.terms))
    return f"({{{' '.join(choice.fields)}}} : ({terms}))"


def _term(term: Term) -> str:
    return f'"{_joined(term.words)}"{" *" if term.is_prefix else ""}'
