"""WebVTT, read and written. Of a given file only cues are read: its styles, regions, notes and identifiers stay
behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .cues import Cue, TextInvalid, cue, in_order
from .markup import clean
from .settings import clean_settings

MEDIA_TYPE = "text/vtt"
_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t]+(.*))?[ \t]*")
_BREAK = re.compile(r"\r\n|\r|\n")
_BLOCK = ("STYLE", "REGION", "NOTE")


def lines_of(text: str) -> list[str]:
    """Lines as all these formats break them; other separators are text."""
    return _BREAK.split(text.removeprefix("\ufeff"))


def parse(text: str) -> tuple[Cue, ...]:
    """Raises TextInvalid, with the line."""
    lines = lines_of(text)
    if lines[0] != "WEBVTT" and not lines[0].startswith(("WEBVTT ", "WEBVTT\t")):
        raise TextInvalid("a WebVTT file begins with WEBVTT", 1)
    return in_order(_cues(lines))


def render(cues: Iterable[Cue], *, head: str = "") -> str:
    """A whole file. `head`: a line beside the first one, of ours."""
    blocks = [f"WEBVTT\n{head}" if head else "WEBVTT"]
    for each in cues:
        settings = f" {each.settings}" if each.settings else ""
        blocks.append(f"{time_text(each.start_ms)} --> {time_text(each.end_ms)}{settings}\n{each.text}")
    return "\n\n".join(blocks) + "\n"


def read_own(text: str) -> tuple[Cue, ...]:
    """What `render` has written, and nobody else: every cue as it was, without looking at it anew."""
    _, *blocks = text.removesuffix("\n").split("\n\n")
    return tuple(_own(block) for block in blocks)


def _own(block: str) -> Cue:
    timing, _, words = block.partition("\n")
    return Cue(_own_ms(timing[:12]), _own_ms(timing[17:29]), words, timing[30:])


def _own_ms(text: str) -> int:
    return ((int(text[:2]) * 60 + int(text[3:5])) * 60 + int(text[6:8])) * 1000 + int(text[9:])


def time_text(ms: int) -> str:
    minutes, rest_ms = divmod(ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest_ms // 1000:02d}.{rest_ms % 1000:03d}"


def times_of(timing: re.Match[str], line: int) -> tuple[int, int]:
    """Beginning and end of a cue, in milliseconds. Raises TextInvalid: sixty minutes or seconds and more."""
    return _time_of(timing, 1, line), _time_of(timing, 5, line)


def _time_of(timing: re.Match[str], first: int, line: int) -> int:
    hours, minutes, seconds, fraction = (timing[first + part] for part in range(4))
    if int(minutes) > 59 or int(seconds) > 59:
        raise TextInvalid("minutes and seconds go from 00 to 59", line)
    return (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def _cues(lines: list[str]) -> Iterator[Cue]:
    at = _next_block(lines, 0)
    while at < len(lines):
        if lines[at].partition(" ")[0].rstrip("\t") in _BLOCK and "-->" not in lines[at]:
            at = _next_block(lines, at)
            continue
        if "-->" not in lines[at] and at + 1 < len(lines) and "-->" in lines[at + 1]:
            at += 1  # the cue's identifier
        timing = TIMING.fullmatch(lines[at])
        if timing is None:
            raise TextInvalid("a time like 00:00:01.000 --> 00:00:02.500 is expected here", at + 1)
        line = at + 1
        ends = at + 1
        while ends < len(lines) and lines[ends] and "-->" not in lines[ends]:
            ends += 1
        if ends < len(lines) and lines[ends]:
            raise TextInvalid("a cue's text holds no -->: an empty line is missing before this one", ends + 1)
        words = clean("\n".join(lines[at + 1 : ends]))
        shown = cue(*times_of(timing, line), words, clean_settings(timing[9] or ""), line=line)
        if shown is not None:
            yield shown
        at = ends
        while at < len(lines) and not lines[at]:
            at += 1


def _next_block(lines: list[str], at: int) -> int:
    """Where the next one begins: behind the next empty lines."""
    while at < len(lines) and lines[at]:
        at += 1
    while at < len(lines) and not lines[at]:
        at += 1
    return at
