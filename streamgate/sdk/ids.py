"""Ids. A row's owner makes them; nobody reads anything into them but their first letter."""

from __future__ import annotations

import secrets
import time
import uuid

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = 22  # 62^22 > 2^128


def new_id(letter: str) -> str:
    """`<letter>_` and 128 random bits in base62, 24 characters (`c_…` content, `u_…` upload, `s_…` session).

    Unguessable: unlisted content relies on it.
    """
    number = secrets.randbits(128)
    digits = []
    for _ in range(_DIGITS):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return f"{letter}_{''.join(reversed(digits))}"


def uuid7() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then random; sorts by the time of making, to a millisecond."""
    at_ms = time.time_ns() // 1_000_000
    number = (at_ms & (1 << 48) - 1) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))
