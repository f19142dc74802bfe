"""Cursors: where a page ended. They carry sort keys only, so a forged one shows nothing it should not."""

from __future__ import annotations

import base64
import binascii

import attrs
import orjson

from streamgate.errors import FieldError, Invalid


@attrs.frozen
class Position:
    """The last row of a page: its sort key (a time in milliseconds, a duration, a title, or its number in the index)
    and its id. `tier`: how well it fits the words, by rank; else 1 where words near misspelt ones are sought."""

    sort: str
    key: float | str
    content_id: str
    tier: int = 0


def write_cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(attrs.astuple(position))).rstrip(b"=").decode()


def read_cursor(text: str, sort: str) -> Position | None:
    """The position, or None for an empty text.

    Raises:
        Invalid: not one of ours, or of a list in another order.
    """
    if not text:
        return None
    key_kinds = {"title": (str,), "duration": (int, float)}.get(sort, (int,))
    try:
        found = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        found = None
    match found:
        case [str() as of_sort, (int() | float() | str()) as key, str() as content_id, int() as tier] if (
            of_sort == sort
            and type(key) in key_kinds
            and ("\0" not in key if isinstance(key, str) else abs(key) < 2**62)
            and "\0" not in content_id
            and 0 <= tier < 2**15
        ):
            return Position(of_sort, key, content_id, tier)
    raise Invalid("The cursor is not one of this list", errors=(FieldError("cursor", "is not one of this list"),))
