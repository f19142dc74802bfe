"""From the bytes of a file that somebody gives to its cues: which encoding, which format, what is said when."""

from __future__ import annotations

import codecs
from typing import Literal

import attrs

from . import ass, subrip, webvtt
from .cues import Cue, TextInvalid

Format = Literal["webvtt", "subrip", "ass"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GUESS = "windows-1252"
"""What a file is taken for that has no mark and is not UTF-8: western Europe's, a superset of printable Latin-1."""

CHARSETS = frozenset(
    {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9"}
    | {"iso-8859-15", "koi8-r", "koi8-u", "shift_jis", "euc-jp", "euc-kr", "big5", "gb18030"}
    | {f"windows-{number}" for number in range(1250, 1259)}
)


@attrs.frozen(kw_only=True)
class Given:
    """What was made of a file, and as what it was read."""

    cues: tuple[Cue, ...]
    format: Format
    charset: str


def read(data: bytes, charset: str = "") -> Given:
    """Args:
        charset: what the sender says it is in; a mark at the beginning of the file says it better.

    Raises:
        TextInvalid: no text in that encoding, or none of the three formats.
    """
    text, found = decoded(data, charset)
    form = format_of(text)
    parse = {"webvtt": webvtt.parse, "subrip": subrip.parse, "ass": ass.parse}[form]
    return Given(cues=parse(text), format=form, charset=found)


def decoded(data: bytes, charset: str = "") -> tuple[str, str]:
    """The text, and what it was taken for. Raises TextInvalid."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], name), name
    charset = charset.strip().lower()
    if charset:
        if charset not in CHARSETS:
            raise TextInvalid(f"texts in {charset[:40]!r} are not read here; save it as UTF-8")
        return _decode(data, charset), charset
    if b"\0" in data[:64]:
        wide = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        return _decode(data, wide), wide
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _decode(data, _GUESS), _GUESS


def format_of(text: str) -> Format:
    """By what it begins with, whatever the file is called."""
    head = text.removeprefix("\ufeff").lstrip()[:4096]
    if head.startswith("WEBVTT"):
        return "webvtt"
    lowered = head.lower()
    return "ass" if lowered.startswith("[script info]") or "\n[events]" in lowered else "subrip"


def _decode(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset)
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise TextInvalid(f"this is no {charset}: save it as UTF-8, or say its charset", line) from fault
