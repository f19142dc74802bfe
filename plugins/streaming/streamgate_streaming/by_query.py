"""`GET /api/v1/stream/segment?content_id=&rendition=&number=&session=`: one segment, named by a query.

For clients that put URLs together themselves; `session` is the path token of a session's URLs. It is the same file, by
the same rules, as `/api/v1/stream/s/<session>/<rendition>/<number>.m4s`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from streamgate.errors import FieldError, Invalid, StreamgateError
from streamgate.web.problems import RouteNotFound, problem_response
from streamgate.web.request_id import request_id_of

from .delivery import OF_CONTENT, Delivery
from .files import PREFIX

PATH = "/api/v1/stream/segment"

_FIELDS = {
    "content_id": (r"[A-Za-z0-9_-]{1,40}", "is the id of a content"),
    "rendition": (r"[a-z0-9][a-z0-9_-]{0,31}", "is the id of a rendition, as /api/v1/stream/info lists it"),
    "number": (r"init|0|[1-9][0-9]{0,6}", "is the number of a segment, from 0 on, or init"),
    "session": (r"[A-Za-z0-9_-]{1,512}", "is the token in the URLs that opening a session answers with"),
}
_MAX_FIELDS = 20


class SegmentByQuery:
    """A raw ASGI application in front of the delivery."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["path"] != PATH:
                raise RouteNotFound(f"nothing is served at {scope['path']}")
            asked = _read(scope["query_string"].decode("latin-1"))
        except StreamgateError as fault:
            await problem_response(fault, request_id_of(scope))(scope, receive, send)
            return
        name = "init.mp4" if asked["number"] == "init" else f"{asked['number']}.m4s"
        path = f"{PREFIX}/{asked['session']}/{asked['rendition']}/{name}"
        await self._delivery({**scope, "path": path, OF_CONTENT: asked["content_id"]}, receive, send)


def _read(query: str) -> Mapping[str, str]:
    """Raises Invalid, with every field that is missing or wrong."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as fault:
        raise Invalid(f"the query has more than {_MAX_FIELDS} fields") from fault
    found = dict(pairs)
    errors = [FieldError(name, "is given more than once") for name in found if [n for n, _ in pairs].count(name) > 1]
    errors += [FieldError(name, "is not a field of this query") for name in found if name not in _FIELDS]
    for name, (form, meaning) in _FIELDS.items():
        if name not in found:
            errors.append(FieldError(name, f"is missing: it {meaning}"))
        elif not re.fullmatch(form, found[name]):
            errors.append(FieldError(name, meaning))
    if errors:
        raise Invalid("the query is not valid", errors=tuple(errors))
    return found
