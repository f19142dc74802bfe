"""Where a list goes on: the time and the id of its last row, opaque to callers."""

from __future__ import annotations

import base64
import binascii
import re

from streamgate.errors import FieldError, Invalid

_PLACE = re.compile(r"([0-9]{1,18}):([A-Za-z]_[0-9A-Za-z]{22})", re.ASCII)


def write_cursor(at_ms: int, row_id: str) -> str:
    return base64.urlsafe_b64encode(f"{at_ms}:{row_id}".encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> tuple[int, str] | None:
    """None for the beginning. Raises Invalid: not one of ours."""
    if not text:
        return None
    try:
        place = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    except (ValueError, binascii.Error):
        place = ""
    found = _PLACE.fullmatch(place)
    if found is None:
        fault = FieldError("cursor", "is not one of this list")
        raise Invalid("the cursor is not one of this list", errors=(fault,))
    return int(found[1]), found[2]
