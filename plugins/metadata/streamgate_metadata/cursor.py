"""Cursors: where a page ended. They carry sort keys only, so a forged one shows nothing it should not."""

from __future__ import annotations

import base64
import binascii

import attrs
import orjson

from streamgate.errors import FieldError, Invalid


@attrs.frozen
class Position:
    """The last row of a page: its sort key (a time in microseconds, or a title) and its id."""

    sort: str
    key: int | str
    content_id: str


def write_cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(attrs.astuple(position))).rstrip(b"=").decode()


def read_cursor(text: str, sort: str) -> Position | None:
    """The position, or None for an empty text.

    Raises:
        Invalid: not one of ours, or of a list in another order.
    """
    if not text:
        return None
    key_kind: type[int | str] = str if sort == "title" else int
    try:
        found = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        found = None
    match found:
        case [str() as of_sort, (int() | str()) as key, str() as content_id] if (
            of_sort == sort and type(key) is key_kind and (isinstance(key, str) or abs(key) < 2**62)
        ):
            return Position(of_sort, key, content_id)
    raise Invalid("The cursor is not one of this list", errors=(FieldError("cursor", "is not one of this list"),))
