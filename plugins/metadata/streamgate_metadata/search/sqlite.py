"""The index in SQLite: an FTS5 table of contents, and one of the trigrams of known words.

Everything a query names is quoted and made of `[0-9a-z_]`, so nothing in it can be taken for FTS5's own language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import ColumnElement, bindparam, column, delete, insert, literal_column, select, table, text
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
_ROWID = literal_column("metadata_fts.rowid", DocumentRow.doc_id.type)
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

    def find(self, match: Match, scope: Scope) -> Found:
        return Found(
            source=FTS.join(DocumentRow.__table__, DocumentRow.doc_id == _ROWID), condition=_matches(match, scope)
        )

    def places(
        self, session: Session, tiers: Sequence[Tier], scope: Scope, after: Place | None, at_once: int
    ) -> Iterator[Place]:
        """FTS5 gives its rows from the newest on as they are asked for, so one tier is looked in after another."""
        for tier in tiers:
            if after is not None and tier.number < after.tier:
                continue
            before = after.doc_id if after is not None and tier.number == after.tier else None
            found = select(_ROWID).select_from(FTS).where(_matches(tier.match, scope, without=tier.better))
            found = found.order_by(_ROWID.desc()).limit(at_once)
            while numbers := list(session.scalars(found if before is None else found.where(before > _ROWID))):
                yield from (Place(tier.number, number) for number in numbers)
                if len(numbers) < at_once:
                    break
                before = numbers[-1]

    def among(self, numbers: Sequence[int]) -> ColumnElement[bool]:
        return DocumentRow.doc_id.in_(numbers)

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


def _matches(match: Match, scope: Scope, *, without: Match | None = None) -> ColumnElement[bool]:
    sought = " AND ".join([*(f"(scope : ({_any(group)}))" for group in scope.groups), *map(_choice, match)])
    if without is not None:
        sought = f"({sought}) NOT ({' AND '.join(map(_choice, without))})"
    return text("metadata_fts MATCH :sought").bindparams(bindparam("sought", sought, unique=True))  # type: ignore[return-value]


def _joined(words: Iterable[str]) -> str:
    return " ".join(map(encoded, words))


def _any(scopes: Iterable[str]) -> str:
    return " OR ".join(f'"{scope}"' for scope in scopes)


def _choice(choice: Choice) -> str:
    terms = " OR ".join(map(_term, choice.terms))
    return f"({{{' '.join(choice.fields)}}} : ({terms}))"


def _term(term: Term) -> str:
    return f'"{_joined(term.words)}"{" *" if term.is_prefix else ""}'
