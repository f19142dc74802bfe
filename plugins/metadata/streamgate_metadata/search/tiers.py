"""Which contents come first: by where the words were found, and the newest first among equals.

A score that counts how rare a word is changes with every content that is added, so pages of it cannot meet. A tier of a
content depends on the content alone, and so does its number: a page goes on where the last one ended, whatever came in
between. It also costs no more for a word that half of all contents have, because the newest are looked at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from streamgate_metadata.search.query import Term

Field = Literal["title", "tags", "body"]
FIELDS: tuple[Field, ...] = ("title", "tags", "body")

FIRST_TYPO_TIER = 5
"""Tiers from here on have words beside the ones typed, and are looked at only where all before are empty."""


@attrs.frozen
class Choice:
    """Any of these terms, in any of these fields."""

    terms: tuple[Term, ...]
    fields: tuple[Field, ...]


Match = tuple[Choice, ...]
"""All of these."""


@attrs.frozen
class Tier:
    number: int
    match: Match
    better: Match | None
    """What is in the tier before, and is not shown again. Each tier holds all before it (typos aside)."""


@attrs.frozen
class Scope:
    """What must be true of a content beside its words: one of each group. `everything`: no rule of access."""

    groups: tuple[tuple[str, ...], ...]


def tiers(terms: Sequence[Term]) -> list[Tier]:
    """Whole words in the title; beginnings there; in title and tags; anywhere."""
    whole = tuple(Choice((term.whole,), ("title",)) for term in terms)
    matches = [whole, *(_everywhere(terms, fields) for fields in (FIELDS[:1], FIELDS[:2], FIELDS))]
    return _numbered(matches, first=1)


def typo_tiers(terms: Sequence[Term], near: dict[Term, tuple[str, ...]]) -> list[Tier]:
    """The same with the words near misspelt ones; none where there are no such words."""
    if not any(near.values()):
        return []
    choices = [(term, *(Term((word,)) for word in near.get(term, ()))) for term in terms]
    matches = [tuple(Choice(terms, fields) for terms in choices) for fields in (FIELDS[:2], FIELDS)]
    return _numbered(matches, first=FIRST_TYPO_TIER)


def _everywhere(terms: Sequence[Term], fields: tuple[Field, ...]) -> Match:
    return tuple(Choice((term,), fields) for term in terms)


def _numbered(matches: list[Match], *, first: int) -> list[Tier]:
    return [
        Tier(first + n, match, matches[n - 1] if n else None)
        for n, match in enumerate(matches)
        if n == 0 or match != matches[n - 1]
    ]
