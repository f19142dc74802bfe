"""The typed route: what goes in, what comes out, who may.

    Route(
        "POST", "/api/v1/upload/init", uploads.init,
        policy=CREATOR, body=InitBody, answer=InitAnswer, status=201,
        summary="Start a resumable upload", errors=(QuotaExceeded,),
    )

    async def init(call: Call[InitBody, None]) -> InitAnswer: ...

The web layer reads and validates `body` (JSON, strict) and `query` (query string and path parameters,
by field name), checks the policy, calls the handler inside the caller's context, renders the answer, and
documents all of it in OpenAPI. A handler may return a Starlette `Response` instead of its answer type
(redirects, files). With `raw_body=True` the body is not read: the handler streams `call.request`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from streamgate.context import Actor
from streamgate.errors import StreamgateError

B = TypeVar("B")
Q = TypeVar("Q")

Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


@attrs.frozen
class Policy:
    """Who may call a route. `level` decides what the web layer itself checks before the handler:

    public     nothing; the actor may be anonymous
    signed-in  401 without a valid bearer
    creator    as signed-in, and 403 without the role creator, moderator or admin
    owner      as signed-in; the service checks ownership of `of` (404 or 403)
    admin      as signed-in, and 403 without the role admin
    token      the path token is checked by the handler; no bearer is read
    """

    level: Literal["public", "signed-in", "creator", "owner", "admin", "token"]
    of: str = ""  # owner only: the field that names the owned thing

    def __str__(self) -> str:
        return f"owner of {self.of}" if self.of else self.level


PUBLIC = Policy("public")
SIGNED_IN = Policy("signed-in")
CREATOR = Policy("creator")
ADMIN = Policy("admin")
TOKEN = Policy("token")


def owner(of: str) -> Policy:
    return Policy("owner", of)


@attrs.frozen(kw_only=True)
class Call(Generic[B, Q]):
    """One request as a handler sees it: validated, with the caller known."""

    body: B
    query: Q
    actor: Actor
    request: Request


Handler = Callable[[Call[Any, Any]], Awaitable[Any]]

Guard = Callable[[Actor, Mapping[str, str]], Awaitable[None]]
"""Raises (404, 403) when the actor may not do this to what the path and query name. Answers nothing."""


@attrs.frozen
class Route:
    """One operation. `path` is Starlette's form (`/api/v1/content/{content_id}`).

    Args:
        body: attrs class of the JSON body, `dict[str, Any]` for any JSON object, or None.
        query: attrs class of query string and path parameters together, or None; fields are str, int,
            float, bool, or optional ones of these.
        answer: attrs class of the JSON answer, or None (then a Response, or 204).
        errors: error classes this operation may answer with, beside those every route has.
        timeout_s: what body and handler may take; None for streaming bodies.
        max_body_bytes: largest JSON body; None: the server's setting.
        raw_body: the handler reads `call.request` itself; `max_body_bytes` is then its own affair.
        guard: asked with the actor and the path and query as texts before any of the body is read, so that 403 and
            404 come ahead of 413, 415 and 422. For policy owner where the id is in the path or query.
        reads_bearer: False on public routes that must work whatever credential is sent (sign-in, health).
            Elsewhere a bad credential is 401 on a public route too: nobody becomes anonymous unawares.
        only_reads: a POST that changes nothing (but that one watches): API keys that may only read may call it.
        accepts: media types of a raw body, for the documentation.
        raw_schema: what a raw body holds where that can be said: a class as for `body`, for the documentation.
        headers_doc: request header names the handler reads, with a sentence each.
        also: further statuses of good answers (206, 304), with a sentence each, for the documentation.
        audited: what the audit trail is told of a request that changes state: "refused" where the handler itself tells
            it of what it did, "none" of what is too frequent and too harmless (the parts of an upload).
    """

    method: Method
    path: str
    handler: Handler
    policy: Policy = attrs.field(kw_only=True)
    summary: str = attrs.field(kw_only=True)
    body: type | None = attrs.field(default=None, kw_only=True)
    query: type | None = attrs.field(default=None, kw_only=True)
    answer: type | None = attrs.field(default=None, kw_only=True)
    status: int = attrs.field(default=200, kw_only=True)
    description: str = attrs.field(default="", kw_only=True)
    errors: tuple[type[StreamgateError], ...] = attrs.field(default=(), kw_only=True)
    timeout_s: float | None = attrs.field(default=30.0, kw_only=True)
    max_body_bytes: int | None = attrs.field(default=None, kw_only=True)
    raw_body: bool = attrs.field(default=False, kw_only=True)
    guard: Guard | None = attrs.field(default=None, kw_only=True)
    reads_bearer: bool = attrs.field(default=True, kw_only=True)
    only_reads: bool = attrs.field(default=False, kw_only=True)
    accepts: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    raw_schema: type | None = attrs.field(default=None, kw_only=True)
    produces: tuple[str, ...] = attrs.field(default=("application/json",), kw_only=True)
    headers_doc: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
    also: Mapping[int, str] = attrs.field(factory=dict, kw_only=True)
    audited: Literal["all", "refused", "none"] = attrs.field(default="all", kw_only=True)

    @property
    def creates(self) -> bool:
        """Makes something: an `Idempotency-Key` is honoured. A raw body streams and cannot be compared: its length and
        the headers of `headers_doc` stand for it, and what is refused (4xx) must have changed nothing."""
        return self.method == "POST" and self.status in (201, 202)


@attrs.frozen(kw_only=True)
class Mount:
    """A raw ASGI application under a path prefix, ahead of all middleware (segments, static files).

    It does its own errors (`web.problems.problem_response` helps) and limits. `policy` is what the route
    walk shows and tests. Among mounts of order 0 the longest prefix answers; a prefix ends at a `/` or the
    end of the path. `order` above 0: asked, lowest first, only for what neither they nor a route answer,
    and behind the middleware (the gateway's forwarder). Requests whose body nobody read are tidied up.
    With `websocket` the application is given `websocket` scopes too; elsewhere they are refused with 403.
    `documents`: the operations it answers, for OpenAPI alone; their handlers are never called.
    """

    prefix: str
    app: ASGIApp
    policy: Policy
    summary: str
    order: int = 0
    websocket: bool = False
    documents: tuple[Route, ...] = ()


class Authenticator(Protocol):
    """Turns request headers into an actor. The one implementation is `sdk/bearer.py`."""

    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        """ANONYMOUS where no credential is sent.

        Raises:
            Unauthorized: `auth.token_invalid` (and kin), a credential is sent and is not good.
            Unavailable: `auth.unavailable`, the key set cannot be had; never open, never 401.
        """


ANSWER_HEADERS = "streamgate.answer_headers"
"""Where the scope keeps the list of headers that the answer gets, those it has already aside (but for Vary)."""

REFUSED_KEY = "streamgate.refused"
"""Where the scope says that the policy itself answers 429. Any other 429 is of a limit that its numbers are not of."""

Rendered = Response | bytes | None
"""What an endpoint answers with: a response, the JSON of its answer, or nothing."""


class EdgePolicy(Protocol):
    """What every request of a process meets: CORS, security headers, limits, repeated requests. The one
    implementation is `sdk/edge`. All of it adds to `scope[ANSWER_HEADERS]`, in place."""

    @property
    def routes(self) -> Sequence[Route]:
        """Pages of its own, for every listener."""

    @property
    def hop(self) -> str:
        """What a gateway of ours must say in `web.edge.HOP_HEADER`, so that it is believed whom it forwards for."""

    async def enter(self, scope: Scope) -> ASGIApp | None:
        """Before anything is routed, of mounts and WebSockets too. What it gives answers instead (CORS preflight).

        Raises:
            UrlTooLong, HeadersTooLarge, TooMany: 414, 431, 429.
        """

    async def admit(self, scope: Scope, actor: Actor) -> None:
        """When it is known who asks.

        Raises:
            TooMany: 429.
        """

    async def once(
        self, call: Call[Any, Any], route: Route, plain: Any, answer: Callable[[], Awaitable[Rendered]]
    ) -> Rendered:
        """The answer of a route that creates: a new one, or the one that was given for this Idempotency-Key.

        Raises:
            IdempotencyMismatch, IdempotencyInProgress: 422, 409; and what `answer` raises, or raised then.
        """
