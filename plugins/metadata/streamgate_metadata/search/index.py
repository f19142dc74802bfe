"""What the index of a database does, and what goes into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import attrs
from sqlalchemy import ColumnElement, FromClause
from sqlalchemy.orm import Session

from streamgate_metadata.search.tiers import Match, Scope, Tier
from streamgate_metadata.search.words import encoded, words

VERSION = 2
"""Of what is indexed and how words are cut: contents indexed by an older one are indexed again at the next start."""

BODY_MAX_WORDS = 8_000

PUBLIC = "__p"


SCOPE_MAX_CHARS = 2_000
"""PostgreSQL takes no word beyond 2,046 bytes. No content's name of anything is as long as that."""


def owned(user_id: str) -> str:
    return _scope("o", user_id)


def tagged(tag_key: str) -> str:
    return _scope("t", tag_key)


def in_category(category: str) -> str:
    return _scope("c", category)


def in_state(state: str) -> str:
    return _scope("s", state)


def _scope(kind: str, name: str) -> str:
    return f"__{kind}{encoded(name)}"[:SCOPE_MAX_CHARS]


@attrs.frozen(kw_only=True)
class Document:
    """A content as the index has it. Words are in order; `tags` has those of each tag apart. `scopes` say who may find
    it and what it is filed under: with them the index answers only what may be seen, however much else there is."""

    content_id: str
    title: Sequence[str]
    tags: Sequence[Sequence[str]]
    body: Sequence[str]
    scopes: frozenset[str]

    def vocabulary(self) -> set[str]:
        return {*self.title, *self.body, *(word for tag in self.tags for word in tag)}


@attrs.frozen
class Found:
    """Where a query looks: rows of `source` that fulfil `condition` are contents' documents."""

    source: FromClause
    condition: ColumnElement[bool]


@attrs.frozen
class Place:
    """A content in a ranking: its tier and number. A page ends at one."""

    tier: int
    doc_id: int


class Index(Protocol):
    def put(self, session: Session, document: Document) -> None:
        """Adds a content or replaces it."""

    def remove(self, session: Session, content_id: str) -> None: ...

    def find(self, match: Match, scope: Scope) -> Found:
        """All that is found, in no order."""

    def places(
        self, session: Session, tiers: Sequence[Tier], scope: Scope, after: Place | None, at_once: int
    ) -> Iterator[Place]:
        """All that is found in any of the tiers, each in its first, by rank, from beyond `after` on. Looked for as it
        is asked for, `at_once` or some more."""

    def among(self, numbers: Sequence[int]) -> ColumnElement[bool]:
        """Condition: the document has one of these numbers."""

    def near(self, session: Session, word: str, typos: int) -> Iterable[str]:
        """Known words that may be within so many edits; the caller counts."""


def words_of(text: str, at_most: int = BODY_MAX_WORDS) -> list[str]:
    return [word.text for _, word in zip(range(at_most), words(text), strict=False)]
