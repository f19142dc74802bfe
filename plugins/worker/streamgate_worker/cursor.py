"""Where a list goes on: the place of the last row, opaque to callers."""

from __future__ import annotations

import base64
import binascii
import re

from streamgate.errors import FieldError, Invalid

_PLACE = re.compile(r"([0-9]{1,18}):([!-~]{1,40})")
"""What the columns hold: 63 bits, and an id."""
_NAMES = re.compile(r"([!-.0-~]{0,100})/([A-Za-z0-9._-]{1,100})")
"""A user id and a name."""


def write_cursor(at_ms: int, job_id: str) -> str:
    return _encode(f"{at_ms}:{job_id}")


def read_cursor(text: str) -> tuple[int, str] | None:
    """None for the beginning.

    Raises:
        Invalid: not one of ours.
    """
    found = _decode(text, _PLACE)
    return None if found is None else (int(found[1]), found[2])


def write_names(owner: str, name: str) -> str:
    return _encode(f"{owner}/{name}")


def read_names(text: str) -> tuple[str, str] | None:
    """As `read_cursor`."""
    found = _decode(text, _NAMES)
    return None if found is None else (found[1], found[2])


def _encode(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


def _decode(text: str, form: re.Pattern[str]) -> re.Match[str] | None:
    if not text:
        return None
    try:
        place = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    except (ValueError, binascii.Error):
        place = ""
    found = form.fullmatch(place)
    if found is None:
        error = FieldError("cursor", "is not one of this list")
        raise Invalid("The cursor is not one of this list", errors=(error,))
    return found
