"""The numbers of contents in the index: given once, higher for newer ones."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate_metadata.search.index import VERSION
from streamgate_metadata.tables import DocumentRow


def add_document(session: Session, content_id: str) -> tuple[int, bool]:
    """The content's number, and whether it is a new one."""
    doc_id = number_of(session, content_id)
    if doc_id is not None:
        session.execute(update(DocumentRow).where(DocumentRow.doc_id == doc_id).values(version=VERSION))
        return doc_id, False
    statement = insert_into(session, DocumentRow).values(content_id=content_id, version=VERSION)
    return session.execute(statement.returning(DocumentRow.doc_id)).scalar_one(), True


def number_of(session: Session, content_id: str) -> int | None:
    return session.scalar(select(DocumentRow.doc_id).where(DocumentRow.content_id == content_id))


def remove_document(session: Session, content_id: str) -> None:
    session.execute(delete(DocumentRow).where(DocumentRow.content_id == content_id))
