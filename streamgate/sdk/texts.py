"""Texts that people give and others see: names, reasons, notes. Any script and any emoji, and nothing hidden.

Control characters reach terminals, headers and manifests of others; bidirectional overrides make a text read as
another.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container
from typing import Any

BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
LINE_BREAKING = frozenset("\n\t")
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, lone surrogates, line and paragraph separators


def hidden_in(text: str, allowed: Container[str] = ()) -> str:
    """What is wrong with a text that hides something, by its first such character; "" where nothing is."""
    for position, sign in enumerate(text):
        if sign not in allowed and (unicodedata.category(sign) in _REFUSED or sign in BIDI):
            return f"must not contain the control character U+{ord(sign):04X} ({position})"
    return ""


def is_one_line(_: Any, __: Any, value: str) -> None:
    """attrs validator."""
    _raise_if(hidden_in(value))


def is_prose(_: Any, __: Any, value: str) -> None:
    """attrs validator: of several lines, too."""
    _raise_if(hidden_in(value, LINE_BREAKING))


def is_name(_: Any, __: Any, value: str) -> None:
    """attrs validator: one line, of which something is to be seen."""
    _raise_if(hidden_in(value))
    if not any(sign.isprintable() and not sign.isspace() for sign in value):
        raise ValueError("must not be empty")


def _raise_if(said: str) -> None:
    if said:
        raise ValueError(said)
