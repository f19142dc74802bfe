"""A JSON body, in the order in which faults are told: too large (413), not JSON by its type, or encoded (415),
malformed (400). What its fields hold is `structure.py`'s affair (422)."""

from __future__ import annotations

import re
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from streamgate.errors import BadRequest, TooLarge, UnsupportedMediaType
from streamgate.web.request_id import header

_JSON = re.compile(rb"\s*application/(?:[a-z0-9.!#$&^_-]+\+)?json\s*(?:;|$)", re.IGNORECASE)


async def read_json(request: Request, max_bytes: int) -> Any:
    """The decoded body; `{}` where none was sent, so that only its required fields are missed.

    Raises:
        TooLarge, UnsupportedMediaType, BadRequest.
        ClientDisconnect: the client left; nobody is there to be answered.
    """
    declared = header(request.scope, b"content-length") or b""
    if declared.isdigit() and int(declared) > max_bytes:
        raise TooLarge(f"the body has {int(declared)} bytes; at most {max_bytes} are read here")
    content_type = header(request.scope, b"content-type")
    if content_type is not None and not _JSON.match(content_type):
        raise UnsupportedMediaType(f"send application/json, not {content_type.decode('latin-1') or 'an empty type'}")
    encoding = (header(request.scope, b"content-encoding") or b"identity").decode("latin-1")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(f"send the JSON as it is, not encoded as {encoding}")
    body = await _read(request, max_bytes)
    if not body:
        return {}
    if content_type is None:  # also what a page of another origin may send without asking
        raise UnsupportedMediaType("send application/json, not a body without Content-Type")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise BadRequest(f"the body is not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from fault


async def _read(request: Request, max_bytes: int) -> bytearray:
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise TooLarge(f"the body is larger than the {max_bytes} bytes that are read here")
        if not message.get("more_body", False):
            return body
