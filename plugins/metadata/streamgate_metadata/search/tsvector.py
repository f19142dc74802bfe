"""A content as a tsvector, and what is sought as a tsquery.

Both are written by us, not by a parser of PostgreSQL: a word of the title is `1word`, of a tag `2word`, of the
description `3word`. A field is part of the word, and not a weight, because GIN knows no weights: it would have to read
every row that has the word. Words are `[0-9a-z_]`, so that nothing needs quoting beyond the quotes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from streamgate_metadata.search.index import Document
from streamgate_metadata.search.query import Term
from streamgate_metadata.search.tiers import FIELDS, Choice, Field, Match, Scope
from streamgate_metadata.search.words import encoded

MAX_POSITION = 16_383
"""What a tsvector counts to; phrases are not found beyond."""

MAX_WORD_POSITIONS = 255
EVERYWHERE = Scope(())

_MARKS: dict[Field, str] = {field: str(n) for n, field in enumerate(FIELDS, 1)}


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


def tsquery(match: Match, scope: Scope = EVERYWHERE, without: Match | None = None) -> str:
    query = " & ".join([*(_any(group) for group in scope.groups), *map(_choice, match)])
    return query if without is None else f"{query} & !({' & '.join(map(_choice, without))})"


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
