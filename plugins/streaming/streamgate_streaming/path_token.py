"""The path token: a session's id and a mark that only we can make.

    base64url(session id ‖ HMAC-SHA256(path key, key id ‖ session id), first 16 bytes)

It can be made again from the session id, checks itself before any look-up, and nothing secret is stored for
it. It stands in URLs, so it opens one session's bytes and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re

import attrs

_MARK_BYTES = 16
_SESSION_ID = re.compile(rb"s_[0-9A-Za-z]{22}")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{54}")  # 24 + 16 bytes, no padding


@attrs.frozen
class PathKey:
    """`secret`: 32 bytes. It is never printed."""

    key_id: str
    secret: bytes = attrs.field(repr=False)


def make_token(key: PathKey, session_id: str) -> str:
    """The same token for the same session, always.

    Raises:
        ValueError: not a session id.
    """
    plain = session_id.encode()
    if not _SESSION_ID.fullmatch(plain):
        raise ValueError("not a session id")
    return base64.urlsafe_b64encode(plain + _mark(key, plain)).rstrip(b"=").decode()


def read_token(key: PathKey, token: str) -> str | None:
    """The session id, or None for anything that `make_token` did not make with this key.

    The mark is compared in constant time, and a second spelling of the same bytes is refused.
    """
    if not _SHAPE.fullmatch(token):
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "==")
    except binascii.Error:
        return None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        return None
    plain, mark = raw[:-_MARK_BYTES], raw[-_MARK_BYTES:]
    if not hmac.compare_digest(mark, _mark(key, plain)) or not _SESSION_ID.fullmatch(plain):
        return None
    return plain.decode()


def _mark(key: PathKey, session_id: bytes) -> bytes:
    return hmac.digest(key.secret, key.key_id.encode() + session_id, "sha256")[:_MARK_BYTES]
