"""Words as they are indexed and sought: without case, accents or width, alike on both databases.

The databases' own word breakers differ with each other and with their versions, so neither is used: they are given
words of small ASCII letters and digits only (`encoded`), cut here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

import attrs

WORD_MAX_CHARS = 64

_RUN = re.compile("[0-9A-Za-z\u0080-\U0010ffff]+")
_PLAIN = re.compile("[0-9a-z]*")
# What a letter carries that is no letter of its own: accents, and the choice between pictures and signs.
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f]+")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
# Scripts written without spaces: Thai to Myanmar, Khmer, kana, Han, Hangul, and Han beyond the basic plane.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff]"
)


@attrs.frozen(slots=True)
class Word:
    """A folded word and where it is in the text. `is_part`: two neighbouring letters of a script without spaces (the
    last letter of a run stands alone); a run is found by the row of its parts."""

    text: str
    begins: int
    ends: int
    is_part: bool = False


def fold(text: str) -> str:
    """Without case, accents and width: `Ünïcode ＡＢ` → `unicode ab`."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFKC", plain).casefold().translate(_LETTERS)


def words(text: str) -> Iterator[Word]:
    """The words in their order. A picture sign is a word of its own."""
    for run in _RUN.finditer(text):
        if run[0].isascii():
            yield Word(run[0].lower()[:WORD_MAX_CHARS], run.start(), run.end())
        else:
            yield from _mixed(run[0], run.start())


def encoded(word: str) -> str:
    """A word in `[0-9a-z_]`, letter by letter, so that the beginning of a word is the beginning of its code."""
    if _PLAIN.fullmatch(word):
        return word
    return "".join(sign if _PLAIN.fullmatch(sign) else f"_{ord(sign):06x}" for sign in word)


def _mixed(run: str, begins: int) -> Iterator[Word]:
    for kind, signs in groupby(run, _kind):
        piece = "".join(signs)
        ends = begins + len(piece)
        if kind == "picture":
            yield from (Word(fold(sign), begins + n, begins + n + 1) for n, sign in enumerate(piece) if fold(sign))
        elif kind == "unspaced":
            yield from _parts(piece, begins)
        elif kind == "letter":
            # Folding can open a word (½ is 1⁄2); accents alone leave none.
            for is_word, folded in groupby(fold(piece), lambda sign: bool(_kind(sign))):
                if is_word:
                    yield Word("".join(folded)[:WORD_MAX_CHARS], begins, ends)
        begins = ends


def _parts(piece: str, begins: int) -> Iterator[Word]:
    folded = fold(piece)
    is_exact = len(folded) == len(piece)
    for n in range(len(folded)):
        text = folded[n : n + 2]
        place = (begins + n, begins + n + len(text)) if is_exact else (begins, begins + len(piece))
        yield Word(text, *place, is_part=True)


@lru_cache(maxsize=4096)
def _kind(sign: str) -> str:
    if _UNSPACED.match(sign):
        return "unspaced"
    category = unicodedata.category(sign)
    if category[0] in "LNM" or category == "Co":
        return "letter"
    return "picture" if category == "So" else ""
