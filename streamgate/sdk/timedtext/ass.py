"""Advanced SubStation Alpha (`.ass`, `.ssa`), read: what is said and when, italics and the like, and in which of the
nine places. Fonts, colours, drawings and movement stay behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .cues import Cue, TextInvalid, cue, in_order
from .markup import clean, escape
from .settings import settings_at
from .webvtt import lines_of

_TIME = re.compile(r"\s*(\d{1,3}):(\d{1,2}):(\d{1,2})(?:[.:](\d{1,3}))?\s*")
_FORMAT = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
"""Of events, where a file does not say."""
_OVERRIDES = re.compile(r"\{([^{}]*)\}")
_TAG = re.compile(r"\\(an|[ibup])(\d{0,4})")


def parse(text: str) -> tuple[Cue, ...]:
    """Raises TextInvalid, with the line."""
    return in_order(_cues(lines_of(text)))


def text_of(payload: str) -> tuple[str, str]:
    """A cue's text and settings, of the last field of an event."""
    parts: list[str] = []
    settings, is_drawing, at = "", False, 0
    for block in _OVERRIDES.finditer(payload):
        if not is_drawing:
            parts.append(_words(payload[at : block.start()]))
        at = block.end()
        for name, value in _TAG.findall(block[1]):
            if name == "an":
                settings = settings or settings_at(int(value or 2))
            elif name == "p":
                is_drawing = int(value or 0) > 0
            else:
                parts.append(f"<{name}>" if int(value or 0) > 0 else f"</{name}>")
    if not is_drawing:
        parts.append(_words(payload[at:]))
    return clean("".join(parts)), settings


def _words(text: str) -> str:
    return escape(text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", "\u00a0"))


def _cues(lines: list[str]) -> Iterator[Cue]:
    fields: tuple[str, ...] = _FORMAT
    is_event = False
    for number, line in enumerate(lines, start=1):
        said = line.strip()
        if said.startswith("["):
            is_event = said.lower() == "[events]"
        elif is_event and said.startswith("Format:"):
            fields = tuple(each.strip().lower() for each in said.removeprefix("Format:").split(","))
            if fields[-1] != "text" or not {"start", "end"} <= set(fields):
                raise TextInvalid("the format of events has Start and End, and Text as its last field", number)
        elif is_event and said.startswith("Dialogue:"):
            shown = _cue(said.removeprefix("Dialogue:"), fields, number)
            if shown is not None:
                yield shown


def _cue(said: str, fields: tuple[str, ...], line: int) -> Cue | None:
    values = said.split(",", len(fields) - 1)
    if len(values) != len(fields):
        raise TextInvalid(f"this event has {len(values)} of {len(fields)} fields", line)
    event = dict(zip(fields, values, strict=True))
    words, settings = text_of(event["text"])
    return cue(_time(event["start"], line), _time(event["end"], line), words, settings, line=line)


def _time(text: str, line: int) -> int:
    found = _TIME.fullmatch(text)
    if found is None or int(found[2]) > 59 or int(found[3]) > 59:
        raise TextInvalid("a time like 0:00:01.50 is expected here", line)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
    return seconds * 1000 + int((found[4] or "0").ljust(3, "0"))
