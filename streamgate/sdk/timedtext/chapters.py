"""Chapters: where a film's parts begin, and what they are called. Written as WebVTT, for a seek bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import attrs

from streamgate.contracts.captions import FoundChapter
from streamgate.sdk.texts import hidden_in

from . import webvtt
from .cues import MAX_TIME_MS, Cue, TextInvalid
from .markup import escape, plain
from .reading import decoded

MAX_CHAPTERS = 500
MAX_TITLE_CHARS = 200
LAST_MS = 1000
"""Of a last chapter whose end nobody says; it is drawn to the end of the film."""


@attrs.frozen
class Chapter:
    """`title`: plain text in one line."""

    start_ms: int
    end_ms: int
    title: str


def read(data: bytes, charset: str = "") -> tuple[Chapter, ...]:
    """Of WebVTT, whose cues are titles. Raises TextInvalid."""
    text, _ = decoded(data, charset)
    numbered = enumerate(webvtt.parse(text), start=1)
    return in_order([Chapter(each.start_ms, each.end_ms, titled(plain(each.text), n)) for n, each in numbered])


def in_order(chapters: Sequence[Chapter]) -> tuple[Chapter, ...]:
    """By their beginnings, each ended where the next one begins.

    Raises:
        TextInvalid: none, too many, or two that begin together.
    """
    found = sorted(chapters, key=lambda each: each.start_ms)
    if not found:
        raise TextInvalid("there is no chapter in it")
    if len(found) > MAX_CHAPTERS:
        raise TextInvalid(f"there are {len(found)} chapters; {MAX_CHAPTERS} are allowed")
    for before, after in pairwise(found):
        if before.start_ms == after.start_ms:
            raise TextInvalid(f"two chapters begin at {before.start_ms / 1000:g} s")
    ends = [*(each.start_ms for each in found[1:]), max(found[-1].end_ms, found[-1].start_ms + LAST_MS)]
    return tuple(attrs.evolve(each, end_ms=end_ms) for each, end_ms in zip(found, ends, strict=True))


def cues_of(chapters: Sequence[Chapter]) -> tuple[Cue, ...]:
    return tuple(Cue(each.start_ms, each.end_ms, escape(each.title)) for each in chapters)


def cues_of_found(found: Iterable[FoundChapter]) -> tuple[Cue, ...]:
    """Of what a film brings along; none where that makes no list of chapters."""
    said = [
        Chapter(each.start_ms, min(each.end_ms, MAX_TIME_MS), titled(each.title, n))
        for n, each in enumerate(found, start=1)
        if 0 <= each.start_ms < MAX_TIME_MS - LAST_MS
    ]
    try:
        return cues_of(in_order(said))
    except TextInvalid:
        return ()


def titled(title: str, number: int) -> str:
    """A title as it may be shown: what cannot be is replaced by its number."""
    said = " ".join(title.split())[:MAX_TITLE_CHARS]
    return said if said and not hidden_in(said) else f"{number}"
