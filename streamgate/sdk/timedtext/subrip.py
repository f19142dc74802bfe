"""SubRip (`.srt`), read. There is no standard of it: what players agree on is taken, the rest is said with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .cues import Cue, TextInvalid, cue, in_order
from .markup import clean, unescape_simple
from .settings import settings_at
from .webvtt import TIMING, lines_of, times_of

_NUMBER = re.compile(r"[ \t]*\d{1,9}[ \t]*")
_PLACE = re.compile(r"\{\\an?(\d{1,2})\}")
_OVERRIDE = re.compile(r"\{\\[^{}]{0,200}\}")
_OF_SSA = {1: 1, 2: 2, 3: 3, 5: 7, 6: 8, 7: 9, 9: 4, 10: 5, 11: 6}


def parse(text: str) -> tuple[Cue, ...]:
    """Raises TextInvalid, with the line."""
    return in_order(_cues(lines_of(text)))


def text_of(payload: str) -> tuple[str, str]:
    """A cue's text and settings, of its lines as they are written."""
    place = _PLACE.search(payload)
    settings = ""
    if place is not None:
        number = int(place[1])
        settings = settings_at(number if "an" in place[0] else _OF_SSA.get(number, 2)) if number <= 11 else ""
    return clean(_OVERRIDE.sub("", payload), unescape_simple), settings


def _cues(lines: list[str]) -> Iterator[Cue]:
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        if _NUMBER.fullmatch(lines[at]) and at + 1 < len(lines) and lines[at + 1].strip():
            at += 1
        timing = TIMING.fullmatch(lines[at])
        if timing is None:
            raise TextInvalid("a time like 00:00:01,000 --> 00:00:02,500 is expected here", at + 1)
        line = at + 1
        ends = at + 1
        while ends < len(lines) and lines[ends].strip():
            ends += 1
        words, settings = text_of("\n".join(lines[at + 1 : ends]))
        shown = cue(*times_of(timing, line), words, settings, line=line)
        if shown is not None:
            yield shown
        at = ends
