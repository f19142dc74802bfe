"""What somebody typed, as terms. Every text is a query: no sign in it is an operator but a pair of quotes."""

from __future__ import annotations

import re

import attrs

from streamgate_metadata.search.words import Word, words

TERMS_MAX = 16
PHRASE_MAX_WORDS = 32
PREFIX_MIN_CHARS = 2
TYPO_MIN_CHARS = 4
TWO_TYPOS_MIN_CHARS = 7

_QUOTED = re.compile('["“”„«»]([^"“”„«»]*)["“”„«»]')


@attrs.frozen
class Term:
    """Words that must follow each other, each as it is encoded nowhere yet.

    Args:
        is_prefix: the last word may go on.
        typos: edits that a content's word may be away (0 to 2), when nothing is found otherwise.
    """

    words: tuple[str, ...]
    is_prefix: bool = False
    typos: int = 0

    @property
    def whole(self) -> Term:
        return self if not self.is_prefix or self.is_letter else attrs.evolve(self, is_prefix=False)

    @property
    def is_letter(self) -> bool:
        """One letter of a script without spaces: it begins a part, wherever it stands."""
        return self.is_prefix and len(self.words) == 1 and len(self.words[0]) == 1


def parse(q: str) -> tuple[Term, ...]:
    """All of which must occur. None at all where the text has no letter, digit or picture."""
    terms: dict[Term, None] = {}
    ends = 0
    for quoted in _QUOTED.finditer(q):
        terms.update(dict.fromkeys(_loose(q[ends : quoted.start()])))
        if phrase := _phrase(quoted[1]):
            terms[phrase] = None
        ends = quoted.end()
    terms.update(dict.fromkeys(_loose(q[ends:])))
    return tuple(terms)[:TERMS_MAX]


def _phrase(text: str) -> Term | None:
    found = list(words(text))[:PHRASE_MAX_WORDS]
    row = _whole_parts(found)
    return Term(row, is_prefix=len(row) == 1 and found[0].is_part and len(row[0]) == 1) if row else None


def _loose(text: str) -> list[Term]:
    terms: list[Term] = []
    run: list[Word] = []
    for word in [*words(text), None]:
        if run and (word is None or not word.is_part or word.begins >= run[-1].ends):
            row = _whole_parts(run)
            terms.append(Term(row[:PHRASE_MAX_WORDS], is_prefix=len(row) == 1 and len(row[0]) == 1))
            run = []
        if word is not None and word.is_part:
            run.append(word)
        elif word is not None:
            terms.append(_word(word.text))
    return terms


def _whole_parts(found: list[Word]) -> tuple[str, ...]:
    """Without the lone last letter of a run: the part before it has it."""
    kept = []
    for before, word in zip([None, *found], found, strict=False):
        is_tail = word.is_part and len(word.text) == 1
        if not (is_tail and before is not None and before.is_part and before.ends > word.begins):
            kept.append(word.text)
    return tuple(kept)


def _word(text: str) -> Term:
    typos = 0
    if text.isalpha() and len(text) >= TYPO_MIN_CHARS:
        typos = 2 if len(text) >= TWO_TYPOS_MIN_CHARS else 1
    return Term((text,), is_prefix=len(text) >= PREFIX_MIN_CHARS, typos=typos)
