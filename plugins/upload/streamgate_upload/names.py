"""File names that people send: shown again, never used on disk."""

from __future__ import annotations

import re
import unicodedata

from streamgate.sdk.texts import BIDI

FILENAME_MAX_CHARS = 200
FALLBACK = "upload"

_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")


def tidy_filename(sent: str) -> str:
    """The last part of the path in NFC, without control characters, leading dots and trailing blanks.

    Never empty; cut to FILENAME_MAX_CHARS with the ending kept.
    """
    last = re.split(r"[/\\]", sent)[-1]
    kept = "".join(sign for sign in last if unicodedata.category(sign)[0] not in "CZ" or sign == " ")
    plain = "".join(sign for sign in kept if sign not in BIDI and sign not in '<>:"|?*')
    name = unicodedata.normalize("NFC", plain).strip().lstrip(".").strip()
    if not name:
        return FALLBACK
    if len(name) <= FILENAME_MAX_CHARS:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 16:
        return name[:FILENAME_MAX_CHARS].rstrip()
    return stem[: FILENAME_MAX_CHARS - len(ending) - 1].rstrip() + dot + ending


def title_of(filename: str) -> str:
    """A title for a content that has none: the tidied name without its ending."""
    stem, dot, ending = filename.rpartition(".")
    return (stem if dot and stem and len(ending) <= 16 else filename).strip() or FALLBACK


def is_content_type(text: str) -> bool:
    """Whether this is a media type without parameters (`video/mp4`)."""
    return _CONTENT_TYPE.fullmatch(text.lower()) is not None
