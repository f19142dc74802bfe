"""Whose a message is, for those who handle it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import attrs


@attrs.frozen(kw_only=True)
class Sender:
    """The role that sealed a message, and what its certificate grants it to say."""

    role: str
    plugins: tuple[str, ...]
    prefixes: tuple[str, ...]
    acts_as_service: bool


_delivered: ContextVar[tuple[bytes, Sender] | None] = ContextVar("streamgate_delivered", default=None)


@contextmanager
def delivering(payload: bytes, sender: Sender) -> Iterator[None]:
    """While these bytes are being handled, `sender_of` knows whose they are."""
    token = _delivered.set((payload, sender))
    try:
        yield
    finally:
        _delivered.reset(token)


def sender_of(payload: bytes) -> Sender | None:
    """Who sealed the very bytes being handled; None for any others, and where nothing is sealed."""
    delivered = _delivered.get()
    return delivered[1] if delivered is not None and delivered[0] is payload else None
