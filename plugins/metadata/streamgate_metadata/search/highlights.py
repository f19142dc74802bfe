"""What was found, marked: HTML with nothing in it but the text, escaped, and `<mark>` around what was sought."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from streamgate.contracts.metadata import Highlights
from streamgate.sdk.texts import BIDI
from streamgate_metadata.search.query import Term
from streamgate_metadata.search.words import WORD_MAX_CHARS, words

EXCERPT_CHARS = 200
LEAD_CHARS = 60

Span = tuple[int, int]

# Controls, halves of letters, breaks of lines and paragraphs, and what turns the direction of writing.
_UNSEEN = re.compile(f"[\0-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029{''.join(sorted(BIDI))}]")


class Marker:
    """Marks words of the terms, and those near them that were sought instead."""

    def __init__(self, terms: Sequence[Term], near: Iterable[str] = ()) -> None:
        self._whole = frozenset(word for term in terms for word in term.words).union(near)
        self._beginnings = tuple(term.words[-1] for term in terms if term.is_prefix)
        self._plain = _pattern(self._whole, self._beginnings)

    def mark(self, title: str, description: str, tags: Sequence[str]) -> Highlights:
        """An excerpt of the description, and only those tags, that hold something."""
        excerpt, spans = _excerpt(description, self._spans(description))
        marked_tags = [(tag, inside) for tag in tags if (inside := self._spans(tag))]
        return Highlights(
            title=_html(title, self._spans(title)),
            description=_html(excerpt, spans) if spans else "",
            tags=tuple(_html(tag, inside) for tag, inside in marked_tags),
        )

    def _spans(self, text: str) -> list[Span]:
        if text.isascii():  # most texts are, and cutting is most of the work
            return [found.span() for found in self._plain.finditer(text)]
        spans: list[Span] = []
        for word in words(text):
            if word.text in self._whole or (self._beginnings and word.text.startswith(self._beginnings)):
                if spans and word.begins <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], max(spans[-1][1], word.ends))
                else:
                    spans.append((word.begins, word.ends))
        return spans


def _pattern(whole: Iterable[str], beginnings: Iterable[str]) -> re.Pattern[str]:
    """The same words in ASCII. One that was cut at the greatest length may go on."""
    plain = [re.escape(word) for word in whole if word.isascii() and len(word) < WORD_MAX_CHARS]
    cut = [word for word in whole if len(word) == WORD_MAX_CHARS]
    plain += [f"{re.escape(word)}[0-9A-Za-z]*" for word in (*beginnings, *cut) if word.isascii()]
    return re.compile(f"(?<![0-9A-Za-z])(?:{'|'.join(plain) or '(?!)'})(?![0-9A-Za-z])", re.IGNORECASE)


def _excerpt(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """The part around the first of the spans, cut between words where there are any near."""
    if not spans:
        return "", []
    begins = max(0, spans[0][0] - LEAD_CHARS)
    if begins:
        begins = text.find(" ", begins, spans[0][0]) + 1 or begins
    ends = max(begins + EXCERPT_CHARS, spans[0][1])
    if ends < len(text):
        cut = text.rfind(" ", spans[0][1], ends)
        ends = cut if cut > 0 else ends
    lead, tail = ("… " if begins else ""), (" …" if ends < len(text) else "")
    shift = len(lead) - begins
    kept = [(start + shift, stop + shift) for start, stop in spans if stop <= ends]
    return f"{lead}{text[begins:ends]}{tail}", kept


def _html(text: str, spans: Sequence[Span]) -> str:
    parts, at = [], 0
    for begins, ends in spans:
        parts += [_escaped(text[at:begins]), "<mark>", _escaped(text[begins:ends]), "</mark>"]
        at = ends
    return "".join([*parts, _escaped(text[at:])])


def _escaped(text: str) -> str:
    """Line breaks become blanks; what cannot be seen goes."""
    return html.escape(_UNSEEN.sub("", text.replace("\n", " ").replace("\t", " ")), quote=True)
