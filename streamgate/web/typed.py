"""A typed route as an ASGI application: who may, then what came in, then the handler, then what goes out.

Checks come in the order of the API's promise: 401 → 404, 403 → 413, 415 → 400, 422. Errors are raised, and
rendered by the edge.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streamgate.context import ANONYMOUS, Actor, CallContext, enter_call, leave_call
from streamgate.errors import DeadlineExceeded, FieldError, Forbidden, Invalid, Unauthorized
from streamgate.web.body import read_json
from streamgate.web.deadline import OutOfTime, within
from streamgate.web.problems import RequestTimedOut
from streamgate.web.request_id import request_id_of, traceparent_of
from streamgate.web.routes import Authenticator, Call, EdgePolicy, Policy, Rendered, Route
from streamgate.web.structure import NUL_REFUSED, structure
from streamgate.wire import tolerant

ACTOR_KEY = "streamgate.actor"
"""Where the scope keeps the actor, for the access log."""
DEADLINE_KEY = "streamgate.deadline_s"
"""Where whoever asks in this process (gRPC) says until when an answer is of use, by `time.monotonic()`."""

_ROLES = {"creator": frozenset({"creator", "moderator", "admin"}), "admin": frozenset({"admin"})}
_MAX_QUERY_FIELDS = 100


class Endpoint:
    """One route, ready to answer. `path_params` of the scope are set by the route table."""

    def __init__(
        self, route: Route, authenticator: Authenticator, max_body_bytes: int, policy: EdgePolicy | None = None
    ) -> None:
        self.route = route
        self._authenticator = authenticator
        self._policy = policy
        self._max_body_bytes = max_body_bytes if route.max_body_bytes is None else route.max_body_bytes
        self._wants_texts = route.query is not None or route.guard is not None
        self._unstructure = tolerant.get_unstructure_hook(route.answer) if route.answer is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive, send))
        if isinstance(response, Response):
            await response(scope, receive, send)
            return
        headers = [(b"cache-control", b"no-store")]
        if response is not None:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(response))]
        status = 204 if response is None and self.route.status == 200 else self.route.status
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response or b"", "more_body": False})

    async def _respond(self, request: Request) -> Rendered:
        route = self.route
        ends_at_s = request.scope.get(DEADLINE_KEY)
        if route.timeout_s is not None:
            ends_at_s = min(time.monotonic() + route.timeout_s, ends_at_s or math.inf)
        actor = ANONYMOUS
        if route.policy.level != "token" and route.reads_bearer:
            actor = await self._authenticator.authenticate(request.headers)
        request.scope[ACTOR_KEY] = actor
        if self._policy is not None and route.reads_bearer:
            await self._policy.admit(request.scope, actor)
        check_policy(route.policy, actor)
        if route.method != "GET" and not (route.only_reads or actor.may_change):
            raise Forbidden("this API key may only read; it takes one with the scope upload")
        request_id, traceparent = request_id_of(request.scope), traceparent_of(request.scope)
        context = CallContext(request_id=request_id, actor=actor, deadline_s=ends_at_s, traceparent=traceparent)
        token = enter_call(context)
        try:
            texts = _texts(request) if self._wants_texts else {}
            if route.guard is not None:
                await route.guard(actor, texts)
            plain = await self._read_body(request) if route.body is not None else None
            body = None if route.body is None else structure(route.body, plain, what="the body")
            query = None if route.query is None else _query(route.query, texts, request)
            call: Call[Any, Any] = Call(body=body, query=query, actor=actor, request=request)
            if self._policy is not None and route.creates:
                return await self._policy.once(call, route, plain, lambda: self._answer(call, context))
            return await self._answer(call, context)
        finally:
            leave_call(token)

    async def _read_body(self, request: Request) -> Any:
        try:
            async with asyncio.timeout(self.route.timeout_s):
                return await read_json(request, self._max_body_bytes)
        except TimeoutError as fault:
            raise RequestTimedOut(f"the body had not come after {self.route.timeout_s:g} s") from fault

    async def _answer(self, call: Call[Any, Any], context: CallContext) -> Rendered:
        return self._render(await self._handle(call, context))

    async def _handle(self, call: Call[Any, Any], context: CallContext) -> Any:
        try:
            return await within(self.route.handler(call), context.remaining_s)
        except OutOfTime as fault:
            raise DeadlineExceeded(f"{self.route.method} {self.route.path} did not finish in time") from fault

    def _render(self, answer: Any) -> Rendered:
        if answer is None or isinstance(answer, Response):
            return answer
        if self._unstructure is None:
            said = f"{self.route.method} {self.route.path} declares no answer"
            raise TypeError(f"{said}, but its handler gave {type(answer).__name__}")
        return orjson.dumps(self._unstructure(answer), option=orjson.OPT_UTC_Z)


def check_policy(policy: Policy, actor: Actor) -> None:
    """What the web layer itself enforces of a policy; ownership is the service's.

    Raises:
        Unauthorized: nobody is signed in.
        Forbidden: the role is missing.
    """
    if policy.level in ("public", "token"):
        return
    if not actor.is_signed_in:
        raise Unauthorized("sign in first: send `Authorization: Bearer <access token>`")
    wanted = _ROLES.get(policy.level)
    if wanted is not None and actor.kind != "service" and wanted.isdisjoint(actor.roles):
        raise Forbidden(f"this needs the role {policy.level}")


def _texts(request: Request) -> Mapping[str, str]:
    """Query string and path parameters together; a path parameter is never replaced by the query.

    Raises:
        Invalid: a name given twice, too many of them, or U+0000 in one (a guard looks them up as they are).
    """
    raw = request.scope["query_string"].decode("latin-1")
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS) if raw else []
    except ValueError as fault:
        raise Invalid(f"the query has more than {_MAX_QUERY_FIELDS} fields") from fault
    pairs += request.scope["path_params"].items()
    texts = dict(pairs)
    if len(texts) < len(pairs):
        names = Counter(name for name, _ in pairs)
        errors = tuple(FieldError(name, "is given more than once") for name, count in names.items() if count > 1)
        raise Invalid("the query is not valid: a name is given more than once", errors=errors)
    nul = tuple(FieldError(name, NUL_REFUSED) for name, text in pairs if "\0" in f"{name}{text}")
    if nul:
        what = "the path" if nul[0].field in request.scope["path_params"] else "the query"
        raise Invalid(f"{what} is not valid: a text {NUL_REFUSED}", errors=nul)
    return texts


def _query(kind: type[Any], texts: Mapping[str, str], request: Request) -> Any:
    return structure(kind, texts, what="the query", from_texts=True, in_path=request.scope["path_params"])
