"""The Range header (RFC 9110 section 14): one run of bytes, or all of them."""

from __future__ import annotations

import re

import attrs

_ONE_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,19})-([0-9]{1,19})?|-([0-9]{1,19}))[ \t]*", re.IGNORECASE)


@attrs.frozen
class ByteRange:
    """`first` to `last`, both included; 0 ≤ first ≤ last < size."""

    first: int
    last: int

    @property
    def length_bytes(self) -> int:
        return self.last - self.first + 1


class RangeUnsatisfiable(Exception):
    """Nothing of the range exists: 416."""


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The part that is wanted, or None for the whole.

    Other units, several ranges and malformed headers are ignored, as the standard allows and demands.

    Raises:
        RangeUnsatisfiable: well-formed, but beyond the end (or the last zero bytes).
    """
    matched = _ONE_RANGE.fullmatch(header) if header else None
    if matched is None:
        return None
    first_text, last_text, suffix_text = matched.groups()
    if suffix_text is not None:
        suffix_bytes = min(int(suffix_text), size_bytes)
        if suffix_bytes == 0:
            raise RangeUnsatisfiable
        return ByteRange(size_bytes - suffix_bytes, size_bytes - 1)
    first = int(first_text)
    last = int(last_text) if last_text is not None else size_bytes - 1
    if last_text is not None and last < first:
        return None
    if first >= size_bytes:
        raise RangeUnsatisfiable
    return ByteRange(first, min(last, size_bytes - 1))
