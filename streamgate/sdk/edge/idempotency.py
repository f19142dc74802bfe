"""A POST that creates, sent twice with one `Idempotency-Key`, creates once: the second gets the first one's answer.

It counts for one person and one route, for a day. Nobody known cannot be told from anybody else, so without sign-in
the header is read and has no effect. What may turn out differently the next time (500 and above, 401, 408, 429, and
every error that says so) is not kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Scope

from streamgate.context import Actor
from streamgate.errors import FieldError, Invalid, StreamgateError, error_from_wire
from streamgate.sdk.edge.kept import MAX_ANSWER_BYTES, Answers, Claim, MemoryAnswers, fingerprint_of, seal, unseal
from streamgate.web.problems import IdempotencyInProgress, IdempotencyMismatch
from streamgate.web.request_id import header
from streamgate.web.routes import ANSWER_HEADERS, Call, Rendered, Route

RUNNING_MORE_S = 30.0  # beyond the route's own time: after so long the process that answered is taken for dead
RUNNING_S = 600.0  # where the route has no limit

_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_NOT_FINAL = (401, 408, 429)
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
        fingerprint = fingerprint_of(scope["path"].encode(), scope["query_string"], orjson.dumps(plain, option=_SORTED))
        running_s = RUNNING_S if route.timeout_s is None else route.timeout_s + RUNNING_MORE_S
        store, claim = await self._claim(name, fingerprint, running_s)
        if claim.state != "new":
            return _replay(scope, claim, fingerprint, secret)
        return await self._answer_and_keep(store, name, fingerprint, secret, answer)

    async def _claim(self, name: str, fingerprint: str, running_s: float) -> tuple[Answers, Claim]:
        if self._shared is not None:
            claim = await self._shared.claim(name, fingerprint, running_s)
            if claim is not None:
                return self._shared, claim
        return self._own, await self._own.claim(name, fingerprint, running_s)

    async def _answer_and_keep(
        self,
        store: Answers,
        name: str,
        fingerprint: str,
        secret: bytes,
        answer: Callable[[], Awaitable[Rendered]],
    ) -> Rendered:
        record = None
        try:
            rendered = await answer()
            record = _record(rendered)
            return rendered
        except StreamgateError as error:
            if error.status < 500 and error.status not in _NOT_FINAL and not error.retryable:
                record = orjson.dumps({"error": error.to_wire()}, default=str)
            raise
        finally:
            if record is not None and len(record) <= MAX_ANSWER_BYTES:
                await store.keep(name, fingerprint, seal(secret, record))
            else:
                await store.drop(name)


_SORTED = orjson.OPT_SORT_KEYS


def _names(key: bytes, actor: Actor, route: Route) -> tuple[str, bytes]:
    """What it is kept under, and what it is sealed with: neither tells the other. An API key is apart from its
    person, who may do more."""
    scopes = "all" if actor.scopes is None else ",".join(sorted(actor.scopes))
    who = f"{actor.kind}\0{actor.user_id}\0{scopes}\0{route.method} {route.path}\0".encode()
    return hashlib.sha256(b"name\0" + who + key).hexdigest(), hashlib.sha256(b"seal\0" + who + key).digest()


def _record(rendered: Rendered) -> bytes | None:
    """The answer as it is kept; None where it cannot be (it streams) or must not."""
    if not isinstance(rendered, Response):
        return orjson.dumps({"json": None if rendered is None else rendered.decode()})
    body = getattr(rendered, "body", None)
    if not isinstance(body, bytes) or rendered.status_code >= 500 or rendered.status_code in _NOT_FINAL:
        return None
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in rendered.raw_headers]
    return orjson.dumps({"status": rendered.status_code, "headers": headers, "body": body.decode("latin-1")})


def _replay(scope: Scope, claim: Claim, fingerprint: str, secret: bytes) -> Rendered:
    if claim.fingerprint != fingerprint:
        raise IdempotencyMismatch("this Idempotency-Key was sent with another request; take a new one for a new one")
    if claim.state == "running":
        raise IdempotencyInProgress("the first request with this Idempotency-Key is being answered", retry_after_s=1)
    record = orjson.loads(unseal(secret, claim.sealed))
    scope.setdefault(ANSWER_HEADERS, []).append(_REPLAYED)
    if "error" in record:
        raise error_from_wire(record["error"])
    if "json" in record:
        return None if record["json"] is None else str(record["json"]).encode()
    response = Response(record["body"].encode("latin-1"), record["status"])
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in record["headers"]]
    return response
