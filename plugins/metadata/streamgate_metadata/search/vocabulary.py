"""The words that occur anywhere, for finding what a misspelt one may mean. Words are added and never taken away: one
that no content has any more finds nothing, and says nothing of where it was."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate_metadata.tables import WordRow

AT_ONCE = 500


def add_words(session: Session, words: Sequence[str]) -> list[tuple[int, str]]:
    """Those that were not known, with their numbers. `words` are sorted."""
    added: list[tuple[int, str]] = []
    for n in range(0, len(words), AT_ONCE):
        some = words[n : n + AT_ONCE]
        known = known_words(session, some)
        new = [{"word": word} for word in some if word not in known]
        if new:
            statement = insert_into(session, WordRow).values(new).on_conflict_do_nothing()
            added += [
                (row.word_id, row.word) for row in session.execute(statement.returning(WordRow.word_id, WordRow.word))
            ]
    return added


def known_words(session: Session, words: Sequence[str]) -> set[str]:
    return set(session.scalars(select(WordRow.word).where(WordRow.word.in_(words))))
