"""The text of a cue, taken apart and written anew: bold, italic, underlined, voices, classes, ruby, languages. All else
is text, and is escaped: no tag of a page, no script and no style gets through, and no arrow that would begin a cue."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

from streamgate.sdk.languages import language_tag

_TOKEN = re.compile(r"<(/?)([A-Za-z]{1,16})((?:\.[^\s<>.]{0,64}){0,8})(?:[ \t\n]([^<>]{0,500}))?>|<[\d:.]{1,16}>")
_CLASS = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ALLOWED = frozenset({"i", "b", "u", "c", "v", "lang", "ruby", "rt"})
_MAX_DEPTH = 8
_MAX_ANNOTATION = 64  # escaped it still passes as a tag
_SIMPLE = re.compile(r"&(amp|lt|gt|nbsp|quot|apos|#39);")


def unescape_all(text: str) -> str:
    """As WebVTT has it: every character reference of HTML."""
    return html.unescape(text)


def unescape_simple(text: str) -> str:
    """For formats that define none: what authors write nevertheless."""
    return _SIMPLE.sub(lambda found: html.unescape(found[0]), text)


def clean(payload: str, unescape: Callable[[str], str] = unescape_all) -> str:
    """The same words, with well-formed markup of WebVTT alone; empty where nothing is to be seen.

    What it gives, it leaves as it is: `clean(clean(x)) == clean(x)`.
    """
    parts: list[str] = []
    opened: list[str] = []
    at = 0
    for token in _TOKEN.finditer(payload):
        parts.append(_text(payload[at : token.start()], unescape))
        at = token.end()
        name = (token[2] or "").lower()
        if name not in _ALLOWED:
            continue
        if token[1]:
            parts.append(_close(opened, name))
        elif len(opened) < _MAX_DEPTH and (name != "rt" or "ruby" in opened):
            written = _opening(name, token[3] or "", unescape(token[4] or ""))
            if written:
                opened.append(name)
                parts.append(written)
    parts.append(_text(payload[at:], unescape))
    parts.extend(f"</{name}>" for name in reversed(opened))
    return _lines("".join(parts))


def plain(cleaned: str) -> str:
    """The words of a clean text alone, in one line."""
    return " ".join(html.unescape(_TOKEN.sub("", cleaned)).split())


def escape(text: str) -> str:
    """A text that is nothing but text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def visible(text: str) -> str:
    """Without control characters; line breaks of any kind are `\\n`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if text.replace("\n", "").isprintable():
        return text
    kept = (sign for sign in text.replace("\t", " ") if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cs"))
    return "".join(kept).replace("\ufeff", "")


def _text(raw: str, unescape: Callable[[str], str]) -> str:
    return escape(visible(unescape(raw)))


def _opening(name: str, classes: str, annotation: str) -> str:
    kept = [each for each in classes.split(".") if _CLASS.fullmatch(each)][:4]
    said = " ".join(visible(annotation).split())[:_MAX_ANNOTATION].strip()
    if name == "lang":
        try:
            said = language_tag(said)
        except ValueError:
            return ""
    elif name == "v" and not said:
        return ""
    named = ".".join((name, *kept))
    return f"<{named} {escape(said)}>" if name in ("v", "lang") else f"<{named}>"


def _close(opened: list[str], name: str) -> str:
    if name not in opened:
        return ""
    written = []
    while True:
        last = opened.pop()
        written.append(f"</{last}>")
        if last == name:
            return "".join(written)


def _lines(text: str) -> str:
    """Without empty lines, which would end the cue; empty where there is nothing but markup."""
    kept = [line for line in text.split("\n") if line.strip()]
    said = "\n".join(kept)
    return said if _TOKEN.sub("", said).strip() else ""
