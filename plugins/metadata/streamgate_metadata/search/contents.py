"""From a content's row to the index of its database."""

from __future__ import annotations

from sqlalchemy.orm import Session

from streamgate_metadata.search.index import PUBLIC, Document, Index, in_category, in_state, owned, tagged, words_of
from streamgate_metadata.tables import ContentRow

TITLE_MAX_WORDS = 300


def index_for(dialect: str) -> Index:
    """The index of a database, by SQLAlchemy's name of it."""
    if dialect == "sqlite":
        from streamgate_metadata.search.sqlite import SqliteIndex

        return SqliteIndex()
    from streamgate_metadata.search.postgres import PostgresIndex

    return PostgresIndex()


def put(session: Session, row: ContentRow) -> None:
    """The content as it is now can be found from this transaction's commit on; a deleted one cannot."""
    index = index_for(session.get_bind().dialect.name)
    if row.state == "deleted":
        index.remove(session, row.content_id)
    else:
        index.put(session, document_of(row))


def document_of(row: ContentRow) -> Document:
    scopes = {owned(row.owner), in_state(row.state), *(tagged(tag.casefold()) for tag in row.tags)}
    if row.category:
        scopes.add(in_category(row.category))
    if row.visibility == "listed" and row.published_at_ms is not None:
        scopes.add(PUBLIC)
    return Document(
        content_id=row.content_id,
        title=words_of(row.title, TITLE_MAX_WORDS),
        tags=[words_of(tag) for tag in row.tags],
        body=words_of(row.description),
        scopes=frozenset(scopes),
    )
