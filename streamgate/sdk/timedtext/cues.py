"""A cue, what a list of them may be, and the fault of a text that is none."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

MAX_GIVEN_BYTES = 2 << 20
"""Of a file that a creator gives: a film of three hours has about 0.15 MB of captions."""
MAX_KEPT_BYTES = 2 * MAX_GIVEN_BYTES
"""As it is written by us: escapes may make it longer than it came."""
MAX_CUES = 20_000
MAX_CUE_CHARS = 4_000
MAX_TIME_MS = 100 * 3_600_000 - 1


class TextInvalid(Exception):
    """It cannot be read. `line`: where, counted from 1; 0 where it is no matter of one line."""

    def __init__(self, words: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {words}" if line else words)
        self.line = line


@attrs.frozen
class Cue:
    """`text`: as `markup.clean` leaves it; `settings`: as `settings.clean_settings` does, or empty."""

    start_ms: int
    end_ms: int
    text: str
    settings: str = ""


def cue(start_ms: int, end_ms: int, text: str, settings: str = "", *, line: int = 0) -> Cue | None:
    """A cue whose text is clean already; None where nothing of it is ever to be seen.

    Raises:
        TextInvalid: it ends before it begins, or is longer than any cue.
    """
    if end_ms < start_ms:
        raise TextInvalid("this cue ends before it begins", line)
    if end_ms > MAX_TIME_MS:
        raise TextInvalid("this time is beyond a hundred hours", line)
    if len(text) > MAX_CUE_CHARS:
        raise TextInvalid(f"this cue has more than {MAX_CUE_CHARS} characters", line)
    return Cue(start_ms, end_ms, text, settings) if text and end_ms > start_ms else None


def in_order(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """As WebVTT wants them: by their beginnings.

    Raises:
        TextInvalid: none at all, or too many.
    """
    found = tuple(sorted(cues, key=lambda each: (each.start_ms, each.end_ms)))
    if not found:
        raise TextInvalid("there is no cue in it that could be shown")
    if len(found) > MAX_CUES:
        raise TextInvalid(f"it has {len(found)} cues; {MAX_CUES} are allowed")
    return found


def until(cues: Iterable[Cue], end_ms: int) -> tuple[Cue, ...]:
    """Those that begin before a moment, ended there."""
    return tuple(attrs.evolve(each, end_ms=min(each.end_ms, end_ms)) for each in cues if each.start_ms < end_ms)
