"""A JSON body, in the order in which faults are told: too large (413), not JSON by its type (415), malformed
(400). What its fields hold is `structure.py`'s affair (422)."""

from __future__ import annotations

import re
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from streamgate.errors import BadRequest, Invalid, TooLarge, UnsupportedMediaType
from streamgate.web.request_id import header

_JSON = re.compile(r"application/(?:[a-z0-9.!#$&^_-]+\+)?json")


async def read_json(request: Request, max_bytes: int) -> Any:
    """The decoded body; `{}` where none was sent, so that only its required fields are missed.

    Raises:
        TooLarge, UnsupportedMediaType, BadRequest, Invalid.
        ClientDisconnect: the client left; nobody is there to be answered.
    """
    declared = header(request.scope, b"content-length") or b""
    if declared.isdigit() and int(declared) > max_bytes:
        raise TooLarge(f"the body has {int(declared)} bytes; at most {max_bytes} are read here")
    content_type = header(request.scope, b"content-type")
    if content_type is not None:
        _check_media_type(content_type)
    body = await _read(request, max_bytes)
    if not body:
        return {}
    if content_type is None:  # also what a page of another origin may send without asking
        raise UnsupportedMediaType("send application/json, not a body without Content-Type")
    try:
        plain = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise BadRequest(f"the body is not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from fault
    if b"\\u0000" in body and _has_nul(plain):
        raise Invalid("the body must not contain U+0000")
    return plain


def _check_media_type(sent: bytes) -> None:
    media_type, _, parameters = sent.decode("latin-1").lower().partition(";")
    if not _JSON.fullmatch(media_type.strip()):
        raise UnsupportedMediaType(f"send application/json, not {media_type.strip() or 'an empty Content-Type'}")
    charset = parameters.partition("charset=")[2].split(";")[0].strip().strip('"')
    if charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMediaType(f"send JSON in UTF-8, not {charset}")


async def _read(request: Request, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size_bytes = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        size_bytes += len(part)
        if size_bytes > max_bytes:
            raise TooLarge(f"the body is larger than the {max_bytes} bytes that are read here")
        if part:
            parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _has_nul(plain: Any) -> bool:
    """Databases that keep JSON cannot keep this character, wherever it hides. Depth is bounded by the parser."""
    if isinstance(plain, str):
        return "\0" in plain
    if isinstance(plain, dict):
        return any("\0" in key or _has_nul(value) for key, value in plain.items())
    return isinstance(plain, list) and any(_has_nul(value) for value in plain)
