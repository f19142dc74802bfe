"""Where a cue stands on the picture: WebVTT's cue settings, checked one by one."""

from __future__ import annotations

import re

_PERCENT = r"(?:100(?:\.0{1,3})?|[0-9]{1,2}(?:\.[0-9]{1,3})?)%"
_FORMS = {
    "vertical": re.compile(r"rl|lr"),
    "line": re.compile(rf"(?:-?[0-9]{{1,3}}|{_PERCENT})(?:,(?:start|center|end))?"),
    "position": re.compile(rf"{_PERCENT}(?:,(?:line-left|center|line-right))?"),
    "size": re.compile(_PERCENT),
    "align": re.compile(r"start|center|end|left|right"),
}


def clean_settings(text: str) -> str:
    """Those that are settings and well-formed; of one that is given twice, the last. Regions are left out."""
    found: dict[str, str] = {}
    for part in text.split():
        name, _, value = part.partition(":")
        form = _FORMS.get(name)
        if form is not None and form.fullmatch(value):
            found[name] = value
    return " ".join(f"{name}:{value}" for name, value in found.items())


def settings_at(place: int) -> str:
    """Of the nine places of a numeric pad, as ASS has them: 2 is below in the middle, 7 the upper left corner."""
    across = {1: "align:left", 0: "align:right"}.get(place % 3, "")
    down = "line:0" if place >= 7 else "line:50%,center" if place >= 4 else ""
    return " ".join(part for part in (down, across) if part)
