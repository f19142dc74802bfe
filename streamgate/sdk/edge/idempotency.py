"""A POST that creates, sent twice with one `Idempotency-Key`, creates once: the second gets the first one's answer.

It counts for one person and one route, for a day. Nobody known cannot be told from anybody else, so without sign-in
the header is read and has no effect.

A body that streams is not compared: its length and the headers that its route reads stand for it. Where such a request
is refused or breaks off nothing was done, and the key is given back: what came may not have been what was meant.

Of other requests an answer below 500 is kept, but for those after which nothing was done and another try may end
differently (401, 408, 429, and every error of a service that says so): they give the key back.

After anything else nobody knows whether the act was done: the handler took too long and its transaction may commit yet,
the process died or stopped, a connection broke before the answer. Then the key stays taken, and a repeat is told so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from streamgate.context import Actor
from streamgate.errors import FieldError, Invalid, StreamgateError, error_from_wire
from streamgate.sdk.edge.kept import (
    MAX_ANSWER_BYTES,
    Answers,
    Asked,
    Claim,
    MemoryAnswers,
    fingerprint_of,
    seal,
    unseal,
)
from streamgate.web.problems import (
    IdempotencyAnswerGone,
    IdempotencyInProgress,
    IdempotencyMismatch,
    IdempotencyUnknown,
)
from streamgate.web.request_id import header, request_id_of
from streamgate.web.routes import ANSWER_HEADERS, Call, Rendered, Route

RUNNING_MORE_S = 30.0  # beyond the route's own time: after so long nobody will tell how it ended
RUNNING_S = 600.0  # where the route has no limit

_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_NOT_FINAL = (401, 408, 429)
_SAYS_NOTHING = frozenset(
    {
        "auth.unavailable",
        "blobs.unavailable",
        "bus.unavailable",
        "db.unavailable",
        "identity.refused",
        "outgoing.timed_out",
        "outgoing.unreachable",
        "service.deadline_exceeded",
        "service.unavailable",
    }
)
"""Codes that a handler may raise after it has done something: of what it asks, not of what it is asked for."""
_REPLAYED = (b"idempotency-replayed", b"true")


class Idempotency:
    """Args:
    shared: where all processes keep answers, or None; what is away there is kept here.
    """

    def __init__(self, shared: Answers | None, own: MemoryAnswers | None = None) -> None:
        self._shared = shared
        self._own = own or MemoryAnswers()

    async def once(
        self, call: Call[Any, Any], route: Route, plain: Any, answer: Callable[[], Awaitable[Rendered]]
    ) -> Rendered:
        """As `EdgePolicy.once`."""
        scope = call.request.scope
        key = header(scope, b"idempotency-key")
        if key is None:
            return await answer()
        if not _KEY.fullmatch(key):
            fault = FieldError("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
            raise Invalid(f"the header {fault.field} {fault.message}", errors=(fault,))
        if not call.actor.is_signed_in:
            return await answer()
        name, secret = _names(key, call.actor, route)
        said = _told(call.request, route) if route.raw_body else plain
        fingerprint = fingerprint_of(scope["path"].encode(), scope["query_string"], orjson.dumps(said, option=_SORTED))
        asked = Asked(name=name, fingerprint=fingerprint, request_id=request_id_of(scope))
        running_s = RUNNING_S if route.timeout_s is None else route.timeout_s + RUNNING_MORE_S
        store, claim = await self._claim(asked, running_s)
        if claim.state != "new":
            return _replay(scope, claim, fingerprint, secret)
        return await _answer_and_keep(store, asked, secret, answer, route)

    async def _claim(self, asked: Asked, running_s: float) -> tuple[Answers, Claim]:
        """What was claimed here while the shared store was away is still here."""
        if self._shared is not None and not self._own.knows(asked.name):
            claim = await self._shared.claim(asked, running_s)
            if claim is not None:
                return self._shared, claim
        return self._own, await self._own.claim(asked, running_s)


async def _answer_and_keep(
    store: Answers, asked: Asked, secret: bytes, answer: Callable[[], Awaitable[Rendered]], route: Route
) -> Rendered:
    end: _Ended = None
    try:
        rendered = await answer()
        end = _NOTHING if route.raw_body and _is_refusal(rendered) else _end_of(rendered)
        return rendered
    except ClientDisconnect:  # it leaves while its body is read
        end = _NOTHING
        raise
    except StreamgateError as error:
        end = _NOTHING if route.raw_body and error.status < 500 else _end_of_error(error)
        raise
    finally:  # a fault of ours and being cancelled, too; dying here leaves the claim, which becomes unknown
        if end is None:
            await store.leave(asked)
        elif end == _NOTHING:
            await store.drop(asked)
        else:
            await store.keep(asked, seal(secret, end))


_SORTED = orjson.OPT_SORT_KEYS


def _told(request: Request, route: Route) -> dict[str, str | None]:
    """What stands for a body that streams."""
    return {name: request.headers.get(name) for name in ("Content-Length", *route.headers_doc)}


def _is_refusal(rendered: Rendered) -> bool:
    return isinstance(rendered, Response) and 400 <= rendered.status_code < 500


def _names(key: bytes, actor: Actor, route: Route) -> tuple[str, bytes]:
    """What it is kept under, and what it is sealed with: neither tells the other. An API key is apart from its
    person, who may do more."""
    scopes = "all" if actor.scopes is None else ",".join(sorted(actor.scopes))
    who = f"{actor.kind}\0{actor.user_id}\0{scopes}\0{route.method} {route.path}\0".encode()
    return hashlib.sha256(b"name\0" + who + key).hexdigest(), hashlib.sha256(b"seal\0" + who + key).digest()


_Ended = bytes | None
"""The record of what was done, _NOTHING where nothing was, None where nobody knows."""
_NOTHING = b""


def _end_of(rendered: Rendered) -> _Ended:
    if not isinstance(rendered, Response):
        known = orjson.dumps({"json": None if rendered is None else rendered.decode()})
        return _bounded(known, "")
    if rendered.status_code in _NOT_FINAL:
        return _NOTHING
    if rendered.status_code >= 500:
        return None
    location = rendered.headers.get("location", "")
    body = getattr(rendered, "body", None)
    if not isinstance(body, bytes):  # it streams
        return _untold(location)
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in rendered.raw_headers]
    known = orjson.dumps({"status": rendered.status_code, "headers": headers, "body": body.decode("latin-1")})
    return _bounded(known, location)


def _end_of_error(error: StreamgateError) -> _Ended:
    if error.status in _NOT_FINAL or (error.retryable and error.code not in _SAYS_NOTHING):
        return _NOTHING
    if error.status >= 500:
        return None
    return _bounded(orjson.dumps({"error": error.to_wire()}, default=str), "")


def _bounded(record: bytes, location: str) -> bytes:
    return record if len(record) <= MAX_ANSWER_BYTES else _untold(location)


def _untold(location: str) -> bytes:
    """Of an answer that is not kept itself: that it was done."""
    return orjson.dumps({"untold": location})


def _replay(scope: Scope, claim: Claim, fingerprint: str, secret: bytes) -> Rendered:
    if claim.fingerprint != fingerprint:
        raise IdempotencyMismatch("this Idempotency-Key was sent with another request; take a new one for a new one")
    if claim.state == "running":
        raise IdempotencyInProgress(
            "the first request with this Idempotency-Key is being answered",
            retry_after_s=1,
            extra={"first_request_id": claim.request_id},
        )
    if claim.state == "unknown":
        raise IdempotencyUnknown(
            "how the first request with this Idempotency-Key ended is not known; look whether it did what it was to "
            "do, and if it did not, send it with a new key",
            extra={"first_request_id": claim.request_id},
        )
    record = orjson.loads(unseal(secret, claim.sealed))
    if "untold" in record:
        said = "the first request with this Idempotency-Key was done, and its answer is too long to be given again"
        raise IdempotencyAnswerGone(
            f"{said}; look at {record['untold'] or 'what it was to do'}",
            extra={"location": record["untold"]} if record["untold"] else {},
        )
    scope.setdefault(ANSWER_HEADERS, []).append(_REPLAYED)
    if "error" in record:
        raise error_from_wire(record["error"])
    if "json" in record:
        return None if record["json"] is None else str(record["json"]).encode()
    response = Response(record["body"].encode("latin-1"), record["status"])
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in record["headers"]]
    return response
